"""A database that meddles with batches on their way to disk, as a seeded dice says."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg

from chassis.database import Database
from chassis.errors import Unavailable

Command = TypeVar("Command")

FATES = ("serialization", "stranger", "down", "answer lost")


class Meddled(Database, Generic[Command]):
    """A database that, before a batch is written, does what a seeded dice says, and keeps a log.

    `log` holds what was committed, in that order, a stranger's commands too; `met` counts what was
    done. Of each service's one says which work writes a batch, and who the stranger is.
    """

    def __init__(self, database: Database, seed: int, more_fates: Sequence[str] = ()) -> None:
        self._database = database
        self.dice = random.Random(seed)
        self.log: list[Sequence[Command]] = []
        self.met: Counter[str] = Counter()
        self.is_calm = True
        self.fates: tuple[str, ...] = ("nothing",) * 8 + (*FATES, *more_fates)
        self._dealt: list[str] = []

    def batch_of(self, work: Any) -> tuple[str, Sequence[Command]] | None:
        """Tell of work that writes a batch whether it was decided "ahead" or "locked", and of what
        commands it is.
        """
        raise NotImplementedError

    async def meddle(self, fate: str) -> None:
        """Do what a stranger does."""
        raise NotImplementedError

    async def run(self, work: Any, *, timeout_s: float | None = None, alone: bool = False) -> Any:
        """Run work; a batch may meet with something first."""
        batch = None if self.is_calm else self.batch_of(work)
        if batch is None:
            return await self._database.run(work, timeout_s=timeout_s, alone=alone)
        way, commands = batch
        fate = self._fate()
        self.met[way] += 1
        self.met[fate] += 1
        if fate == "down":
            raise Unavailable("The database did not answer.")
        await self.meddle(fate)
        if fate == "serialization":
            work = _failing_once(work)
        result = await self._database.run(work, alone=alone)
        self.log.append(commands)
        if fate == "answer lost":
            raise Unavailable("The database did not answer in time.")
        return result

    def _fate(self) -> str:
        """Deal the next fate; each comes round, however many batches meet with one."""
        if not self._dealt:
            self._dealt = list(self.fates)
            self.dice.shuffle(self._dealt)
        return self._dealt.pop()


def _failing_once(work: Any) -> Any:
    left = [psycopg.errors.SerializationFailure("could not serialize")]

    async def run(tx: Any) -> Any:
        if left:
            raise left.pop()
        return await work(tx)

    return run
