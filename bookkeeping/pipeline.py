"""One batch is written while the next is decided, on what the first will leave.

So a process works while PostgreSQL does. Batches are written one after the other, in the order in
which they were decided; a batch is answered when it is on disk. A batch that fails takes the one
behind it along: what that was decided on did not come about. Both are decided again, under locks,
and so is what cannot be decided on what is known.
"""

import asyncio
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from chassis.telemetry import logger

Command = TypeVar("Command", contravariant=True)
Found = TypeVar("Found")
Batch = TypeVar("Batch")
Outcome = TypeVar("Outcome", covariant=True)

_WARY_BATCHES_MAX = 64


class Overtaken(Exception):
    """The books are not as a batch took them to be; nothing was written."""


class Bookkeeper(Protocol[Command, Found, Batch, Outcome]):
    """Decides and writes the batches of one service, one after the other.

    What it knows of the books is hearsay, since other processes write to them too: `write` holds
    what a batch was decided on against the database.
    """

    def can_go_ahead(self, commands: Sequence[Command]) -> bool:
        """Tell whether commands can be decided on what is known."""
        ...

    async def look_up(self, commands: Sequence[Command]) -> Found:
        """Find what commands need and is not known, without keeping it.

        Raises:
            Unavailable: the database did not answer.
        """
        ...

    def decide(self, commands: Sequence[Command], found: Found) -> Batch | None:
        """Decide on what is known and was found, and know what that makes of the books, though it
        is not written yet; None, and nothing known of it, when it takes locks to decide.
        """
        ...

    async def write(self, batch: Batch) -> Sequence[Outcome]:
        """Write what was decided, in one transaction, and answer each command in order.

        Raises:
            Overtaken: what it was decided on does not hold.
            Unavailable: the database did not answer.
        """
        ...

    async def lock_and_write(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Lock, decide and write in one transaction, know what that makes of the books, and answer
        each command in order. No other batch is under way meanwhile.

        Raises:
            Overtaken: others have what it needs beside the locks; once it knows nothing any more,
                it may ask for that anew.
            Unavailable: the database did not answer.
        """
        ...

    def take_back(self, batch: Batch) -> None:
        """Know nothing any more, but that nothing was written of `batch` and what came behind."""
        ...

    def forget(self) -> None:
        """Know nothing any more: nobody knows what was written."""
        ...


class Pipeline(Generic[Command, Found, Batch, Outcome]):
    """Takes turns, so that one batch is written while the next is decided."""

    def __init__(self, bookkeeper: Bookkeeper[Command, Found, Batch, Outcome]) -> None:
        self._bookkeeper = bookkeeper
        self._log = logger()
        # Whoever writes has held `deciding` until then; so both have one order.
        self._deciding, self._writing = asyncio.Lock(), asyncio.Lock()
        self._round = 0  # what was decided in an earlier one was decided on what did not happen
        self._is_redoing = False
        self._misses = self._wary = 0

    async def run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Do commands in one transaction; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        async with self._deciding:
            if not self._trusts(commands):
                async with self._writing:
                    return await self._locked(commands)
            if self._is_redoing:
                async with self._writing:
                    pass  # what it leaves is known then
            decided = await self._decide(commands)
            try:
                await self._writing.acquire()
            except BaseException:
                self._lose()  # what was decided is known, and will not be written
                raise
        try:
            return await self._write(commands, decided)
        finally:
            self._writing.release()

    def _trusts(self, commands: Sequence[Command]) -> bool:
        """Tell whether to decide on what is known. Where others write to the same books it is
        mostly wrong: the more often it was, the longer it is not asked.
        """
        if self._wary:
            self._wary -= 1
            return False
        return self._bookkeeper.can_go_ahead(commands)

    async def _decide(self, commands: Sequence[Command]) -> tuple[int, Batch] | None:
        """Decide on what is known, and tell in which round; None when that has ended meanwhile, or
        it takes locks.
        """
        round_ = self._round
        found = await self._bookkeeper.look_up(commands)
        if self._round != round_:
            return None
        batch = self._bookkeeper.decide(commands, found)
        return None if batch is None else (round_, batch)

    async def _write(
        self, commands: Sequence[Command], decided: tuple[int, Batch] | None
    ) -> Sequence[Outcome]:
        """Write what was decided, or decide it under locks."""
        if decided is not None and decided[0] == self._round:
            _, batch = decided
            try:
                outcomes = await self._bookkeeper.write(batch)
            except Overtaken:
                self._doubt(batch, len(commands))
            except BaseException:
                self._lose()
                raise
            else:
                self._misses = 0
                return outcomes
        self._is_redoing = True
        try:
            return await self._locked(commands)
        finally:
            self._is_redoing = False

    async def _locked(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Lock, decide and write, with nobody before or behind."""
        while True:
            try:
                return await self._bookkeeper.lock_and_write(commands)
            except Overtaken:
                self._lose()
            except BaseException:
                self._lose()
                raise

    def _doubt(self, batch: Batch, count: int) -> None:
        """Nothing of a batch was written, since the books were not as they were known."""
        self._log.info("decided_again", count=count)
        self._round += 1
        self._bookkeeper.take_back(batch)
        self._misses += 1
        self._wary = min(2**self._misses, _WARY_BATCHES_MAX) - 2

    def _lose(self) -> None:
        """Nobody knows what was written."""
        self._round += 1
        self._bookkeeper.forget()
