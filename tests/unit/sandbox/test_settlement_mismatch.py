"""Mismatches: each kind changes exactly what it says, and the truth about it is told."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement.batch import Row
from devstack.sandbox.settlement.book import Book, Day, GivenAlready
from devstack.sandbox.settlement.mismatch import KINDS, Plan
from tests.unit.sandbox.settled import DAY_S, NOON, book_of, entry

DAY = date(2026, 1, 7)
LATER = NOON + 30 * DAY_S
ENTRIES = [entry(seq, "stripe", "charge", 1000 * seq) for seq in range(1, 41)]
ENTRIES += [
    entry(40 + seq, "stripe", "refund", 500, payment_reference=ENTRIES[seq].payment_reference)
    for seq in range(1, 11)
]


def planted(kind: str, count: int = 3, seed: int = 7, entries: list[Entry] = ENTRIES) -> Book:
    """Make a book with one plan."""
    book = book_of(entries)
    book.plant(Plan(1, seed, "stripe", DAY, kind, count))
    return book


def rows_of(day: Day) -> list[Row]:
    """Give all rows of a day."""
    return [row for batch in day.batches for row in batch.rows]


def differences(book: Book) -> tuple[list[Row], list[Row], Day]:
    """Tell which rows of the first day are gone and which are new, against a day without plans."""
    [clean] = book_of(ENTRIES).days("stripe", LATER)
    day = book.days("stripe", LATER)[0]
    before, after = Counter(map(repr, rows_of(clean))), Counter(map(repr, rows_of(day)))
    gone = [row for row in rows_of(clean) if repr(row) in before - after]
    new = [row for row in rows_of(day) if repr(row) in after - before]
    return gone, new, day


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_touches_as_many_rows_as_asked(kind: str) -> None:
    """Three rows of fifty are another, and those are the ones told."""
    gone, new, day = differences(planted(kind))
    told = [each.was for each in day.planted if each.was is not None]
    assert sorted(map(repr, told)) == sorted(map(repr, gone))
    assert len(day.planted) == 3
    here = {repr(each.now) for each in day.planted if each.now is not None}
    assert here == {repr(row) for row in new}


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("other_amount", {"gross"}),
        ("other_fee", {"fee"}),
        ("wrong_currency", {"currency"}),
        ("our_id_missing", {"has_our_ids"}),
    ],
)
def test_a_row_is_changed_in_one_thing(kind: str, changed: set[str]) -> None:
    """The row after it is the row before it but for what the kind names."""
    _, _, day = differences(planted(kind))

    assert day.planted
    for each in day.planted:
        assert each.was is not None
        assert each.now is not None
        names = ("id", "movement", "currency", "gross", "fee", "has_our_ids")
        other = {name for name in names if getattr(each.was, name) != getattr(each.now, name)}
        assert other == changed


def test_missing_and_late_rows_leave_the_file() -> None:
    """A missing row is nowhere, a late one is in the next day's file as it was."""
    for kind in ("missing_row", "late_row"):
        book = planted(kind)
        gone, new, _ = differences(book)
        assert (len(gone), new) == (3, [])
        days = book.days("stripe", LATER)
        late = rows_of(days[1]) if kind == "late_row" else []
        assert len(days) == 1 + bool(late)
        assert late == (gone if kind == "late_row" else [])
    assert days[1].day == date(2026, 1, 8)


def test_extra_rows_are_of_payments_that_never_were() -> None:
    """An extra row has ids that no line of the record has; a duplicate has all of another's."""
    _, extra, _ = differences(planted("extra_row"))
    known = {each.reference for each in ENTRIES} | {each.payment_reference for each in ENTRIES}
    assert len(extra) == 3
    for row in extra:
        assert not {row.movement.reference, row.movement.payment_reference} & known
        assert len(row.movement.reference) == len(ENTRIES[0].reference)
        assert row.movement.our_id.startswith("att_")
    gone, twice, day = differences(planted("duplicate_row"))
    assert not gone
    assert twice
    assert all(rows_of(day).count(row) == 2 for row in twice)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_whole_all_the_same(kind: str) -> None:
    """The payout follows from the rows: each batch makes zero."""
    batches = [batch for day in planted(kind).days("stripe", LATER) for batch in day.batches]

    assert batches
    for batch in batches:
        assert batch.closing == 0
        assert batch.payout == sum(row.net for row in batch.rows)


def test_the_seed_chooses() -> None:
    """The same seed chooses the same rows, another one others."""
    first, again, other = (
        planted("missing_row", seed=seed).days("stripe", LATER)[0] for seed in (7, 7, 8)
    )
    assert first == again
    assert [each.was for each in first.planted] != [each.was for each in other.planted]


def test_plans_share_no_row() -> None:
    """Plans of one day touch rows of their own; where there are no more, fewer are planted."""
    book = planted("missing_row", count=20)
    book.plant(Plan(2, 7, "stripe", DAY, "other_fee", 20))
    book.plant(Plan(3, 7, "stripe", DAY, "duplicate_row", 20))
    [day] = book.days("stripe", LATER)
    touched = [(each.was or each.now) for each in day.planted]
    assert Counter(each.plan.number for each in day.planted) == {1: 20, 2: 20, 3: 10}
    assert len({row.id for row in touched if row is not None}) == 50


def test_a_given_file_is_not_planted_in() -> None:
    """Once a day's file is out, neither it nor an earlier one takes a plan; a later one does."""
    book = book_of(ENTRIES)
    before = book.days("stripe", LATER)[0]
    book.give("stripe", DAY)
    for day in (DAY, date(2026, 1, 6)):
        with pytest.raises(GivenAlready):
            book.plant(Plan(1, 7, "stripe", day, "missing_row", 1))
    book.plant(Plan(1, 7, "stripe", date(2026, 1, 8), "missing_row", 1))
    assert book.days("stripe", LATER)[0] is before


def test_the_truth_is_in_major_units() -> None:
    """What is told of a mismatch has the amounts before and after, and whose row it is."""
    [day] = planted("other_amount", 1, entries=ENTRIES[:1]).days("stripe", LATER)
    told = day.planted[0].to_json()
    assert told["was"] == {"gross": "10.00", "fee": "0.59", "currency": "USD", "has_our_id": True}
    assert told["is"] != told["was"]
    assert (told["reference"], told["our_id"]) == (
        *(ENTRIES[0].reference, ENTRIES[0].metadata["attempt_id"]),
    )


def test_no_mismatch_fits_a_row_without_our_id() -> None:
    """What has no id of ours cannot lose it."""
    nameless = [replace(ENTRIES[0], metadata={})]
    [day] = planted("our_id_missing", 1, entries=nameless).days("stripe", LATER)
    assert not day.planted
