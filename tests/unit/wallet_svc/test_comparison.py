"""Comparing a wallet with its account: what differs, and which object is at fault."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wallet_svc.builders import NOW, wallet
from tests.unit.wallet_svc.subject_sums import OLD, YOUNG, sums
from wallet_svc.domain.comparison import (
    SUBJECTS_MAX,
    Balance,
    History,
    SubjectSum,
    Verdict,
    WalletDifference,
    differs,
    explain,
    unexplained,
)
from wallet_svc.domain.wallet import Wallet


def explained(
    wallet: Wallet,
    balance: str | None,
    operations: Mapping[str, SubjectSum],
    entries: Mapping[str, SubjectSum],
    *,
    since: datetime | None = None,
    openings: tuple[str, str] = ("0", "0"),
) -> WalletDifference:
    """Explain a wallet that differs."""
    there = None if balance is None else Balance(Decimal(balance), "USD")
    mine, theirs = (
        History(since, Decimal(opening), side)
        for opening, side in zip(openings, (operations, entries), strict=True)
    )
    return explain(unexplained(wallet.wallet_id, wallet, there), mine, theirs, NOW)


def test_a_wallet_is_all_that_it_holds() -> None:
    """Pending, available below zero, and held together are the account's balance."""
    held = wallet(pending="5.00", available="-2.00", held="1.00")

    assert not differs(held, Balance(Decimal("4.0000"), "USD"))
    assert differs(held, Balance(Decimal("4.01"), "USD"))
    assert differs(held, Balance(Decimal("4.00"), "EUR"))
    assert differs(held, None)
    assert not differs(wallet(), None)


def test_objects_at_fault_are_named() -> None:
    """Those whose sums agree are not; an object that one side knows alone is."""
    found = explained(
        wallet(pending="9.00"),
        "7.00",
        sums(("pay_1", "5.00"), ("pay_2", "3.00"), ("pay_3", "1.00")),
        sums(("pay_1", "5.00"), ("pay_2", "2.00"), ("pay_4", "0.50")),
    )

    told = [(s.subject_id, s.wallet_sum - s.ledger_sum) for s in found.subjects]
    assert told == [("pay_2", Decimal(1)), ("pay_3", Decimal(1)), ("pay_4", Decimal("-0.50"))]
    assert (found.difference, found.verdict) == (Decimal(2), Verdict.DIFFERENCE)


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        (YOUNG, None, Verdict.IN_FLIGHT),
        (OLD, YOUNG, Verdict.IN_FLIGHT),
        (OLD, OLD, Verdict.DIFFERENCE),
        (OLD, None, Verdict.DIFFERENCE),
    ],
)
def test_the_newest_activity_tells_what_is_in_flight(
    mine: datetime, theirs: datetime | None, verdict: Verdict
) -> None:
    """Of either side, for a minute."""
    entries = sums(("pay_1", "4.00"), at=theirs) if theirs else {}

    found = explained(wallet(pending="5.00"), None, sums(("pay_1", "5.00"), at=mine), entries)

    assert [s.verdict for s in found.subjects] == [verdict]
    assert found.verdict is verdict


def test_one_object_for_good_makes_the_wallet_differ() -> None:
    """Whatever else is under way."""
    operations = sums(("old", "1.00")) | sums(("young", "1.00"), at=YOUNG)

    found = explained(wallet(pending="2.00"), None, operations, {})

    assert found.verdict is Verdict.DIFFERENCE
    assert [s.verdict for s in found.subjects] == [Verdict.DIFFERENCE, Verdict.IN_FLIGHT]


@pytest.mark.parametrize(("at", "verdict"), [(YOUNG, Verdict.IN_FLIGHT), (OLD, Verdict.DIFFERENCE)])
def test_a_difference_that_no_object_explains(at: datetime, verdict: Verdict) -> None:
    """It may lie between two reads while the wallet moves; else the wallet's row is wrong."""
    same = sums(("pay_1", "5.00"), at=at)

    found = explained(wallet(pending="6.00"), "5.00", same, same)

    assert (found.subjects, found.verdict) == ([], verdict)


