"""The decisions of the wallets, item by item, without a database."""

from decimal import Decimal

import pytest

from tests.unit.wallet_svc.builders import OTHER, SELLER, operation, wallet, wallets
from wallet_svc.domain import errors
from wallet_svc.domain.decisions import decide
from wallet_svc.domain.operation import Command, Kind, NewOperation, Operation, Reversal
from wallet_svc.domain.wallets import Applied, Closed, Pot, Wallets

POT = Pot(SELLER, "pay_1")


def one(held: Wallets, command: Command) -> object:
    """Decide one command."""
    (outcome,) = decide(held, [command])
    return outcome


def applied(outcome: object) -> Operation:
    """Take the operation of an outcome that must be one."""
    assert isinstance(outcome, Applied), outcome
    return outcome.operation


def settle(operation_id: str, amount: str, subject_id: str = "pay_1") -> NewOperation:
    """Make a SETTLE."""
    return operation(operation_id, amount, kind=Kind.SETTLE, subject_id=subject_id)


def credited(amount: str, operation_id: str = "c:1", subject_id: str = "pay_1") -> Operation:
    """Make a credit as it was applied to an empty wallet."""
    return applied(one(wallets(), operation(operation_id, amount, subject_id=subject_id)))


def balances(held: Wallets, wallet_id: str = SELLER) -> tuple[str, ...]:
    """Read pending, available and held."""
    return tuple(f"{balance:.2f}" for balance in held.standings[wallet_id][:3])


def test_a_hot_wallet_is_carried_through_the_batch() -> None:
    """Each item of a batch sees what those before it left."""
    held = wallets()

    outcomes = decide(
        held, [operation("c:1", "1.50"), operation("c:2", "2.00"), settle("s:1", "3.00")]
    )

    made = [applied(outcome) for outcome in outcomes]
    assert [o.after.pending for o in made] == [Decimal("1.50"), Decimal("3.50"), Decimal("0.50")]
    assert [(o.sequence, o.after.version) for o in made] == [(1, 2), (2, 3), (3, 4)]
    assert balances(held) == ("0.50", "3.00", "0.00")
    assert [(w.wallet_id, now.version) for w, now in held.changed] == [(SELLER, 4)]


def test_a_refused_item_changes_nothing() -> None:
    """A SETTLE of more than is pending leaves no trace."""
    held = wallets(wallet(pending="1.00"))

    outcome = one(held, settle("s:1", "1.01"))

    assert isinstance(outcome, errors.InsufficientFunds)
    assert outcome.metadata == {"walletId": SELLER, "pending": "1.00"}
    assert (held.applied, held.changed, held.closings) == ([], [], [])


def test_a_balance_too_large_for_a_wallet_is_refused() -> None:
    """A balance of more than 15 digits before the point refuses the item, and only that."""
    held = wallets(wallet(pending="999999999999999.99"))

    outcome = one(held, operation("c:1", "0.01"))

    assert isinstance(outcome, errors.InvalidAmount)
    assert outcome.metadata == {"field": "amount"}


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (operation("c:1", "98.00"), "amount"),
        (operation("c:1", wallet_id="other"), "walletId"),
        (operation("c:1", subject_id="pay_2"), "subjectId"),
        (settle("c:1", "99.99"), "kind"),
        (operation("c:1", currency="EUR"), "currency"),
        (operation("c:1", kind=Kind.TRANSFER, refers_to=OTHER), "kind,refersTo"),
    ],
)
def test_an_id_with_other_content_says_what_differs(other: NewOperation, differs: str) -> None:
    """The refusal names the facts that are not those of the first operation."""
    held = wallets()
    one(held, operation("c:1"))

    outcome = one(held, other)

    assert isinstance(outcome, errors.OperationReused)
    assert outcome.metadata == {"operationId": "c:1", "differs": differs}


def test_trailing_zeros_make_no_other_content() -> None:
    """Amounts are compared as numbers."""
    held = wallets()
    first = applied(one(held, operation("c:1", "5")))

    assert one(held, operation("c:1", "5.00")) == Applied(first, replayed=True)


