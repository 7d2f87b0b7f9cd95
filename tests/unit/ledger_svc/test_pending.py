"""What is pending, without a database: it reserves, ends once, and counts against bounds and
statuses.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import AccountStatus, AccountType
from ledger_svc.domain.books import Books, Closed, Posted
from ledger_svc.domain.posting import Action, Line, Posting, Resolution, Reversal
from ledger_svc.domain.transaction import Kind
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


def pendings(held: Books) -> dict[str, tuple[str, str]]:
    """Tell what is pending on the accounts, coming and going."""
    return {
        account.account_id: (str(now.pending_in), str(now.pending_out))
        for account, now in held.changed
    }


def test_a_pending_transaction_reserves_and_moves_nothing() -> None:
    """It has lines and no entries; what it would do counts as pending on either account."""
    held = books()

    made = posted(do(held, pending("p")))

    assert (made.kind, made.entries, made.pending) == (Kind.PENDING, (), lines("10.00"))
    assert balances(held) == {CLEARING: "0.00", SELLER: "0.00"}
    assert pendings(held) == {CLEARING: ("10.00", "0.00"), SELLER: ("10.00", "0.00")}


@pytest.mark.parametrize(
    ("asked", "kind", "balance"),
    [
        (Resolution("p", Action.POST), Kind.PENDING_POSTED, "10.00"),
        (Resolution("p", Action.POST, lines("4.00")), Kind.PENDING_POSTED, "4.00"),
        (Resolution("p", Action.VOID), Kind.PENDING_VOIDED, "0.00"),
        (Resolution("p", Action.EXPIRE), Kind.PENDING_EXPIRED, "0.00"),
    ],
)
def test_a_pending_transaction_ends_once(asked: Resolution, kind: Kind, balance: str) -> None:
    """Posted in full or part, voided or expired: nothing stays pending, and again is a replay."""
    held = books()
    do(held, pending("p"))

    end = posted(do(held, asked))
    again = do(held, asked)

    assert (end.kind, end.reference, end.heading.resolves_reference) == (kind, "p:resolution", "p")
    assert balances(held) == {CLEARING: balance, SELLER: balance}
    assert pendings(held) == {CLEARING: ("0.00", "0.00"), SELLER: ("0.00", "0.00")}
    assert again == Posted(end, replayed=True)


@pytest.mark.parametrize(
    "other",
    [
        Resolution("p", Action.POST, lines("4.00")),
        Resolution("p", Action.VOID),
        Resolution("p", Action.EXPIRE),
    ],
)
def test_another_end_is_refused(other: Resolution) -> None:
    """What has been posted cannot be posted in part, voided or expired."""
    held = books()
    do(held, pending("p"))
    do(held, Resolution("p", Action.POST))

    refused = do(held, other)

    assert isinstance(refused, errors.AlreadyResolved)
    assert refused.metadata == {"reference": "p", "kind": "PENDING_POSTED"}


def test_no_more_than_what_is_pending_is_posted() -> None:
    """A part may be the whole, and no cent more; nor on another account."""
    held = books()
    do(held, pending("p"))

    too_much = do(held, Resolution("p", Action.POST, lines("10.01")))
    elsewhere = tuple(replaced(line, account_id="x") for line in lines("1.00"))
    astray = do(held, Resolution("p", Action.POST, elsewhere))
    whole = do(held, Resolution("p", Action.POST, lines("10.00")))

    assert isinstance(too_much, errors.PartTooLarge)
    assert too_much.metadata["left"] == "10.00"
    assert isinstance(astray, errors.PartTooLarge)
    assert isinstance(whole, Posted)


def replaced(line: Line, *, account_id: str) -> Line:
    """Make the line on another account."""
    return Line(account_id, line.side, line.amount)


def test_time_ends_what_is_pending_even_before_the_job_comes() -> None:
    """Past its time it cannot be posted; the expiry that is then written is its end."""
    first = books()
    made = posted(do(first, pending("p", expires_at=NOW + timedelta(hours=1))))
    accounts = [replace(account_, standing=now) for account_, now in first.changed]
    later = books(*accounts, transactions=(made,), now=NOW + timedelta(hours=1))

    late = do(later, Resolution("p", Action.POST))
    expired = do(later, Resolution("p", Action.EXPIRE))

    assert isinstance(late, errors.AlreadyResolved)
    assert posted(expired).kind is Kind.PENDING_EXPIRED


def test_what_would_expire_at_once_is_refused() -> None:
    """A pending transaction must have time left."""
    assert isinstance(do(books(), pending("p", expires_at=NOW)), errors.ExpiredBeforeArrival)


def test_what_is_pending_counts_against_the_bounds() -> None:
    """A floor and a ceiling hold as if what is pending had happened, where that is worse."""
    held = books(
        account(CLEARING, floor=Money.zero("USD")),
        account(SELLER, AccountType.LIABILITY, ceiling=usd("10.00")),
    )
    do(held, pending("p", "8.00"))

    over = do(held, posting("a", "2.01"))
    under = do(held, posting("b", "0.01", debit=SELLER, credit=CLEARING))
    fits = do(held, posting("c", "2.00"))

    assert isinstance(over, errors.CeilingPassed)
    assert over.metadata == {"accountId": SELLER, "balance": "8.00", "ceiling": "10.00"}
    assert isinstance(under, errors.FloorPassed)
    assert isinstance(fits, Posted)


def test_voiding_what_is_not_there_closes_the_reference() -> None:
    """An undo may overtake its do; posting what is not there cannot be meant."""
    held = books()

    voided = do(held, Resolution("p", Action.VOID, reason="gave up"))
    late = do(held, pending("p"))
    lost = do(held, Resolution("q", Action.POST))

    assert voided == Closed("p", replayed=False)
    assert isinstance(late, errors.ReversedBeforeArrival)
    assert isinstance(lost, errors.TransactionNotFound)


def test_pending_and_posted_do_not_pass_for_each_other() -> None:
    """A reference that is pending is no replay of a posting, is not reversed, and the reverse."""
    held = books()
    do(held, pending("p"))
    do(held, posting("a", "10.00"))

    assert isinstance(do(held, posting("p", "10.00")), errors.ReferenceReused)
    assert isinstance(do(held, pending("a")), errors.ReferenceReused)
    assert isinstance(do(held, Reversal("p", "undo")), errors.StillPending)
    assert isinstance(do(held, Resolution("a", Action.VOID)), errors.NotPending)


@pytest.mark.parametrize("name", [CLEARING, SELLER])
@pytest.mark.parametrize("turned", [False, True])
def test_an_account_with_anything_pending_is_not_closed(name: str, *, turned: bool) -> None:
    """Whether it would come or go."""
    held = books()
    ways = tuple(line.opposite for line in lines("1.00")) if turned else lines("1.00")
    do(held, Posting("p", ways, is_pending=True))
    (found,) = (replace(a, standing=now) for a, now in held.changed if a.account_id == name)

    with pytest.raises(errors.AccountNotEmpty):
        found.with_status(AccountStatus.CLOSED)
