"""The decisions of the ledger, item by item, without a database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import AccountStatus, AccountType, Side
from ledger_svc.domain.books import Closed, Closing, Posted
from ledger_svc.domain.posting import Action, Line, Posting, Resolution, Reversal
from tests.unit.ledger_svc.builders import (
    CLEARING,
    NOW,
    SELLER,
    account,
    balances,
    books,
    do,
    posted,
    posting,
    usd,
)


def test_a_hot_account_is_carried_through_the_batch() -> None:
    """Each item of a batch sees what those before it left."""
    held = books()

    first, second = (posted(do(held, posting(ref, "1.50"))) for ref in ("a", "b"))

    assert [e.balance_after for e in first.entries] == [usd("1.50")] * 2
    assert [e.balance_after for e in second.entries] == [usd("3.00")] * 2
    assert [e.account_sequence for e in second.entries] == [2, 2]
    assert balances(held) == {CLEARING: "3.00", SELLER: "3.00"}


def test_an_account_may_have_several_lines_of_one_transaction() -> None:
    """Lines on the same account follow each other in its history."""
    lines = (
        Line(CLEARING, Side.DEBIT, usd("5.00")),
        Line(SELLER, Side.CREDIT, usd("3.00")),
        Line(SELLER, Side.CREDIT, usd("2.00")),
    )

    transaction = posted(do(books(), Posting("a", lines)))

    assert [e.balance_after for e in transaction.entries] == [
        usd(x) for x in ("5.00", "3.00", "5.00")
    ]
    assert [e.account_sequence for e in transaction.entries] == [1, 1, 2]


def test_a_refused_item_changes_nothing() -> None:
    """The first line of a refused posting leaves no trace on its account."""
    held = books()

    outcome = do(held, posting("a", credit="nobody"))

    assert isinstance(outcome, errors.AccountNotFound)
    assert (held.written, held.changed, held.closings) == ([], [], [])
    assert posted(do(held, posting("b", "1.00"))).entries[0].balance_after == usd("1.00")


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (AccountStatus.FROZEN, errors.AccountFrozen),
        (AccountStatus.CLOSED, errors.AccountClosed),
    ],
)
def test_an_account_that_is_not_open_refuses(
    status: AccountStatus, refusal: type[errors.Refusal]
) -> None:
    """Frozen and closed accounts take no entries."""
    held = books(account(CLEARING), account(SELLER, AccountType.LIABILITY, status=status))

    assert isinstance(do(held, posting("a")), refusal)


def test_a_floor_holds_on_every_entry() -> None:
    """A posting that would leave less than the floor is refused; one down to the floor is not."""
    held = books(account("x", floor=-usd("1.00")), account("y"))
    do(held, posting("in", "8.00", debit="x", credit="y"))

    too_much = do(held, posting("out:1", "9.01", debit="y", credit="x"))
    all_there_is = do(held, posting("out:2", "9.00", debit="y", credit="x"))

    assert isinstance(too_much, errors.FloorPassed)
    assert too_much.metadata == {"accountId": "x", "balance": "8.00", "floor": "-1.00"}
    assert posted(all_there_is).entries[1].balance_after == -usd("1.00")


def test_a_balance_too_large_for_the_books_is_refused() -> None:
    """A balance of more than 15 digits before the point refuses the item, and only that."""
    most = "999999999999999.99"
    held = books()
    do(held, posting("a", most))

    outcome = do(held, posting("b", "0.01"))

    assert isinstance(outcome, errors.InvalidAmount)
    assert outcome.metadata == {"field": "entries[0].amount"}


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (posting("a", "98.00"), "amounts"),
        (posting("a", credit="third"), "accounts"),
        (posting("a", debit=SELLER, credit=CLEARING), "entries"),
        (
            Posting(
                "a",
                (
                    Line(CLEARING, Side.DEBIT, usd("99.99")),
                    Line(SELLER, Side.CREDIT, usd("50.00")),
                    Line(SELLER, Side.CREDIT, usd("49.99")),
                ),
            ),
            "accounts,sides,amounts,currencies",
        ),
    ],
)
def test_a_reference_with_other_entries_says_what_differs(other: Posting, differs: str) -> None:
    """The refusal names the facts of the entries that are not those of the first posting."""
    held = books()
    do(held, posting("a"))

    outcome = do(held, other)

    assert isinstance(outcome, errors.ReferenceReused)
    assert outcome.metadata["differs"] == differs


def test_entries_alone_make_a_replay() -> None:
    """Neither the order of the lines nor what is said about them makes another posting."""
    held = books()
    first = posted(do(held, posting("a", description="first", subject_id="pay_1")))
    again = posting("a", description="second")

    outcome = do(
        held, replace(again, lines=again.lines[::-1], effective_at=NOW + timedelta(days=1))
    )

    assert outcome == Posted(first, replayed=True)
    assert len(held.written) == 1


def test_a_reversal_is_no_plain_posting() -> None:
    """A posting that took a reversal's reference keeps the reversal from passing for it."""
    held = books()
    do(held, posting("a"))
    do(held, posting("a:reversal", debit=SELLER, credit=CLEARING))

    outcome = do(held, Reversal("a", "undo"))

    assert isinstance(outcome, errors.ReferenceReused)
    assert outcome.metadata["differs"] == "reversesReference"


