"""More than the stack can take: what is too much is refused at once, and it recovers soon."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from string import ascii_lowercase

from tests.chaos import shop
from tests.chaos.aftermath import AT_REST
from tests.chaos.api import Api
from tests.chaos.clients import Pace
from tests.chaos.history.events import CREATE, OK, Event
from tests.chaos.outcome import Outcome

_CALLERS = 128
_CAPACITY_S, _OVERLOAD_S = 8.0, 20.0
_TIMES = 3
_REFUSED_IN_S = 0.1
_RECOVERY_MAX_S = 30.0
_GIVE_UP_S = 120.0
_WAIT_S = 6
_PROBE_S = 2  # a payment that ends within it says that all is as usual
_TOKEN = "pm_card_visa"
_TOO_MANY = 429


class Overload:
    """The phase. Its calls are in no history."""

    def __init__(self, api: Api, outcome: Outcome, seed: int) -> None:
        self._api, self._outcome = api, outcome
        self._chance = Random(f"overload {seed}")
        self._count = 0

    async def measure(self) -> None:
        """Find the capacity, offer three times as much, and see how it ends."""
        await self._recovery()  # what came before may not be over
        per_s = await self._capacity()
        answers = await self._offer(per_s * _TIMES)
        self._judge(per_s, answers, await self._recovery())

    async def _capacity(self) -> float:
        """Tell how many payments a second callers in a closed loop get done."""
        until, done = time.monotonic() + _CAPACITY_S, 0

        async def call() -> None:
            nonlocal done
            while time.monotonic() < until:
                event = await self._pay(wait_s=_WAIT_S)
                done += event.status in AT_REST and event.returned <= until

        await asyncio.gather(*(call() for _ in range(_CALLERS)))
        return done / _CAPACITY_S

    async def _offer(self, per_s: float) -> list[Event]:
        """Send at a pace that nobody slows down."""
        pace, until = Pace(max(per_s, 1.0)), time.monotonic() + _OVERLOAD_S
        calls: list[asyncio.Task[Event]] = []
        while time.monotonic() < until:
            await pace.turn()
            calls.append(asyncio.create_task(self._pay()))
        return list(await asyncio.gather(*calls))

    async def _recovery(self) -> float:
        """Tell how long it takes until a payment is as quick as usual again."""
        began = time.monotonic()
        while time.monotonic() - began < _GIVE_UP_S:
            if (await self._pay(wait_s=_PROBE_S)).status in AT_REST:
                break
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    async def _pay(self, *, wait_s: int = 0) -> Event:
        self._count += 1
        name = f"overload-{self._count}-{_word(self._chance)}"
        request = shop.plain(self._chance, name, _TOKEN)
        return await self._api.write(CREATE, request, name, wait_s=wait_s)

    def _judge(self, per_s: float, answers: Sequence[Event], recovery_s: float) -> None:
        refused = sorted(e.returned - e.invoked for e in answers if e.http == _TOO_MANY)
        accepted = sorted(e.returned - e.invoked for e in answers if e.outcome == OK)
        told = (e for e in answers if e.http not in (_TOO_MANY, 200))
        others = Counter(f"{e.http} {e.reason}".strip() for e in told)
        figures = self._outcome.figures
        figures["capacity"] = round(per_s, 1)
        figures["offered at three times that"] = len(answers)
        figures["accepted of these"] = len(accepted)
        figures["refused with 429"] = len(refused)
        figures["99 % of refusals within"] = round(_quantile(refused) * 1000, 1)
        figures["99 % of acceptances within"] = round(_quantile(accepted) * 1000, 1)
        figures["recovered after"] = round(recovery_s, 1)
        unmet = self._outcome.unmet
        if not refused:
            unmet.append(f"nothing was refused at {_TIMES} times the capacity")
        if _quantile(refused) > _REFUSED_IN_S:
            unmet.append(f"refusals took {_quantile(refused) * 1000:.0f} ms, at most 100")
        if others:
            unmet.append(f"other answers under overload: {dict(others)}")
        if recovery_s > _RECOVERY_MAX_S:
            unmet.append(f"recovery took {recovery_s:.0f} s, at most {_RECOVERY_MAX_S:.0f}")


def _word(chance: Random) -> str:
    """Draw a name in letters: digits enough may be a card number to the edge, which refuses it."""
    return "".join(chance.choices(ascii_lowercase, k=10))


def _quantile(ordered: Sequence[float], share: float = 0.99) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
