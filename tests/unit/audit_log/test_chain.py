"""Whatever is done to a sealed log has a name."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_log.chain import Chain, Kind, Offence, Seal, make_seal
from audit_log.record import ActorKind, Line, Origin, Record, record

_BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)
_BY = Origin(ActorKind.OPERATOR, "ann", is_verified=True, action="a.B/C", request_id="r")

Part = tuple[Seal, list[Line]]


def _line(sequence: int, xid: int, reason: str = "why") -> Line:
    said = record(_BY, "saga", f"sga_{sequence}", reason=reason, after={"n": sequence})
    return Line(sequence, xid, _BEGIN + timedelta(seconds=sequence), said, said.hash)


def _sealed(sizes: Sequence[int]) -> list[Part]:
    """Seal lines, each in a transaction of its own, in batches of these sizes."""
    parts: list[Part] = []
    last, sequence = None, 1
    for size in sizes:
        lines = [_line(n, 2 * n) for n in range(sequence, sequence + size)]
        sequence += size
        last = make_seal(last, lines, lines[-1].xid + 1, _BEGIN)
        parts.append((last, lines))
    return parts


def _checked(parts: Iterable[Part], known: dict[int, bytes] | None = None) -> list[Offence]:
    chain = Chain(known)
    found = [one for seal, lines in parts for one in chain.check(seal, lines)]
    return [*found, *chain.end()]


def _named(found: Iterable[Offence]) -> set[tuple[Kind, str]]:
    return {(one.kind, one.subject) for one in found}


def _forged(line: Line, *, rehashed: bool) -> Line:
    said = replace(line.record, reason="another")
    return replace(line, record=said, hash=said.hash if rehashed else line.hash)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Part], int, int]:
    """Draw a log, and a place in it: of a seal, and of a line below it."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    seal = draw(st.integers(0, len(sizes) - 1))
    return _sealed(sizes), seal, draw(st.integers(0, sizes[seal] - 1))


@given(logs())
def test_an_untouched_log_is_sound(log: tuple[list[Part], int, int]) -> None:
    """Nothing is told of what nobody touched, with all its seals known elsewhere."""
    parts, _, _ = log

    assert _checked(parts, {seal.number: seal.hash for seal, _ in parts}) == []


@given(logs(), st.booleans())
@settings(max_examples=200)
def test_a_changed_line_is_named(log: tuple[list[Part], int, int], rehashed: bool) -> None:
    """Whether its own hash was made to fit or not, it alone is named."""
    parts, at, place = log
    lines = parts[at][1]
    lines[place] = _forged(lines[place], rehashed=rehashed)

    assert _named(_checked(parts)) == {(Kind.LINE_CHANGED, f"line {lines[place].sequence}")}


@given(logs(), st.sampled_from(["sequence", "xid", "at"]))
@settings(max_examples=200)
def test_a_moved_line_is_named(log: tuple[list[Part], int, int], what: str) -> None:
    """Its place and its time are sealed as well as what it says."""
    parts, at, place = log
    lines = parts[at][1]
    line = lines[place]
    moved = {"sequence": 10_000, "xid": line.xid + 1, "at": line.at + timedelta(microseconds=1)}
    lines[place] = replace(line, **{what: moved[what]})

    found = _named(_checked(parts))

    if what == "sequence":
        missing = (Kind.LINE_MISSING, f"line {line.sequence}")
        assert found == {missing, (Kind.LINE_INSERTED, "line 10000")}
    else:
        assert found == {(Kind.LINE_CHANGED, f"line {line.sequence}")}


@given(logs())
@settings(max_examples=200)
def test_a_deleted_line_is_named(log: tuple[list[Part], int, int]) -> None:
    """Its seal names it."""
    parts, at, place = log
    gone = parts[at][1].pop(place)

    assert _named(_checked(parts)) == {(Kind.LINE_MISSING, f"line {gone.sequence}")}


@given(logs())
@settings(max_examples=200)
def test_an_inserted_line_is_named(log: tuple[list[Part], int, int]) -> None:
    """No seal names it."""
    parts, at, place = log
    parts[at][1].insert(place, _line(9_999, parts[at][1][place].xid))

    assert _named(_checked(parts)) == {(Kind.LINE_INSERTED, "line 9999")}


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4), st.data())
@settings(max_examples=200)
def test_swapped_lines_are_both_named(sizes: list[int], data: st.DataObject) -> None:
    """What two lines say cannot be exchanged, with their hashes neither."""
    parts = _sealed(sizes)
    lines = parts[data.draw(st.integers(0, len(sizes) - 1))][1]
    one, other = data.draw(
        st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)
    )
    first, second = lines[one], lines[other]
    lines[one] = replace(first, record=second.record, hash=second.hash)
    lines[other] = replace(second, record=first.record, hash=first.hash)

    wanted = {(Kind.LINE_CHANGED, f"line {line.sequence}") for line in (first, second)}
    assert _named(_checked(parts)) == wanted