@pytest.mark.parametrize("kind", [Kind.REVERSAL, Kind.REFUND, Kind.CHARGEBACK])
@pytest.mark.parametrize(
    ("pot", "pending", "available", "taken"),
    [
        ("10.00", "10.00", "0.00", ("-10.00", "0.00")),  # not settled
        ("0.00", "7.00", "10.00", ("0.00", "-10.00")),  # settled; others' money is pending
        ("4.00", "9.00", "6.00", ("-4.00", "-6.00")),  # settled in part
        ("25.00", "25.00", "0.00", ("-10.00", "0.00")),  # more of the same object is pending
        ("10.00", "3.00", "8.00", ("-3.00", "-7.00")),  # settled without naming the object
        ("-5.00", "5.00", "10.00", ("0.00", "-10.00")),  # settled for another object's credit
        ("4.00", "9.00", "1.00", ("-4.00", "-6.00")),  # settled and spent: available is owed
    ],
)
def test_what_is_taken_back_is_its_objects_pending_then_available(
    kind: Kind, pot: str, pending: str, available: str, taken: tuple[str, str]
) -> None:
    """10.00 comes from its own pending first, never from another object's, and is never refused."""
    held = wallets(
        wallet(pending=pending, available=available, held="2.00"),
        operations=(credited("10.00"),),
        pending={POT: Decimal(pot)},
    )
    asked = Reversal("c:1") if kind is Kind.REVERSAL else operation("b:1", "10.00", kind=kind)

    made = applied(one(held, asked))

    assert made.kind is kind
    assert made.change[:2] == (Decimal(taken[0]), Decimal(taken[1]))
    assert made.after.held == Decimal("2.00")


def test_reversals_of_one_batch_share_what_is_pending() -> None:
    """The second reversal of an object sees what the first has taken from its pending."""
    held = wallets(
        wallet(pending="20.00", available="8.00"),
        operations=(credited("10.00", "c:1"), credited("10.00", "c:2")),
        pending={POT: Decimal("12.00")},
    )

    first, second = decide(held, [Reversal("c:1"), Reversal("c:2")])

    assert applied(first).change[:2] == (Decimal("-10.00"), Decimal("0.00"))
    assert applied(second).change[:2] == (Decimal("-2.00"), Decimal("-8.00"))


def test_a_chain_tells_its_pots_to_what_follows() -> None:
    """What linked operations left in pending is what a refund behind them in the batch finds."""
    held = wallets(pending={POT: Decimal(0)})

    outcomes = decide(
        held,
        [
            operation("c:1", "10.00", linked=True),
            operation("c:2", "1.00"),
            operation("r:1", "11.00", kind=Kind.REFUND),
        ],
    )

    assert applied(outcomes[2]).change[:2] == (Decimal("-11.00"), Decimal(0))


def test_an_operation_that_took_the_reversals_id_keeps_it_out() -> None:
    """A credit named as the reversal would be does not pass for it."""
    held = wallets()
    decide(held, [operation("c:1"), operation("c:1:reversal")])

    assert isinstance(one(held, Reversal("c:1")), errors.OperationReused)


def test_a_closed_reversal_refuses() -> None:
    """A reversal whose own id is closed, as it could be once, is refused."""
    held = wallets(closed=("c:1:reversal",), pending={POT: Decimal(0)})
    decide(held, [operation("c:1")])

    assert isinstance(one(held, Reversal("c:1")), errors.ReversedBeforeArrival)


@pytest.mark.parametrize(("name", "kind"), [("c:1:reversal", "REVERSAL"), ("h:expiry", "EXPIRE")])
def test_nobody_closes_an_id_of_the_wallets_own(name: str, kind: str) -> None:
    """What is reversed or expires later keeps its id: undone in advance it is what it will be."""
    held = wallets()

    refused = one(held, Reversal(name))

    assert isinstance(refused, errors.NotReversible)
    assert refused.metadata == {"operationId": name, "kind": kind}
    assert held.closings == []


