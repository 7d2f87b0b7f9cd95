"""Seals the log, a batch of lines at a time. Any number of instances may do so.

A seal reaches up to the oldest transaction that is still under way, so that none which commits
later can lie behind it. Two that seal at once: the second's number is taken, and it looks again.
"""

import asyncio

from audit_log.chain import Seal, make_seal
from audit_log.rows import LINE_COLUMNS, SEAL_COLUMNS, to_line, to_seal
from chassis.database import Database, Transaction
from chassis.errors import FailedPrecondition
from chassis.server import Job, repeat
from chassis.telemetry import logger

LINES_MAX = 2_000
EVERY_S = 2.0

_LAST = f"SELECT {SEAL_COLUMNS} FROM audit_seals ORDER BY number DESC LIMIT 1"
# All that is below it has ended: what of it was committed, any later statement sees.
_HORIZON = """
SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint AS horizon, now() AS at
"""
_BEYOND = """
SELECT xid FROM audit_log WHERE xid >= %s AND xid < %s ORDER BY xid, sequence OFFSET %s LIMIT 1
"""
_LINES = f"""
SELECT {LINE_COLUMNS} FROM audit_log WHERE xid >= %s AND xid < %s ORDER BY xid, sequence
"""
_KEEP = f"INSERT INTO audit_seals ({SEAL_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"


class HorizonBehind(FailedPrecondition):
    """The database counts transactions anew, as after a restore from a dump: see the guide."""

    reason = "AUDIT_HORIZON_BEHIND"

    def __init__(self, horizon: int, sealed: int) -> None:
        super().__init__(f"Transaction {horizon} lies before the last seal's horizon, {sealed}.")


async def seal_next(database: Database, lines_max: int = LINES_MAX) -> Seal | None:
    """Seal what has been committed since the last seal; None where there is nothing.

    Raises:
        HorizonBehind: nothing can be sealed any more.
        Unavailable: the database did not answer; asking again is safe.
    """

    async def work(tx: Transaction) -> Seal | None:
        found = await tx.all(_LAST)
        last = to_seal(found[0]) if found else None
        (now,) = await tx.all(_HORIZON)
        begin, horizon = last.horizon if last else 0, now["horizon"]
        if horizon < begin:
            raise HorizonBehind(horizon, begin)
        for row in await tx.all(_BEYOND, [begin, horizon, lines_max]):
            # A transaction is never cut in two.
            first = await tx.all(_BEYOND, [begin, horizon, 0])
            horizon = max(row["xid"], first[0]["xid"] + 1)
        lines = [to_line(row) for row in await tx.all(_LINES, [begin, horizon])]
        if not lines:
            return None
        seal = make_seal(last, lines, horizon, now["at"])
        await tx.execute(_KEEP, _row(seal))
        return seal

    return await database.run(work)


def sealing(database: Database, every_s: float = EVERY_S) -> Job:
    """Seal again and again, and tell each seal's hash in the log: logs are kept elsewhere, out of
    reach of who owns the database.
    """

    async def work() -> bool:
        seal = await seal_next(database)
        if seal is not None:
            logger().info("audit_log_sealed", number=seal.number, hash=seal.hash.hex())
        return seal is not None and len(seal.sequences) >= LINES_MAX

    async def job(stopping: asyncio.Event) -> None:
        await repeat("audit_seals", work, stopping, pause_s=every_s)

    return job


def _row(seal: Seal) -> tuple[object, ...]:
    sequences, digests = list(seal.sequences), list(seal.digests)
    return seal.number, seal.at, seal.horizon, sequences, digests, seal.previous, seal.hash