@given(logs(), st.sampled_from(["at", "horizon", "sequences", "digests", "previous", "hash"]))
@settings(max_examples=200)
def test_a_changed_seal_is_named(log: tuple[list[Part], int, int], what: str) -> None:
    """Whatever of it was changed."""
    parts, at, _ = log
    seal, lines = parts[at]
    values = {
        "at": seal.at + timedelta(seconds=1),
        "horizon": seal.horizon + 1,
        "sequences": (*seal.sequences[:-1], 7_777),
        "digests": (*seal.digests[:-1], bytes(32)),
        "previous": b"\x01" * 32,
        "hash": b"\x02" * 32,
    }
    parts[at] = (replace(seal, **{what: values[what]}), lines)

    assert (Kind.SEAL_CHANGED, f"seal {seal.number}") in _named(_checked(parts))


@given(logs())
@settings(max_examples=200)
def test_a_seal_made_anew_does_not_fit(log: tuple[list[Part], int, int]) -> None:
    """A line that is changed with its hash and its seal breaks the chain at the next seal, or, at
    the last one, what is known elsewhere.
    """
    parts, at, place = log
    known = {seal.number: seal.hash for seal, _ in parts[-1:]}
    seal, lines = parts[at]
    lines[place] = _forged(lines[place], rehashed=True)
    before = parts[at - 1][0] if at else None
    parts[at] = (make_seal(before, lines, seal.horizon, seal.at), lines)

    (told,) = _named(_checked(parts, known))

    is_last = at == len(parts) - 1
    wanted = Kind.SEAL_UNLIKE_KNOWN if is_last else Kind.SEAL_CHANGED
    assert told == (wanted, f"seal {seal.number if is_last else seal.number + 1}")


@given(logs())
@settings(max_examples=200)
def test_a_missing_seal_is_named(log: tuple[list[Part], int, int]) -> None:
    """By the gap; at the end, by whoever knows it."""
    parts, at, _ = log
    known = {seal.number: seal.hash for seal, _ in parts}
    gone = parts.pop(at)[0]

    assert (Kind.SEAL_MISSING, f"seal {gone.number}") in _named(_checked(parts, known))


def test_a_line_behind_the_seals_is_named() -> None:
    """What was slipped in below the last horizon later is no new line."""
    chain, parts = Chain(), _sealed([3])
    assert list(chain.check(*parts[0])) == []

    assert _named(chain.check_open(_line(50, 1))) == {(Kind.LINE_INSERTED, "line 50")}
    assert list(chain.check_open(_line(51, 100))) == []


_TEXTS = st.text(max_size=20)
_STATES = st.dictionaries(_TEXTS, st.text(max_size=10) | st.integers() | st.booleans(), max_size=4)


@given(_TEXTS, _TEXTS, _TEXTS, _STATES, _STATES)
def test_what_differs_is_hashed_differently(
    kind: str, id_: str, reason: str, before: dict[str, object], after: dict[str, object]
) -> None:
    """Two records have one hash only if they say the same; fields do not run into each other."""
    one = record(_BY, kind, id_, reason=reason, before=before, after=after)
    others = [
        Record(_BY, id_, kind, one.reason, one.before, one.after),
        Record(_BY, kind, id_, one.reason, one.after, one.before),
        Record(_BY, kind + "x", id_, one.reason, one.before, one.after),
        Record(replace(_BY, is_verified=False), kind, id_, one.reason, one.before, one.after),
    ]

    for other in others:
        assert (one.hash == other.hash) == (one == other)


def test_only_what_changed_is_kept() -> None:
    """As texts that PostgreSQL can hold; what is None is left out."""
    made = record(
        _BY,
        "wallet",
        "w",
        reason="a\x00b",
        before={"status": "OPEN", "same": 1},
        after={"status": "FROZEN", "same": "1", "none": None, "is_late": True, "at": _BEGIN},
    )

    assert made.before == {"status": "OPEN"}
    assert made.after == {"status": "FROZEN", "is_late": "true", "at": "2026-11-29T12:00:00+00:00"}
    assert made.reason == "a\ufffdb"


def test_a_long_seal_is_checked_in_pieces() -> None:
    """Of fifty lines each, so that whoever checks can let others have their turn."""
    (seal, lines), chain = _sealed([175])[0], Chain()
    counts = []
    for found in chain.steps(seal, lines):
        assert found == []
        counts.append(chain.line_count)

    assert counts == [0, 50, 100, 150, 175, 175]
