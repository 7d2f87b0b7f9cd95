"""The loops of the ledger: what had its time expires, and what was written is sealed."""

import asyncio

from chassis.server import Job, repeat
from chassis.telemetry import logger
from ledger_svc.store import LedgerStore
from ledger_svc.verification_reader import VerificationReader

_EXPIRE_AT_ONCE = 500


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
