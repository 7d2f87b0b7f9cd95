"""The loops of the ledger: what had its time expires, what was written is sealed, and the tables of
the months to come are made.
"""

import asyncio

from prometheus_client import Gauge

from chassis.database import Database
from chassis.server import Job, repeat
from chassis.telemetry import REGISTRY, logger
from ledger_svc import statements
from ledger_svc.store import LedgerStore
from ledger_svc.verification_reader import VerificationReader

_EXPIRE_AT_ONCE = 500
_DAY_S = 86_400.0

MONTHS_AHEAD = Gauge(
    "paymesh_ledger_months_ahead",
    "Months to come that the books have tables for.",
    registry=REGISTRY,
)


def expiry(store: LedgerStore, every_s: float) -> Job:
    """Expire pending transactions that had their time. Any number of instances may do so."""

    async def work() -> bool:
        return await store.expire(limit=_EXPIRE_AT_ONCE) == _EXPIRE_AT_ONCE

    async def job(stopping: asyncio.Event) -> None:
        await repeat("expiry", work, stopping, pause_s=every_s)

    return job


def sealer(books: VerificationReader, every_s: float) -> Job:
    """Seal the heads of the streams, and tell each seal's hash in the log: logs are kept elsewhere,
    out of reach of who owns the database.
    """

    async def work() -> bool:
        seal = await books.seal()
        if seal is not None:
            logger().info("sealed", number=seal.number, hash=seal.hash.hex())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("seals", work, stopping, pause_s=every_s)

    return job


def months(database: Database, ahead: int) -> Job:
    """Have the tables of the next months made, once a day; `ahead` 0: not at all.

    Without a table for its month a transaction cannot be written: a year ahead is a year to notice.
    """

    async def work() -> bool:
        try:
            made = await database.read(statements.PREPARE_MONTHS, [ahead])
        finally:
            (there,) = await database.read(statements.COUNT_MONTHS_AHEAD)
            MONTHS_AHEAD.set(there["ahead"])
        if made[0]["made"]:
            logger().info("months_made", count=made[0]["made"])
        return False

    async def job(stopping: asyncio.Event) -> None:
        if ahead:
            await repeat("months", work, stopping, pause_s=_DAY_S)
        else:
            await stopping.wait()

    return job
