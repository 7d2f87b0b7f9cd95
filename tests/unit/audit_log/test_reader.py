"""Who reads a long log leaves turns to others."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from audit_log.chain import Seal, make_seal
from audit_log.reader import AuditLogReader, Verdict
from audit_log.record import ActorKind, Line, Origin, record
from paging.slices import TURNS
from tests.unit.paging.turns import Turns

_AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
_BY = Origin(ActorKind.OPERATOR, "ann", is_verified=True, action="a.B/C", request_id="r")
_SLICE, _PAGE = 50, 200  # lines


class Kept:
    """A database with a log in memory: it never waits, so that nobody else would have a turn.

    Args:
        sealed: so many lines that one seal covers.
        unsealed: so many after them.
    """

    def __init__(self, *, sealed: int, unsealed: int) -> None:
        self._lines = [_line(number) for number in range(1, sealed + unsealed + 1)]
        self._sealed = sealed
        self._seal = make_seal(None, self._lines[:sealed], sealed + 1, _AT)

    async def read(self, query: str, parameters: Sequence[Any] = ()) -> Sequence[Mapping[str, Any]]:
        """Answer what a verification asks."""
        if "count(*)" in query:
            return [{"total": len(self._lines)}]
        if "audit_seals" in query:
            return [_seal_row(self._seal)] if parameters[0] < 1 else []
        _, last, limit = parameters
        after = self._sealed if last > len(self._lines) else last
        return [_line_row(one) for one in self._lines[after : after + limit]]

    async def run(self, work: Any, **_: Any) -> Sequence[Mapping[str, Any]]:
        """Answer the lines below the seal."""
        return [_line_row(one) for one in self._lines[: self._sealed]]


def _line(number: int) -> Line:
    said = record(_BY, "saga", f"sga_{number}", reason="why", after={"n": number})
    return Line(number, number, _AT, said, said.hash)


def _line_row(line: Line) -> Mapping[str, Any]:
    said = line.record
    origin = said.origin
    return {
        "sequence": line.sequence, "xid": line.xid, "at": line.at, "hash": line.hash,
        "actor_kind": origin.actor_kind.value, "actor_id": origin.actor_id,
        "is_verified": origin.is_verified, "action": origin.action,
        "request_id": origin.request_id, "object_kind": said.object_kind,
        "object_id": said.object_id, "reason": said.reason,
        "before": said.before, "after": said.after,
    }  # fmt: skip


def _seal_row(seal: Seal) -> Mapping[str, Any]:
    names = ("number", "at", "horizon", "sequences", "digests", "previous", "hash")
    return {name: getattr(seal, name) for name in names}


async def test_others_have_their_turns_while_a_log_is_verified() -> None:
    """Several after every fifty lines that are read, or checked, and after each page without a
    seal.
    """
    sealed, unsealed = 20 * _SLICE, 3 * _PAGE
    kept: Any = Kept(sealed=sealed, unsealed=unsealed)
    async with Turns() as turns:
        told = [one async for one in AuditLogReader(kept).verify({})]

    verdict = told[-1]
    assert isinstance(verdict, Verdict)
    assert (verdict.line_count, verdict.open_count) == (sealed + unsealed, unsealed)
    assert verdict.offence_count == 0
    assert turns.count >= TURNS * (2 * sealed // _SLICE + unsealed // _PAGE)