def test_an_id_is_closed_once() -> None:
    """Closing again answers so, and is not written again."""
    held = wallets()

    outcomes = decide(held, [Reversal("c:1"), Reversal("c:1")])

    assert outcomes == [Closed("c:1", replayed=False), Closed("c:1", replayed=True)]
    assert held.closings == ["c:1"]


@pytest.mark.parametrize("kind", [Kind.DEBIT, Kind.HOLD, Kind.TRANSFER])
@pytest.mark.parametrize(("amount", "fits"), [("15.00", True), ("15.01", False)])
def test_a_credit_limit_lets_what_is_asked_for_go_below_zero(
    kind: Kind, amount: str, *, fits: bool
) -> None:
    """Available may fall to minus the limit, to the cent."""
    held = wallets(wallet(available="10.00", credit_limit="5.00"), wallet(OTHER))
    refers_to = OTHER if kind is Kind.TRANSFER else ""

    outcome = one(held, operation("d:1", amount, kind=kind, refers_to=refers_to))

    if fits:
        assert applied(outcome).after.available == Decimal("-5.00")
        return
    assert isinstance(outcome, errors.InsufficientFunds)
    told = {"walletId": SELLER, "available": "10.00", "creditLimit": "5.00"}
    assert outcome.metadata == told


def test_both_halves_of_a_transfer_or_neither() -> None:
    """A wallet that does not take it keeps the other from giving it."""
    held = wallets(wallet(available="10.00"))
    asked = operation("t:1", "4.00", kind=Kind.TRANSFER, refers_to=OTHER)

    lost = one(held, asked)
    held = wallets(wallet(available="10.00"), wallet(OTHER))
    done = applied(one(held, asked))

    assert isinstance(lost, errors.WalletNotFound)
    assert done.operation_id == "t:1"
    assert [(o.operation_id, o.kind, o.refers_to) for o in held.applied] == [
        ("t:1", Kind.TRANSFER, OTHER),
        ("t:1:in", Kind.TRANSFER_IN, SELLER),
    ]
    assert (balances(held), balances(held, OTHER)) == (
        ("0.00", "6.00", "0.00"),
        ("0.00", "4.00", "0.00"),
    )


def test_a_version_holds_for_the_wallet_that_is_asked_alone() -> None:
    """The giver's version decides a transfer; the taker's may be any."""
    held = wallets(wallet(available="10.00"), wallet(OTHER))
    one(held, operation("c:1", "1.00", wallet_id=OTHER))

    late, right = decide(
        held,
        [
            operation(f"t:{n}", "1.00", kind=Kind.TRANSFER, refers_to=OTHER, expected_version=n)
            for n in (2, 1)
        ],
    )

    assert isinstance(late, errors.VersionConflict)
    assert late.metadata == {"walletId": SELLER, "expected": "2", "actual": "1"}
    assert applied(right).after.version == 2


def test_a_chain_is_kept_whole_or_dropped() -> None:
    """The one at fault tells why, the others with whom they fell; neighbours are left alone."""
    held = wallets(wallet(available="5.00"))

    outcomes = decide(
        held,
        [
            operation("d:0", "1.00", kind=Kind.DEBIT),
            operation("h:1", "2.00", kind=Kind.HOLD, linked=True),
            operation("d:1", "9.00", kind=Kind.DEBIT, linked=True),
            operation("c:1", "1.00"),
            operation("h:1", "3.00", kind=Kind.HOLD),
        ],
    )

    reasons = [getattr(outcome, "reason", "") for outcome in outcomes]
    assert reasons == ["", "LINKED_REFUSED", "INSUFFICIENT_FUNDS", "LINKED_REFUSED", ""]
    assert outcomes[1].metadata == {"operationId": "d:1"}  # type: ignore[union-attr]
    assert [o.operation_id for o in held.applied] == ["d:0", "h:1"]
    assert balances(held) == ("0.00", "1.00", "3.00")
    assert list(held.moved_holds) == ["h:1"]
