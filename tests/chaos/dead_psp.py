"""A PSP that is dead: how many requests still go there for each charge that is offered."""

import asyncio
import time
from random import Random

from tests.chaos import shop
from tests.chaos.aftermath import AT_REST
from tests.chaos.api import Api
from tests.chaos.clients import Pace
from tests.chaos.history.events import CREATE, OK
from tests.chaos.outcome import Outcome
from tests.chaos.sandbox_control import Psps

_PER_S = 10.0
_LASTS_S = 15.0
_RECOVERY_S = 120.0  # the circuit rests for a minute at most
_AMPLIFICATION_MAX = 1.2
_PSP, _TOKEN = "stripe", "pm_card_visa"


async def measure(api: Api, psps: Psps, outcome: Outcome, seed: int) -> None:
    """Offer charges to a dead PSP for a while, count what arrives there, and let it live again."""
    chance, made = Random(f"dead psp {seed}"), list[str]()
    before = await _arrived(psps)
    await psps.darken()
    pace, until = Pace(_PER_S), time.monotonic() + _LASTS_S
    while time.monotonic() < until:
        await pace.turn()
        name = f"dead-{chance.randrange(10**9)}"
        event = await api.write(CREATE, shop.plain(chance, name, _TOKEN), name)
        made += [event.payment_id] if event.outcome == OK else []
    arrived = await _arrived(psps) - before
    await psps.heal()
    ratio = arrived / max(len(made), 1)
    outcome.figures["charges offered to a dead PSP"] = len(made)
    outcome.figures["requests that arrived there"] = arrived
    outcome.figures["retry amplification"] = round(ratio, 3)
    if not made or not arrived:
        outcome.unmet.append("a dead PSP was offered nothing, or nothing arrived there")
    if ratio > _AMPLIFICATION_MAX:
        outcome.unmet.append(f"retry amplification {ratio:.2f}, at most {_AMPLIFICATION_MAX}")
    await _await_rest(api, made, outcome)


async def _arrived(psps: Psps) -> int:
    state = await psps.state()
    return int(state.get("arrived", {}).get(_PSP, 0))


async def _await_rest(api: Api, made: list[str], outcome: Outcome) -> None:
    """Wait until all that was offered is final, now that the PSP lives."""
    left, began = set(made), time.monotonic()
    while left and time.monotonic() - began < _RECOVERY_S:
        for payment_id in list(left):
            if (await api.read(payment_id)).status in AT_REST:
                left.discard(payment_id)
        await asyncio.sleep(1.0)
    outcome.figures["all final after the PSP's death"] = round(time.monotonic() - began, 1)
    if left:
        outcome.unmet.append(f"{len(left)} payments are open long after a PSP was dead")
