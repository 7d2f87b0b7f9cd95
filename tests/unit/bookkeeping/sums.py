"""Books of one number, kept in memory: each command adds to it and is answered with the sum."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bookkeeping.pipeline import Overtaken
from chassis.errors import Unavailable

STRANGER = 1_000
FAR = 500  # takes a look beside the sum


class Fate(Enum):
    """What a batch meets with when it is written."""

    FINE = "it is written"
    STRANGER = "somebody else has written before"
    DOWN = "the database is not there"
    ANSWER_LOST = "it is written, and nobody is told"


@dataclass(frozen=True)
class Batch:
    """What was added to which sum."""

    start: int
    added: Sequence[int]


class Sums:
    """A bookkeeper: `log` is what was added in truth, a batch a line, strangers' lines too; `seen`
    what was done, in that order. Numbers below zero take locks to add.

    Args:
        fates: of the batches to be written, in order; then all goes well.
        gates: to be waited for by those that are written ahead, in order; then by none.
    """

    def __init__(
        self, fates: Sequence[Fate] = (), gates: Sequence[asyncio.Event] = (), *, taken: int = 0
    ) -> None:
        self.log: list[Sequence[int]] = []
        self.seen: list[str] = []
        self.is_writing = False
        self._fates, self._gates = deque(fates), deque(gates)
        self._taken = taken  # so often another has what is needed beside the locks
        self.found_far = asyncio.Event()
        self._known: int | None = None

    @property
    def total(self) -> int:
        """The sum as it is in truth."""
        return sum(map(sum, self.log))

    def can_go_ahead(self, commands: Sequence[int]) -> bool:
        """Tell whether no number is below zero."""
        return min(commands) >= 0

    async def look_up(self, commands: Sequence[int]) -> int | None:
        """Find the sum, if it is not known; what is far takes until it is found."""
        if FAR in commands:
            await self.found_far.wait()
        if self._known is not None:
            return None
        found = self.total
        await asyncio.sleep(0)
        return found

    def decide(self, commands: Sequence[int], found: int | None) -> Batch | None:
        """Add to what is known; zeros alone take locks."""
        if found is not None:
            self._known = found
        assert self._known is not None
        if not any(commands):
            return None
        batch = Batch(self._known, commands)
        self._known += sum(commands)
        self.seen.append(f"decided {list(commands)}")
        return batch

    async def write(self, batch: Batch) -> Sequence[int]:
        """Write a batch, if the sum is still what it was decided on."""
        gate = self._gates.popleft() if self._gates else None
        if gate is not None:
            await gate.wait()
        await self._meet(batch.added, batch.start)
        return _sums(batch.start, batch.added)

    async def lock_and_write(self, commands: Sequence[int]) -> Sequence[int]:
        """Add to the sum as it is."""
        self.seen.append(f"locked {list(commands)}")
        await asyncio.sleep(0)
        if self._taken:
            self._taken -= 1
            raise Overtaken
        start = await self._meet(commands, None)
        self._known = self.total
        return _sums(start, commands)

    def take_back(self, batch: Batch) -> None:
        """Know nothing any more."""
        self.seen.append(f"took back {list(batch.added)}")
        self._known = None

    def forget(self) -> None:
        """Know nothing any more."""
        self.seen.append("forgot")
        self._known = None

    async def _meet(self, added: Sequence[int], expected: int | None) -> int:
        """Write a line at once, or not, and tell what the sum was before it."""
        assert not self.is_writing, "two write at once"
        self.is_writing = True
        try:
            await asyncio.sleep(0)
            fate = self._fates.popleft() if self._fates else Fate.FINE
            if fate is Fate.DOWN:
                raise Unavailable("The database did not answer.")
            if fate is Fate.STRANGER:
                self.log.append([STRANGER])
            start = self.total
            if expected is not None and start != expected:
                raise Overtaken
            self.log.append(added)
            self.seen.append(f"wrote {list(added)}")
            await asyncio.sleep(0)
            if fate is Fate.ANSWER_LOST:
                raise Unavailable("The database did not answer in time.")
            return start
        finally:
            self.is_writing = False


def _sums(start: int, added: Sequence[int]) -> list[int]:
    return [start + sum(added[: place + 1]) for place in range(len(added))]
