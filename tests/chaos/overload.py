"""More than the stack can take: what is too much is refused at once, and it recovers soon."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

from tests.chaos import shop
from tests.chaos.aftermath import AT_REST
from tests.chaos.api import Api
from tests.chaos.clients import Pace
from tests.chaos.history.events import CREATE, OK, Event
from tests.chaos.outcome import Outcome
from tests.chaos.stage import FIRST_WALKS, QUEUE_DEPTH_MAX, SECOND_WALKS

_CALLERS = 96
_TURNED_AWAY_S = 0.5
_CAPACITY_S, _OVERLOAD_S = 8.0, 20.0
_TIMES = 3
_REFUSED_IN_S = 0.1
_RECOVERY_MAX_S = 30.0
_GIVE_UP_S = 120.0
_WAIT_S = 6
_PROBE_S = 2  # a payment that ends within it says that all is as usual
_TOKEN = "pm_card_visa"
_TOO_MANY = 429
_LOGGED_IN_S = 20.0
_SAMPLE = 300  # of the accepted are read again


class Overload:
    """The phase. Its calls are in no history.

    Args:
        edge_log: Envoy's, which says how long the stack took: on a machine that is too small for
            the load, who measures waits too.
    """

    def __init__(self, api: Api, outcome: Outcome, seed: int, edge_log: Path) -> None:
        self._api, self._outcome = api, outcome
        self._edge_log = edge_log
        self._chance = Random(f"overload {seed}")
        self._count = 0

    async def measure(self) -> None:
        """Find the capacity, offer three times as much, and see how it ends."""
        await self._recovery()  # what came before may not be over
        per_s = await self._capacity()
        before, began = self._edge_log.stat().st_size, time.monotonic()
        answers = await self._offer(per_s * _TIMES)
        recovery_s = await self._recovery()
        took_s = time.monotonic() - began
        self._judge(per_s, answers, recovery_s)
        await self._judge_refusals(answers, before)
        await self._judge_accepted([e for e in answers if e.outcome == OK], took_s)

    async def _capacity(self) -> float:
        """Tell how many payments a second callers in a closed loop get done."""
        until, done = time.monotonic() + _CAPACITY_S, 0

        async def call() -> None:
            nonlocal done
            while time.monotonic() < until:
                event = await self._pay(wait_s=_WAIT_S)
                done += event.status in AT_REST and event.returned <= until
                if event.http == _TOO_MANY:
                    await asyncio.sleep(_TURNED_AWAY_S)

        await asyncio.gather(*(call() for _ in range(_CALLERS)))
        return done / _CAPACITY_S

    async def _offer(self, per_s: float) -> list[Event]:
        """Send at a pace that nobody slows down."""
        pace, until = Pace(max(per_s, 1.0), makes_up=True), time.monotonic() + _OVERLOAD_S
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
        accepted = sorted(e.returned - e.invoked for e in answers if e.outcome == OK)
        told = (e for e in answers if e.http not in (_TOO_MANY, 200))
        others = Counter(f"{e.http} {e.reason}".strip() for e in told)
        figures = self._outcome.figures
        figures["capacity"] = round(per_s, 1)
        figures["offered at three times that"] = len(answers)
        figures["accepted of these"] = len(accepted)
        figures["99 % of acceptances within"] = round(_quantile(accepted) * 1000, 1)
        figures["recovered after"] = round(recovery_s, 1)
        unmet = self._outcome.unmet
        if others:
            unmet.append(f"other answers under overload: {dict(others)}")
        if recovery_s > _RECOVERY_MAX_S:
            unmet.append(f"recovery took {recovery_s:.0f} s, at most {_RECOVERY_MAX_S:.0f}")

    async def _judge_refusals(self, answers: Sequence[Event], before: int) -> None:
        """Judge them by the edge's clock, from the first byte that came to the last that went."""
        refused = sorted(e.returned - e.invoked for e in answers if e.http == _TOO_MANY)
        figures, unmet = self._outcome.figures, self._outcome.unmet
        figures["refused with 429"] = len(refused)
        at_edge = sorted(await self._at_edge(len(refused), before))
        within_s = _quantile(at_edge)
        figures["99 % of refusals within"] = round(within_s * 1000, 1)
        figures["99 % of refusals, as clients on this machine saw them"] = round(
            _quantile(refused) * 1000, 1
        )
        if not refused:
            unmet.append(f"nothing was refused at {_TIMES} times the capacity")
        if len(at_edge) < len(refused):
            unmet.append(f"the edge's log has {len(at_edge)} of {len(refused)} refusals")
        if within_s > _REFUSED_IN_S:
            unmet.append(f"refusals took {within_s * 1000:.0f} ms, at most 100")

    async def _at_edge(self, count: int, before: int) -> list[float]:
        """Read the refusals that the edge has logged, once all are there: it writes by and by."""
        deadline = time.monotonic() + _LOGGED_IN_S
        while len(found := list(refusals(self._edge_log, before))) < count:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        return found

    async def _judge_accepted(self, accepted: Sequence[Event], took_s: float) -> None:
        """Judge how long what was accepted took to its end: no longer than those take that may
        wait and be under way at once, at the rate at which payments were worked off meanwhile.
        """
        sample = accepted[:: max(len(accepted) // _SAMPLE, 1)]
        read = [await self._api.whole(event.payment_id) for event in sample]
        ended = sorted(_span_s(each) for each in read if each.get("executed_at"))
        allowed_s = (QUEUE_DEPTH_MAX + FIRST_WALKS + SECOND_WALKS) / (len(accepted) / took_s or 1)
        figures, unmet = self._outcome.figures, self._outcome.unmet
        figures["99 % of the accepted final within"] = round(_quantile(ended), 2)
        figures["which the queue's bound allows"] = round(allowed_s, 2)
        if len(ended) < len(sample):
            unmet.append(f"{len(sample) - len(ended)} of {len(sample)} accepted are not completed")
        if _quantile(ended) > allowed_s:
            unmet.append(f"the accepted took {_quantile(ended):.1f} s, at most {allowed_s:.1f}")


def refusals(log: Path, before: int) -> Iterator[float]:
    """Read from the edge's log, after its first `before` bytes, how long each refusal took, in
    seconds.
    """
    with log.open("rb") as lines:
        lines.seek(before)
        for line in lines:
            if not line.endswith(b"\n"):
                return  # it is being written
            entry = json.loads(line)
            if entry["status"] == _TOO_MANY:
                yield entry["duration_ms"] / 1000


def _span_s(payment: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(payment[name]) for name in ("created_at", "executed_at"))
    return (ended - began).total_seconds()


def _word(chance: Random) -> str:
    """Draw a name in letters: digits enough may be a card number to the edge, which refuses it."""
    return "".join(chance.choices(ascii_lowercase, k=10))


def _quantile(ordered: Sequence[float], share: float = 0.99) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
