"""One look at large books in a process of its own, whose memory is then that look's alone:
`python -m benchmarks.scale_steps verify` prints what it took as JSON.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import uvloop
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from audit_log.reader import AuditLogReader
from audit_log.reader import Verdict as LogVerdict
from audit_log.sealer import seal_next
from chassis.channel import open_channel
from chassis.clock import utc_now
from chassis.database import Database
from chassis.telemetry import configure_logging
from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.unlogged import UNLOGGED
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.verification_reader import VerificationReader
from wallet_svc.ledger_books import LedgerBooks
from wallet_svc.reader import WalletReader
from wallet_svc.use_cases.compare_with_ledger import Comparison, compare_with_ledger

_LOOK_EVERY_S = 0.001


@dataclass(slots=True)
class Taken:
    """What a look took.

    Attributes:
        count: what was gone through: transactions, wallets or lines.
        own_mb: memory beyond what the process had before, at its highest.
        still_ms: the longest time for which nobody else had a turn.
        offences: what was found to be wrong: nothing.
    """

    count: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    own_mb: float = 0.0
    still_ms: float = 0.0
    offences: int = 0


async def _verify(books: VerificationReader, taken: Taken, *, since: bool = False) -> None:
    async for told in verify_ledger(books, since_last_checkpoint=since):
        if isinstance(told, Summary):
            taken.count, taken.offences = told.transaction_count, told.offence_count


async def _close(books: VerificationReader, taken: Taken, month: str, now: datetime) -> None:
    before = [one async for one in _checkpoints(books)]
    async for told in close_month(books, month, lambda: now):
        if isinstance(told, Checkpoint):
            earlier = before[-1].transaction_count if before else 0
            taken.count = told.transaction_count - earlier


async def _checkpoints(books: VerificationReader) -> AsyncIterator[Checkpoint]:
    for one in await books.checkpoints(after=0, limit=100):
        yield one


async def _audit_log(database: Database, taken: Taken) -> None:
    reader = AuditLogReader(database, UNLOGGED)
    async for told in reader.verify({}):
        if isinstance(told, LogVerdict):
            taken.count, taken.offences = told.line_count, told.offence_count


async def _seal_log(database: Database, taken: Taken) -> None:
    while (seal := await seal_next(database)) is not None:
        taken.count += len(seal.sequences)


async def _compare(database: Database, taken: Taken) -> None:
    names = ledger.DESCRIPTOR.services_by_name["LedgerService"]
    channel = open_channel(os.environ["LEDGER_TARGET"], names)
    books = LedgerBooks(LedgerServiceStub(channel))
    async for told in compare_with_ledger(WalletReader(database), books, utc_now):
        if isinstance(told, Comparison):
            taken.count, taken.offences = told.wallet_count, told.difference_count
    await channel.close()


def _steps(database: Database) -> dict[str, Callable[[Taken], Awaitable[None]]]:
    books = VerificationReader(database)
    month, now = os.environ.get("SCALE_MONTH", ""), os.environ.get("SCALE_NOW", "")
    return {
        "verify": lambda taken: _verify(books, taken),
        "verify_since": lambda taken: _verify(books, taken, since=True),
        "close": lambda taken: _close(books, taken, month, datetime.fromisoformat(now)),
        "seal_log": lambda taken: _seal_log(database, taken),
        "audit_log": lambda taken: _audit_log(database, taken),
        "compare": lambda taken: _compare(database, taken),
    }


async def _run(step: str) -> Taken:
    database = Database(os.environ["SCALE_DATABASE_URL"], connections=4, timeout_s=60.0)
    await database.open()
    taken, stillness = Taken(), asyncio.create_task(_stillness())
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)  # as the chassis has it
    before = psutil.Process().memory_info().rss / 2**20
    cpu_s, began = time.process_time(), time.perf_counter()
    await _steps(database)[step](taken)
    taken.seconds, taken.cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    taken.own_mb = _highest_mb() - before
    stillness.cancel()
    await asyncio.gather(stillness, return_exceptions=True)
    taken.still_ms = _longest_s[0] * 1000
    await database.close()
    return taken


_longest_s = [0.0]


async def _stillness() -> None:
    """Look every millisecond by how much too late it is."""
    while True:
        due = time.perf_counter() + _LOOK_EVERY_S
        await asyncio.sleep(_LOOK_EVERY_S)
        _longest_s[0] = max(_longest_s[0], time.perf_counter() - due)


def _highest_mb() -> float:
    """Read it where it begins anew with a program; what `getrusage` tells is the parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main(step: str) -> None:
    """Take one step and print what it took."""
    configure_logging("benchmark", "warning")
    told: Any = asdict(uvloop.run(_run(step)))
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
