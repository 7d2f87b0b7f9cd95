"""How soon after each part has died a payment that was begun then is final."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random

from devstack.services import SERVICES
from tests.chaos import shop
from tests.chaos.aftermath import AT_REST
from tests.chaos.api import Api
from tests.chaos.history.events import CREATE, OK
from tests.chaos.outcome import Outcome
from tests.chaos.stage import Stage

_EVERY_S = 0.2  # a new payment, so that none waits for what an older one must wait out
_GIVE_UP_S = 60.0
_TOKEN = "pm_card_visa"
SERVICE_S, POSTGRES_S, REDIS_S = 5.0, 10.0, 30.0  # how soon at most

Blow = Callable[[Stage], Awaitable[None]]


def _kill(name: str) -> Blow:
    async def strike(stage: Stage) -> None:
        if stage.send(name, signal.SIGKILL) is None:
            raise RuntimeError(f"{name} does not run")

    return strike


_BLOWS: Mapping[str, tuple[float, Mapping[str, Blow]]] = {
    "a service": (SERVICE_S, {name: _kill(name) for name in (*(s.name for s in SERVICES), "edge")}),
    "PostgreSQL": (POSTGRES_S, {"postgres": _kill("postgres")}),
    "Redis": (REDIS_S, {"redis": _kill("redis"), "FLUSHALL": Stage.flush_redis}),
}


async def measure(api: Api, stage: Stage, outcome: Outcome, seed: int) -> None:
    """Strike one part after the other, each when all is well again; note the longest time until a
    payment that was begun after the blow is final.
    """
    chance = Random(f"recovery {seed}")
    await _until_one_is_final(api, chance)
    for kind, (goal_s, blows) in _BLOWS.items():
        times = {}
        for name, strike in blows.items():
            await strike(stage)
            times[name] = await _until_one_is_final(api, chance)
            await _until_one_is_final(api, chance)
        slowest = max(times, key=lambda name: times[name])
        outcome.figures[f"final again after the death of {kind}"] = round(times[slowest], 1)
        if times[slowest] > goal_s:
            told = f"{slowest} died: a payment was final after {times[slowest]:.1f} s"
            outcome.unmet.append(f"{told}, at most {goal_s:g} s")


async def _until_one_is_final(api: Api, chance: Random) -> float:
    """Begin a payment after the other until any is final; answer how many seconds that took."""
    began, won = time.monotonic(), asyncio.Event()
    trying: set[asyncio.Task[None]] = set()
    while not won.is_set() and time.monotonic() - began < _GIVE_UP_S:
        trying.add(asyncio.create_task(_try(api, chance, won)))
        with suppress(TimeoutError):
            await asyncio.wait_for(won.wait(), _EVERY_S)
    took = time.monotonic() - began
    for task in trying:
        task.cancel()
    await asyncio.gather(*trying, return_exceptions=True)
    return took


async def _try(api: Api, chance: Random, won: asyncio.Event) -> None:
    name = f"recovery-{chance.randrange(10**9)}"
    event = await api.write(CREATE, shop.plain(chance, name, _TOKEN), name)
    while event.outcome == OK and event.status not in AT_REST:
        await asyncio.sleep(0.05)
        event = await api.read(event.payment_id)
    if event.status in AT_REST:
        won.set()