def test_no_more_than_a_thousand_objects_are_told() -> None:
    """A wallet that was never booked has as many as it had payments."""
    many = sums(*((f"pay_{n}", "1.00") for n in range(SUBJECTS_MAX + 5)))

    assert len(explained(wallet(pending="1.00"), None, many, {}).subjects) == SUBJECTS_MAX


LONG_AGO = NOW - timedelta(hours=1)


def test_what_differed_before_is_told_and_stands() -> None:
    """However young the objects are that differ since."""
    young = sums(("pay_1", "1.00"), at=YOUNG)
    openings = ("8.00", "5.00")

    found = explained(wallet(pending="9.00"), "5.00", young, {}, since=LONG_AGO, openings=openings)

    assert [s.verdict for s in found.subjects] == [Verdict.IN_FLIGHT]
    assert (found.since, found.verdict) == (LONG_AGO, Verdict.DIFFERENCE)
    assert found.earlier == 3


@pytest.mark.parametrize(
    ("booked_before", "applied_before"), [("6.00", "5.00"), ("5.00", "6.00"), ("6.00", "6.00")]
)
def test_what_a_history_cuts_in_two_is_no_difference(
    booked_before: str, applied_before: str
) -> None:
    """A payment booked just before a history begins, and applied just after, or the other way."""
    just_after = LONG_AGO + timedelta(seconds=1)
    halves = [
        {} if before == "6.00" else sums(("cut", "1.00"), at=just_after)
        for before in (applied_before, booked_before)
    ]
    lost = sums(("lost", "2.00"))

    found = explained(
        wallet(pending="8.00"),
        "6.00",
        halves[0] | lost,
        halves[1],
        since=LONG_AGO,
        openings=(applied_before, booked_before),
    )

    assert [s.subject_id for s in found.subjects] == ["lost"]
    assert found.earlier == 0


def test_what_begins_with_a_history_and_is_no_half_is_told() -> None:
    """What one side had before does not make up for it; but an older history may."""
    at_once = sums(("pay_1", "1.00"), at=LONG_AGO)

    found = explained(
        wallet(pending="6.00"), "5.00", at_once, {}, since=LONG_AGO, openings=("5.00", "5.00")
    )

    assert ([s.subject_id for s in found.subjects], found.is_whole) == (["pay_1"], False)


@given(data=st.data())
def test_no_cut_hides_or_adds_anything(data: st.DataObject) -> None:
    """Wherever histories begin, what they tell adds up to what the wallet differs by."""
    amounts = st.integers(-3, 3).map(Decimal)
    times = st.integers(0, 100).map(lambda minutes: NOW - timedelta(minutes=minutes))
    done = st.lists(st.tuples(st.sampled_from("abcd"), amounts, times), max_size=8)
    since = data.draw(times)
    mine, theirs = (history(data.draw(done), since) for _ in range(2))
    totals = [h.opening + sum(s.total for s in h.sums.values()) for h in (mine, theirs)]
    told = unexplained("w", wallet("w", pending=f"{totals[0]}"), Balance(totals[1], "USD"))

    found = explain(told, mine, theirs, NOW)

    objects = sum(s.wallet_sum - s.ledger_sum for s in found.subjects)
    assert found.earlier + objects == found.difference
    if found.earlier:
        assert found.verdict is Verdict.DIFFERENCE


def history(done: Sequence[tuple[str, Decimal, datetime]], since: datetime) -> History:
    """Sum what was done, as both sides do."""
    opening, found = Decimal(0), dict[str, SubjectSum]()
    for name, amount, at in done:
        if at < since:
            opening += amount
            continue
        had = found.get(name, SubjectSum(Decimal(0), at, at))
        newest, oldest = max(had.newest_at, at), min(had.oldest_at, at)
        found[name] = SubjectSum(had.total + amount, newest, oldest)
    return History(since, opening, found)
