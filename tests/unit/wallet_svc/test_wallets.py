"""The decisions of the wallets, item by item, without a database."""

from decimal import Decimal

import pytest

from chassis.money import Money
from tests.unit.wallet_svc.builders import SELLER, operation, usd, wallet, wallets
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind, NewOperation, Operation
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, Pot

POT = Pot(SELLER, "pay_1")


def applied(outcome: object) -> Operation:
    """Take the operation of an outcome that must be one."""
    assert isinstance(outcome, Applied), outcome
    return outcome.operation


def settle(operation_id: str, amount: str, subject_id: str = "pay_1") -> NewOperation:
    """Make a SETTLE."""
    return operation(operation_id, amount, kind=Kind.SETTLE, subject_id=subject_id)


def credited(amount: str, operation_id: str = "c:1", subject_id: str = "pay_1") -> Operation:
    """Make a credit as it was applied to an empty wallet."""
    return applied(wallets().apply(operation(operation_id, amount, subject_id=subject_id)))


def test_a_hot_wallet_is_carried_through_the_batch() -> None:
    """Each item of a batch sees what those before it left."""
    held = wallets()

    first, second, third = (
        applied(held.apply(asked))
        for asked in (operation("c:1", "1.50"), operation("c:2", "2.00"), settle("s:1", "3.00"))
    )

    assert [str(o.pending_after) for o in (first, second, third)] == ["1.50", "3.50", "0.50"]
    assert third.available_after == usd("3.00")
    assert [o.wallet_sequence for o in (first, second, third)] == [1, 2, 3]
    assert [w.operation_count for w in held.changed] == [3]


def test_a_refused_item_changes_nothing() -> None:
    """A SETTLE of more than is pending leaves no trace."""
    held = wallets(wallet(pending="1.00"))

    outcome = held.apply(settle("s:1", "1.01"))

    assert isinstance(outcome, errors.InsufficientFunds)
    assert outcome.metadata == {"walletId": SELLER, "pending": "1.00"}
    assert (held.applied, held.changed, held.closings) == ([], [], [])


@pytest.mark.parametrize(
    ("status", "refusal"),
    [(WalletStatus.FROZEN, errors.WalletFrozen), (WalletStatus.CLOSED, errors.WalletClosed)],
)
def test_a_wallet_that_is_not_open_refuses(
    status: WalletStatus, refusal: type[errors.Refusal]
) -> None:
    """Frozen and closed wallets take no operations."""
    assert isinstance(wallets(wallet(status=status)).apply(operation("c:1")), refusal)


def test_a_balance_too_large_for_a_wallet_is_refused() -> None:
    """A balance of more than 15 digits before the point refuses the item, and only that."""
    held = wallets(wallet(pending="999999999999999.99"))

    outcome = held.apply(operation("c:1", "0.01"))

    assert isinstance(outcome, errors.InvalidAmount)
    assert outcome.metadata == {"field": "amount"}


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (operation("c:1", "98.00"), "amount"),
        (operation("c:1", wallet_id="other"), "walletId"),
        (operation("c:1", subject_id="pay_2"), "subjectId"),
        (settle("c:1", "99.99"), "kind"),
        (
            NewOperation("c:1", SELLER, Kind.CREDIT, Money.parse("99.99", "EUR"), "pay_1"),
            "currency",
        ),
    ],
)
def test_an_id_with_other_content_says_what_differs(other: NewOperation, differs: str) -> None:
    """The refusal names the facts that are not those of the first operation."""
    held = wallets()
    held.apply(operation("c:1"))

    outcome = held.apply(other)

    assert isinstance(outcome, errors.OperationReused)
    assert outcome.metadata == {"operationId": "c:1", "differs": differs}


def test_trailing_zeros_make_no_other_content() -> None:
    """Amounts are compared as numbers."""
    held = wallets()
    first = applied(held.apply(operation("c:1", "5")))

    assert held.apply(operation("c:1", "5.00")) == Applied(first, replayed=True)


@pytest.mark.parametrize(
    ("pot", "pending", "available", "taken"),
    [
        ("10.00", "10.00", "0.00", ("-10.00", "0.00")),  # not settled
        ("0.00", "7.00", "10.00", ("0.00", "-10.00")),  # settled; others' money is pending
        ("4.00", "9.00", "6.00", ("-4.00", "-6.00")),  # settled in part
        ("25.00", "25.00", "0.00", ("-10.00", "0.00")),  # more of the same object is pending
        ("10.00", "3.00", "8.00", ("-3.00", "-7.00")),  # settled without naming the object
        ("-5.00", "5.00", "10.00", ("0.00", "-10.00")),  # settled for another object's credit
    ],
)
def test_a_reversal_takes_what_its_object_has_pending_then_available(
    pot: str, pending: str, available: str, taken: tuple[str, str]
) -> None:
    """A credit of 10.00 comes back from its own pending first, never from another object's."""
    held = wallets(
        wallet(pending=pending, available=available),
        operations=(credited("10.00"),),
        pending={POT: Decimal(pot)},
    )

    change = applied(held.reverse("c:1")).change

    assert (change.pending, change.available) == (usd(taken[0]), usd(taken[1]))


def test_a_reversal_of_spent_money_is_refused() -> None:
    """A settled credit whose money has left the wallet is not taken from others' pending money."""
    held = wallets(
        wallet(pending="50.00", available="9.99"),
        operations=(credited("10.00"),),
        pending={POT: Decimal(0)},
    )

    outcome = held.reverse("c:1")

    assert isinstance(outcome, errors.InsufficientFunds)
    assert outcome.metadata == {"walletId": SELLER, "available": "9.99"}
    assert (held.applied, held.changed) == ([], [])


def test_reversals_of_one_batch_share_what_is_pending() -> None:
    """The second reversal of an object sees what the first has taken from its pending."""
    held = wallets(
        wallet(pending="20.00", available="8.00"),
        operations=(credited("10.00", "c:1"), credited("10.00", "c:2")),
        pending={POT: Decimal("12.00")},
    )

    first, second = (applied(held.reverse(name)).change for name in ("c:1", "c:2"))

    assert (first.pending, first.available) == (usd("-10.00"), usd("0.00"))
    assert (second.pending, second.available) == (usd("-2.00"), usd("-8.00"))


def test_an_operation_that_took_the_reversals_id_keeps_it_out() -> None:
    """A credit named as the reversal would be does not pass for it."""
    held = wallets()
    held.apply(operation("c:1"))
    held.apply(operation("c:1:reversal"))

    assert isinstance(held.reverse("c:1"), errors.OperationReused)


def test_a_closed_reversal_refuses() -> None:
    """A reversal whose own id was closed before it arrived is refused."""
    held = wallets()
    held.apply(operation("c:1"))
    held.reverse("c:1:reversal")

    assert isinstance(held.reverse("c:1"), errors.ReversedBeforeArrival)


def test_an_id_is_closed_once() -> None:
    """Closing again answers so, and is not written again."""
    held = wallets()

    outcomes = [held.reverse("c:1"), held.reverse("c:1")]

    assert outcomes == [Closed("c:1", replayed=False), Closed("c:1", replayed=True)]
    assert held.closings == ["c:1"]
