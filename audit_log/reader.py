"""Reads the log: by who, what and when, or all of it in its order, to be proved."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from audit_log.chain import Chain, Offence, Seal
from audit_log.record import Line
from audit_log.rows import LINE_COLUMNS, SEAL_COLUMNS, to_line, to_seal
from audit_log.unlogged import find_unlogged
from chassis.database import Database
from paging.slices import rest, slices

_SEALS_AT_ONCE = 2
_OPEN_AT_ONCE = 200
_AT_ONCE = 50

_FITS = """
    (%(before)s::bigint IS NULL OR sequence < %(before)s)
    AND (%(action)s = '' OR %(action)s IN (action, split_part(action, '/', 2)))
    AND (%(object_kind)s = '' OR object_kind = %(object_kind)s)
    AND (%(actor_id)s = '' OR actor_id = %(actor_id)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
"""
_END = "ORDER BY sequence DESC LIMIT %(limit)s"
_LIST = f"SELECT {LINE_COLUMNS} FROM audit_log WHERE {_FITS} {_END}"
_LIST_OBJECT = (
    f"SELECT {LINE_COLUMNS} FROM audit_log WHERE object_id = %(object_id)s AND {_FITS} {_END}"
)
_SEALS = f"SELECT {SEAL_COLUMNS} FROM audit_seals WHERE number > %s ORDER BY number LIMIT %s"
_NEWEST = f"SELECT {SEAL_COLUMNS} FROM audit_seals WHERE number < %s ORDER BY number DESC LIMIT %s"
_LINES = f"""
SELECT {LINE_COLUMNS} FROM audit_log WHERE xid >= %s AND xid < %s ORDER BY xid, sequence
"""
_OPEN = f"""
SELECT {LINE_COLUMNS} FROM audit_log WHERE (xid, sequence) > (%s, %s)
ORDER BY xid, sequence LIMIT %s
"""
_COUNT = "SELECT count(*) AS total FROM audit_log"
_NUMBER_MAX = 2**62


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines are meant; what is empty does not restrict.

    Attributes:
        action: an RPC's full name, or the part after the slash.
    """

    actor_id: str = ""
    object_kind: str = ""
    object_id: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, line: Line) -> bool:
        """Tell whether a line is meant."""
        said, action = line.record, line.record.origin.action
        return (
            self.actor_id in ("", said.origin.actor_id)
            and self.object_kind in ("", said.object_kind)
            and self.object_id in ("", said.object_id)
            and self.action in ("", action, action.rpartition("/")[2])
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How many lines have been looked at, of how many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found.

    Attributes:
        open_count: lines that no seal covers yet; `open_since` is the oldest one's time.
        last_number, last_hash: of the last seal, to be kept elsewhere; empty without any.
    """

    line_count: int
    seal_count: int
    open_count: int
    open_since: datetime | None
    offence_count: int
    last_number: int
    last_hash: bytes


class AuditLogReader:
    """The log, for reading.

    Args:
        unlogged: the query for changes without a line, see `audit_log.unlogged`; empty: none.
        timeout_s: for one statement of a verification.
    """

    def __init__(
        self, database: Database, unlogged: LiteralString = "", timeout_s: float = 60.0
    ) -> None:
        self._database = database
        self._unlogged = unlogged
        self._timeout_s = timeout_s

    async def list_lines(
        self, chosen: LineFilter, limit: int, before: int | None = None
    ) -> Sequence[Line]:
        """List lines, the newest first, before a sequence.

        Raises:
            Unavailable: the database did not answer.
        """
        parameters = {
            "actor_id": chosen.actor_id,
            "object_kind": chosen.object_kind,
            "action": chosen.action,
            "since": chosen.since,
            "until": chosen.until,
            "before": before,
            "limit": limit,
        }
        if chosen.object_id:
            parameters["object_id"] = chosen.object_id
        query = _LIST_OBJECT if chosen.object_id else _LIST
        return [to_line(row) for row in await self._database.read(query, parameters)]

    async def newest_seals(self, limit: int, before: int = 0) -> Sequence[Seal]:
        """List seals, the newest first, before a number; 0: from the newest."""
        found = await self._database.read(_NEWEST, [before or _NUMBER_MAX, limit])
        return [to_seal(row) for row in found]

    async def seals(self) -> AsyncIterator[tuple[Seal, Sequence[Line]]]:
        """Walk the seals from the first on, each with the lines up to its horizon."""
        number = horizon = 0
        while page := await self._database.read(_SEALS, [number, _SEALS_AT_ONCE]):
            for seal in map(to_seal, page):
                yield seal, await self._lines(horizon, seal.horizon)
                number, horizon = seal.number, max(horizon, seal.horizon)

    async def open_lines(self, horizon: int) -> AsyncIterator[Sequence[Line]]:
        """Walk the lines that no seal covers, in pages."""
        at = (horizon - 1, _NUMBER_MAX)
        while page := await self._database.read(_OPEN, [*at, _OPEN_AT_ONCE]):
            lines = [to_line(row) for row in page]
            yield lines
            await rest()
            at = (lines[-1].xid, lines[-1].sequence)

    async def verify(
        self, known: dict[int, bytes], changed_since: datetime | None = None
    ) -> AsyncIterator[Progress | Offence | Verdict]:
        """Prove the log from its first line on, while it is written to, and that it tells of what
        was changed; the verdict comes last.

        Args:
            known: hashes of seals that were kept elsewhere, by their number.
            changed_since: from when on changes without a line are looked for; None: always.
        """
        (counted,) = await self._database.read(_COUNT)
        chain, offences, seals = Chain(known), 0, 0
        yield Progress(0, counted["total"])
        async for seal, lines in self.seals():
            seals += 1
            for found in chain.steps(seal, lines):
                await rest()
                for offence in found:
                    offences += 1
                    yield offence
            yield _progress(chain, counted["total"])
        for offence in chain.end():
            offences += 1
            yield offence
        sealed, since = chain.line_count, None
        async for lines in self.open_lines(chain.horizon):
            since = since or min(line.at for line in lines)
            for offence in (told for line in lines for told in chain.check_open(line)):
                offences += 1
                yield offence
            yield _progress(chain, counted["total"])
        for offence in await find_unlogged(
            self._database, self._unlogged, changed_since, self._timeout_s
        ):
            offences += 1
            yield offence
        open_count, last = chain.line_count - sealed, chain.hash if seals else b""
        yield Verdict(chain.line_count, seals, open_count, since, offences, chain.number, last)

    async def _lines(self, begin: int, horizon: int) -> Sequence[Line]:
        found = await self._database.run(
            lambda tx: tx.all(_LINES, [begin, horizon]), timeout_s=self._timeout_s, alone=True
        )
        return [to_line(row) async for piece in slices(found, _AT_ONCE) for row in piece]


def _progress(chain: Chain, total: int) -> Progress:
    return Progress(min(chain.line_count, total), total)
