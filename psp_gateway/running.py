"""The attempts and payouts under way in this process: one task each, which outlives the call that
began it and is joined by the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from chassis.errors import PaymeshError, Unavailable
from chassis.telemetry import logger
from psp_gateway.domain.errors import AttemptReused, Refusal


class Item(Protocol):
    """What is taken further: an attempt, or a payout."""

    @property
    def attempt_id(self) -> str:
        """Tells items apart."""
        ...

    def differs_from(self, asked: Any) -> list[str]:
        """Name the fields in which what was asked before differs from what is asked now."""
        ...

    def unfinished(self) -> Self:
        """Tell it as it stands while it is taken further."""
        ...


Taken = TypeVar("Taken", bound=Item)


@dataclass(frozen=True, slots=True)
class Asked(Generic[Taken]):
    """One item to be taken further: what was asked, and how."""

    attempt: Taken
    take: Callable[[], Awaitable[Taken | Refusal]]


@dataclass(slots=True)
class _Joined(Generic[Taken]):
    """What is under way; `latest`: as the store last had it, as far as is known."""

    asked: Taken
    latest: Taken
    task: "asyncio.Task[Taken | Refusal]"

    def answer(self) -> Taken | Refusal:
        """Answer what came of it; while that is not known, how it stood before."""
        if self.task.done() and not self.task.cancelled() and self.task.exception() is None:
            return self.task.result()
        return self.latest.unfinished()


class Running(Generic[Taken]):
    """Runs each attempt once at a time, and answers in time.

    Args:
        answer_s: how long a call waits; what is not done then is told as it stands, and goes on.
        count_max: attempts under way at once; more are refused.
    """

    def __init__(self, *, answer_s: float, count_max: int) -> None:
        self._answer_s = answer_s
        self._count_max = count_max
        self._running: dict[str, _Joined[Taken]] = {}
        self._log = logger()

    async def run(self, asked: Sequence[Asked[Taken] | Refusal]) -> list[Taken | Refusal]:
        """Take each item further and answer in order; one in trouble never fails its neighbours.

        Raises:
            Unavailable: the store answered for none of them.
        """
        joined = [item if isinstance(item, Refusal) else self._join(item) for item in asked]
        tasks = {item.task for item in joined if isinstance(item, _Joined)}
        if tasks:
            await asyncio.wait(tasks, timeout=self._answer_s)
        _raise_if_all_failed(tasks)
        return [item.answer() if isinstance(item, _Joined) else item for item in joined]

    def saw(self, stored: Taken) -> None:
        """Take note of how one that is under way stands in the store now."""
        joined = self._running.get(stored.attempt_id)
        if joined is not None:
            joined.latest = stored

    async def close(self, patience_s: float) -> None:
        """Wait for what is under way, then leave the rest to the next call that asks for it."""
        tasks = [joined.task for joined in self._running.values()]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=patience_s)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _join(self, item: Asked[Taken]) -> "_Joined[Taken] | Refusal":
        attempt_id = item.attempt.attempt_id
        if attempt_id in self._running:
            first = self._running[attempt_id]
            differs = first.asked.differs_from(item.attempt)
            return AttemptReused(attempt_id, differs) if differs else first
        task = asyncio.create_task(self._take(item))
        task.add_done_callback(_retrieve)
        self._running[attempt_id] = joined = _Joined(item.attempt, item.attempt, task)
        return joined

    async def _take(self, item: Asked[Taken]) -> Taken | Refusal:
        try:
            if len(self._running) > self._count_max:
                raise Unavailable("Too many attempts are under way; try again soon.")
            return await item.take()
        except Exception as error:
            self._log.warning("attempt_left", attempt_id=item.attempt.attempt_id, error=error)
            raise
        finally:
            del self._running[item.attempt.attempt_id]


def _retrieve(task: "asyncio.Task[Taken | Refusal]") -> None:
    """Look at the error, which is logged already, so that nobody warns that it was not seen."""
    if not task.cancelled():
        task.exception()


def _raise_if_all_failed(tasks: "set[asyncio.Task[Taken | Refusal]]") -> None:
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    failures = [error for error in errors if isinstance(error, PaymeshError)]
    if tasks and len(failures) == len(tasks):
        raise failures[0]