def test_a_reversal_can_itself_be_reversed() -> None:
    """Reversing the reversal brings the money back."""
    held = books()
    do(held, posting("a", "5.00"))
    do(held, Reversal("a", "undo"))

    again = posted(do(held, Reversal("a:reversal", "undo the undo")))

    assert again.reference == "a:reversal:reversal"
    assert balances(held) == {CLEARING: "5.00", SELLER: "5.00"}


def test_a_closed_reversal_refuses() -> None:
    """A reversal whose own reference is closed, as it could be once, is refused."""
    held = books(closed=("a:reversal",))
    do(held, posting("a"))

    assert isinstance(do(held, Reversal("a", "undo")), errors.ReversedBeforeArrival)


@pytest.mark.parametrize("name", ["a:reversal", "p:resolution"])
def test_nobody_closes_a_name_of_the_ledgers_own(name: str) -> None:
    """What is undone or ended later keeps its name: an undo of it in advance finds nothing."""
    held = books()

    for command in (Reversal(name, "undo"), Resolution(name, Action.VOID)):
        assert isinstance(do(held, command), errors.TransactionNotFound)
    assert held.closings == []


def test_a_part_does_not_pass_for_all() -> None:
    """A part that was taken back under the name of the whole is none."""
    held = books()
    do(held, posting("a", "10.00"))
    do(held, Reversal("a", "a part", posting("", "1.00").lines, "a:reversal"))

    outcome = do(held, Reversal("a", "all"))

    assert isinstance(outcome, errors.ReferenceReused)
    assert outcome.metadata == {"reference": "a:reversal", "differs": "amounts"}


def test_a_posting_is_no_end_of_what_is_pending() -> None:
    """A posting that took the name of an end does not pass for one."""
    held = books()
    do(held, replace(posting("p"), is_pending=True))
    do(held, posting("p:resolution"))

    outcome = do(held, Resolution("p", Action.POST))

    assert isinstance(outcome, errors.ReferenceReused)
    assert outcome.metadata["differs"] == "resolvesReference"


def test_a_reference_is_closed_once() -> None:
    """Closing again answers the same, and is not written again."""
    held = books()

    outcomes = [do(held, Reversal("a", why)) for why in ("first", "second")]

    assert outcomes == [Closed("a", replayed=False), Closed("a", replayed=True)]
    assert held.closings == [Closing("a", "first")]


def test_a_posting_balances_in_each_currency() -> None:
    """Sums that are equal only across currencies are refused."""
    lines = (
        Line(CLEARING, Side.DEBIT, usd("1.00")),
        Line(SELLER, Side.CREDIT, Money.parse("1.00", "EUR")),
    )

    with pytest.raises(errors.Unbalanced) as refusal:
        Posting("a", lines)

    assert refusal.value.metadata == {"currency": "EUR", "debits": "0", "credits": "1.00"}


def test_types_have_the_normal_side_of_bookkeeping() -> None:
    """Assets and expenses grow by debits, the others by credits."""
    assert {type_.value: type_.normal_side.value for type_ in AccountType} == {
        "ASSET": "DEBIT",
        "EXPENSE": "DEBIT",
        "LIABILITY": "CREDIT",
        "REVENUE": "CREDIT",
        "EQUITY": "CREDIT",
    }
