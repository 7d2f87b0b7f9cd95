"""Linked items, parts taken back, bounds and statuses, without a database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Account, AccountStatus, AccountType, NewAccount, Side
from ledger_svc.domain.books import Posted
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.posting import Action, Line, Posting, Resolution, Reversal
from tests.unit.ledger_svc.builders import (
    CLEARING,
    NOW,
    SELLER,
    account,
    balances,
    books,
    do,
    lines,
    pending,
    posted,
    posting,
    usd,
)


def test_linked_items_stand_or_fall_together() -> None:
    """One refusal undoes its whole chain, tells each companion why, and spares the neighbours."""
    held = books()
    good, bad = posting("1"), posting("3", credit="nobody")
    chain = [replace(posting("2"), is_linked=True), replace(bad, is_linked=True), posting("4")]

    outcomes = decide(held, [good, *chain, posting("5")])

    assert [type(outcome) for outcome in outcomes] == [
        Posted, errors.LinkedRefused, errors.AccountNotFound, errors.LinkedRefused, Posted,
    ]  # fmt: skip
    assert isinstance(outcomes[1], errors.LinkedRefused)
    assert outcomes[1].metadata == {"reference": "3"}
    assert [t.reference for t in held.written] == ["1", "5"]
    assert balances(held) == {CLEARING: "199.98", SELLER: "199.98"}


def test_linked_items_see_each_other() -> None:
    """A chain may spend what its own first item brings."""
    held = books(account("x", floor=Money.zero("USD")), account("y"))
    bring = posting("in", "5.00", debit="x", credit="y")
    spend = posting("out", "5.00", debit="y", credit="x")

    outcomes = decide(held, [replace(bring, is_linked=True), spend])

    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert [t.hash for t in held.written] == [posted(outcome).hash for outcome in outcomes]


def test_parts_are_taken_back_until_nothing_is_left() -> None:
    """Parts have references of their own; what is left goes by the reversal's, once."""
    held = books()
    do(held, posting("a", "10.00"))

    part = posted(do(held, Reversal("a", "one item", lines("4.00"), "a:refund:1")))
    again = do(held, Reversal("a", "one item", lines("4.00"), "a:refund:1"))
    too_much = do(held, Reversal("a", "more", lines("6.01"), "a:refund:2"))
    rest = posted(do(held, Reversal("a", "the rest")))
    nothing = do(held, Reversal("a", "more", lines("0.01"), "a:refund:3"))

    assert part.heading.reverses_reference == "a"
    assert again == Posted(part, replayed=True)
    assert isinstance(too_much, errors.PartTooLarge)
    assert too_much.metadata["left"] == "6.00"
    assert [e.amount for e in rest.entries] == [usd("6.00")] * 2
    assert isinstance(nothing, errors.PartTooLarge)
    assert balances(held) == {CLEARING: "0.00", SELLER: "0.00"}


def test_taking_back_the_rest_of_nothing_is_refused() -> None:
    """When parts have taken all, there is no rest."""
    held = books()
    do(held, posting("a", "10.00"))
    do(held, Reversal("a", "all", lines("10.00"), "a:refund:1"))

    assert isinstance(do(held, Reversal("a", "the rest")), errors.NothingLeft)


def test_another_part_under_the_same_reference_is_refused() -> None:
    """A reversal's reference makes one part happen once."""
    held = books()
    do(held, posting("a", "10.00"))
    do(held, Reversal("a", "one item", lines("4.00"), "a:refund:1"))

    other = do(held, Reversal("a", "one item", lines("5.00"), "a:refund:1"))

    assert isinstance(other, errors.ReferenceReused)
    assert other.metadata["differs"] == "amounts"


def test_a_part_of_what_is_not_there_closes_nothing() -> None:
    """Only taking back the whole can overtake its posting."""
    outcome = do(books(), Reversal("a", "one item", lines("4.00"), "a:refund:1"))

    assert isinstance(outcome, errors.TransactionNotFound)


def test_a_frozen_account_lets_end_what_had_begun() -> None:
    """It takes reversals and the ends of what is pending, and nothing new."""
    open_ = books()
    before = [posted(do(open_, command)) for command in (posting("a", "10.00"), pending("p"))]
    accounts = [
        replace(account_, standing=now, status=AccountStatus.FROZEN)
        for account_, now in open_.changed
    ]
    frozen = books(*accounts, transactions=tuple(before))

    assert isinstance(do(frozen, posting("b")), errors.AccountFrozen)
    assert isinstance(do(frozen, pending("q")), errors.AccountFrozen)
    assert isinstance(do(frozen, Resolution("p", Action.POST)), Posted)
    assert isinstance(do(frozen, Reversal("a", "undo")), Posted)


OPEN, FROZEN, CLOSED = AccountStatus


@pytest.mark.parametrize(
    ("before", "to", "after"),
    [
        (OPEN, FROZEN, FROZEN),
        (FROZEN, FROZEN, FROZEN),
        (FROZEN, OPEN, OPEN),
        (OPEN, CLOSED, CLOSED),
        (FROZEN, CLOSED, CLOSED),
        (CLOSED, CLOSED, CLOSED),
    ],
)
def test_statuses_change_as_they_may(
    before: AccountStatus, to: AccountStatus, after: AccountStatus
) -> None:
    """Freezing and unfreezing alternate, closing is for good, and to what it is is no change."""
    assert account("x", status=before).with_status(to).status is after


