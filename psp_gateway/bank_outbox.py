"""Puts files of orders into a folder, from where a transport of the bank's takes them, each once.

A file is written under a name that no transport takes, with a copy's id and `.part` behind it; then
the database says that it was handed over as this copy; then it gets its own name. Whatever is
killed in between, no file is there twice, and none is lost while the folder lasts. The copy's id is
for a COMMIT that fails after the file was written: another instance then hands it over, and the
copy that is left here must never get out.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from chassis.clock import Clock
from chassis.ids import new_id
from chassis.server import Job, repeat
from chassis.telemetry import logger
from psp_gateway.providers.bank.orders import Draft, OrderBook
from psp_gateway.providers.bank.provider import BankPayouts
from psp_gateway.providers.bank.transfers import Batch, CreditTransfer, Unfit

_ORDERS_MAX = 5_000  # in a file
_LOCK = ".lock"
_PART = ".part"
_SUFFIX = ".xml"


@dataclass(frozen=True, slots=True)
class _Copy:
    path: Path
    message_id: str
    copy: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """Files on their way to the bank.

    Attributes:
        folder: on a disk that outlives the process; of this instance alone.
    """

    bank: BankPayouts
    book: OrderBook
    folder: Path
    clock: Clock

    async def work(self) -> bool:
        """Collect what is due and hand it over; tell whether there may be more. While another
        process works in the folder, nothing is done.
        """
        with _alone(self.folder) as is_alone:
            if not is_alone:
                logger().warning("bank_outbox_taken")
                return False
            return await self._work()

    async def _work(self) -> bool:
        now = self.clock()
        count = await self.book.collect(lambda orders: self._draft(orders, now), _ORDERS_MAX, now)
        copy = new_id("copy", now)
        handed = await self.book.hand_over(partial(self._put, copy), copy, now)
        released = await self._release()
        if handed or released:
            logger().info("bank_file", message_id=handed, count=count, released=released)
        return bool(count or handed)

    def _draft(self, orders: Sequence[CreditTransfer], now: datetime) -> Draft | None:
        """Write as many of the orders into a file as fit; None when none does. All were fit when
        they were taken down: one that is not any more waits for a person, and keeps nobody back.
        """
        message_id = f"P-{new_id('p', now).removeprefix('p_')}".upper()
        fitting = list(orders)
        while fitting:
            batch = Batch(message_id, now, execution_date(now), fitting)
            try:
                file = self.bank.submit(batch)
            except Unfit as unfit:
                fitting = _without(fitting, unfit)
                continue
            ids = {one.attempt_id for one in orders} - {one.attempt_id for one in fitting}
            return Draft(message_id, file, frozenset(ids))
        return None

    def _put(self, copy: str, message_id: str, content: bytes) -> None:
        """Write a file under the name that no transport takes, on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{message_id}{_SUFFIX}.{copy}{_PART}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync(self.folder)

    async def _release(self) -> int:
        """Give the copies that were handed over their files' own names; remove those that were
        written for nothing.
        """
        waiting = await asyncio.to_thread(self._waiting)
        if not waiting:
            return 0
        handed = await self.book.handed_over(sorted({one.message_id for one in waiting}))
        released = 0
        for one in waiting:
            if handed.get(one.message_id) == one.copy:
                one.path.rename(self.folder / f"{one.message_id}{_SUFFIX}")
                released += 1
            elif one.message_id in handed:
                one.path.unlink()
        _sync(self.folder)
        return released

    def _waiting(self) -> list[_Copy]:
        paths = sorted(self.folder.glob(f"*{_SUFFIX}.*{_PART}"))
        return [_Copy(path, *path.name.removesuffix(_PART).split(f"{_SUFFIX}.")) for path in paths]


def _without(orders: Sequence[CreditTransfer], unfit: Unfit) -> list[CreditTransfer]:
    """Leave out the order that is at fault; where all together are too much, the later half."""
    if not unfit.attempt_id and len(orders) > 1:
        return list(orders[: len(orders) // 2])
    logger().error("bank_order_unfit", attempt_id=unfit.attempt_id, error=unfit)
    named = [one for one in orders if one.attempt_id != unfit.attempt_id]
    return named if unfit.attempt_id and len(named) < len(orders) else []


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Tell whether nobody else works in a folder, and keep others out until the end of the block;
    a process that dies lets go.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def bank_worker(outbox: Outbox, pause_s: float) -> Job:
    """Send files as orders come. Any number of instances may do so, each with its folder."""

    async def job(stopping: asyncio.Event) -> None:
        await repeat("bank_outbox", outbox.work, stopping, pause_s=pause_s)

    return job


def execution_date(now: datetime) -> date:
    """Choose when the bank is to begin: the next day by UTC; it moves that on to a working day."""
    return (now.astimezone(UTC) + timedelta(days=1)).date()


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