@pytest.mark.parametrize("to", [OPEN, FROZEN])
def test_what_is_closed_stays_closed(to: AccountStatus) -> None:
    """A closed account is neither opened nor frozen."""
    with pytest.raises(errors.AccountClosed):
        account("x", status=CLOSED).with_status(to)


@pytest.mark.parametrize("command", [posting("a"), pending("p")])
def test_an_account_is_closed_empty(command: Posting) -> None:
    """A balance, or something pending, keeps it open."""
    held = books()
    do(held, command)
    accounts: list[Account] = [replace(a, standing=now) for a, now in held.changed]

    for one in accounts:
        with pytest.raises(errors.AccountNotEmpty):
            one.with_status(CLOSED)


def test_bounds_must_allow_a_new_account() -> None:
    """Zero lies between the floor and the ceiling."""
    with pytest.raises(errors.InvalidAmount) as floor:
        NewAccount.parse("x", AccountType.ASSET, "USD", floor="0.01")
    with pytest.raises(errors.InvalidAmount) as ceiling:
        NewAccount.parse("x", AccountType.ASSET, "USD", ceiling="-0.01")

    assert floor.value.metadata == {"field": "floor"}
    assert ceiling.value.metadata == {"field": "ceiling"}


HUGE = "900000000000000.00"  # of two nothing can be said in one amount


def test_a_part_beyond_all_amounts_is_too_large() -> None:
    """Lines that come to more than an amount can be are refused as any that are too large."""
    held = books()
    do(held, posting("a"))
    do(held, pending("p"))

    for command in (
        Reversal("a", "too much", lines(HUGE) * 2, "r"),
        Resolution("p", Action.POST, lines(HUGE) * 2),
    ):
        refused = do(held, command)
        assert isinstance(refused, errors.PartTooLarge)
        assert refused.metadata["left"] == ("99.99" if command.reference == "a" else "10.00")


def test_what_was_posted_can_be_taken_back_whatever_its_lines_come_to() -> None:
    """Lines to and fro that come to more than an amount can be are taken back one by one."""
    held = books()
    there, back = lines(HUGE), tuple(line.opposite for line in lines(HUGE))
    do(held, Posting("a", there + back + there))

    assert posted(do(held, Reversal("a", "undo"))).heading.reverses_reference == "a"
    assert balances(held) == {CLEARING: "0.00", SELLER: "0.00"}


def test_what_is_left_may_be_too_much_for_one_line() -> None:
    """Then it is taken back in parts."""
    held = books()
    there, back = lines(HUGE), tuple(line.opposite for line in lines(HUGE))
    do(held, Posting("a", there + back + there))
    do(held, Reversal("a", "a part", lines("1.00"), "r"))

    assert isinstance(do(held, Reversal("a", "the rest")), errors.InvalidAmount)


@pytest.mark.parametrize("side", list(Side))
def test_bounds_hold_where_what_is_pending_goes_beyond_all_amounts(side: Side) -> None:
    """A balance and what is pending may come to more than either can be."""
    bound = Money(Decimal("999999999999999"), "USD")
    odd = account("odd", floor=-bound, ceiling=bound)
    held = books(odd, account("x"))
    line = Line("odd", side, usd(HUGE))
    do(held, Posting("p", (line, line.opposite._replace(account_id="x")), is_pending=True))

    refused = do(held, Posting("q", (line, line.opposite._replace(account_id="x"))))

    expected = errors.CeilingPassed if side is Side.DEBIT else errors.FloorPassed
    assert isinstance(refused, expected)


@pytest.mark.parametrize("is_pending", [False, True])
def test_nothing_counts_from_more_than_a_year_ahead(*, is_pending: bool) -> None:
    """A year that was mistyped would keep reports from the checkpoints until then."""
    held = books()
    latest = NOW + timedelta(days=366)
    asked = replace(posting("a"), is_pending=is_pending, effective_at=latest)

    refused = do(held, replace(asked, effective_at=latest + timedelta(microseconds=1)))
    fine = posted(do(held, asked))

    assert isinstance(refused, errors.EffectTooFar)
    assert refused.metadata == {"reference": "a", "latest": latest.isoformat()}
    assert fine.heading.effective_at == latest


def test_another_currency_or_end_is_another_posting() -> None:
    """The same reference, accounts and amounts do not make it the same."""
    held = books()
    do(held, posting("a", "5.00"))
    do(held, pending("p", expires_at=NOW + timedelta(hours=1)))
    euros = tuple(x._replace(amount=Money.parse("5.00", "EUR")) for x in lines("5.00"))

    for asked, differs in (
        (Posting("a", euros), "currencies"),
        (pending("p", expires_at=NOW + timedelta(hours=2)), "expiresAt"),
        (pending("p"), "expiresAt"),
        (pending("a", "5.00"), "pending"),
    ):
        refused = do(held, asked)
        assert isinstance(refused, errors.ReferenceReused)
        assert refused.metadata["differs"] == differs
