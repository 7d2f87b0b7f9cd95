"""Holds: each cent of them is captured or let go, once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.unit.wallet_svc.builders import NOW, OTHER, SELLER, operation, wallet, wallets
from tests.unit.wallet_svc.test_wallets import applied, balances, one
from wallet_svc.domain import errors
from wallet_svc.domain.decisions import decide
from wallet_svc.domain.hold import HoldStatus
from wallet_svc.domain.operation import Kind, NewOperation, Reversal
from wallet_svc.domain.wallets import Applied, Pot, Wallets

SOON = NOW + timedelta(minutes=5)


def held(expires_at: object = None) -> Wallets:
    """Make a wallet of which 10.00 are set aside by the hold h:1 and 5.00 are not."""
    batch = wallets(wallet(available="15.00"), wallet(OTHER))
    asked = operation("h:1", "10.00", kind=Kind.HOLD)
    applied(one(batch, asked._replace(expires_at=expires_at)))
    return batch


def capture(operation_id: str, amount: str, *, rest: bool = False) -> NewOperation:
    """Make a CAPTURE_HOLD of h:1."""
    kind = Kind.CAPTURE_HOLD
    return operation(operation_id, amount, kind=kind, refers_to="h:1", releases_rest=rest)


def release(operation_id: str = "l:1", wallet_id: str = SELLER) -> NewOperation:
    """Make a RELEASE of h:1."""
    return operation(operation_id, "0", kind=Kind.RELEASE, refers_to="h:1", wallet_id=wallet_id)


def expire() -> NewOperation:
    """Make the EXPIRE of h:1, as the job does."""
    return operation("h:1:expiry", "0", kind=Kind.EXPIRE, refers_to="h:1")


def test_a_hold_sets_available_money_aside() -> None:
    """What is held is not available, and not gone."""
    assert balances(held()) == ("0.00", "5.00", "10.00")


def test_captures_take_what_is_held_part_by_part() -> None:
    """The last one ends the hold."""
    batch = held()

    decide(batch, [capture("k:1", "4.00"), capture("k:2", "6.00")])

    hold = batch.holds["h:1"]
    assert balances(batch) == ("0.00", "5.00", "0.00")
    assert (hold.open, hold.captured, hold.released) == (0, Decimal(10), 0)
    assert hold.status is HoldStatus.CAPTURED
    assert isinstance(one(batch, release()), errors.HoldResolved)


def test_a_capture_may_let_the_rest_go() -> None:
    """The rest is available again, and the hold has ended."""
    batch = held()

    made = applied(one(batch, capture("k:1", "4.00", rest=True)))

    assert made.change == (Decimal(0), Decimal(6), Decimal(-10))
    assert balances(batch) == ("0.00", "11.00", "0.00")
    assert isinstance(one(batch, capture("k:2", "1.00")), errors.HoldResolved)


def test_no_more_is_captured_than_is_open() -> None:
    """Refused whole, with what is open."""
    batch = held()
    one(batch, capture("k:1", "4.00"))

    refused = one(batch, capture("k:2", "6.01"))

    assert isinstance(refused, errors.HoldExceeded)
    assert refused.metadata == {"holdId": "h:1", "open": "6.00"}
    assert balances(batch) == ("0.00", "5.00", "6.00")


def test_a_release_tells_how_much_it_let_go() -> None:
    """Nobody said how much; the operation does, and again when it is asked for again."""
    batch = held()
    one(batch, capture("k:1", "4.00"))

    first, second = decide(batch, [release(), release()])

    assert applied(first).amount == Decimal(6)
    assert second == Applied(applied(first), replayed=True)


def test_another_wallets_hold_is_not_found() -> None:
    """A hold belongs to its wallet."""
    assert isinstance(one(held(), release(wallet_id=OTHER)), errors.HoldNotFound)


def test_a_hold_that_had_its_time_is_let_go_not_captured() -> None:
    """From that moment on, whether the job has come by or not."""
    batch = held(SOON)
    assert isinstance(one(batch, expire()), errors.HoldNotDue)
    batch.now = SOON

    late, expired = decide(batch, [capture("k:1", "4.00"), expire()])

    assert isinstance(late, errors.HoldExpired)
    assert applied(expired).amount == Decimal(10)
    assert batch.holds["h:1"].status is HoldStatus.EXPIRED
    assert balances(batch) == ("0.00", "15.00", "0.00")


def test_a_hold_that_ends_before_it_begins_is_refused() -> None:
    """It could not be captured by anybody."""
    batch = wallets(wallet(available="15.00"))

    outcome = one(batch, operation("h:1", "1.00", kind=Kind.HOLD, expires_at=NOW))

    assert isinstance(outcome, errors.HoldExpired)
    assert (batch.applied, dict(batch.moved_holds)) == ([], {})


@pytest.mark.parametrize(
    ("again", "differs"),
    [
        (operation("h:1", "10.00", kind=Kind.HOLD, expires_at=SOON), "expiresAt"),
        (operation("h:1", "9.00", kind=Kind.HOLD), "amount,expiresAt"),
    ],
)
def test_a_hold_asked_for_again_must_end_at_the_same_time(
    again: NewOperation, differs: str
) -> None:
    """Its end is part of what was asked for."""
    batch = held(SOON + timedelta(minutes=1))

    outcome = one(batch, again)

    assert isinstance(outcome, errors.OperationReused)
    assert outcome.metadata["differs"] == differs


def test_a_capture_asked_for_again_must_do_the_same_with_the_rest() -> None:
    """Whether the rest goes is part of what was asked for."""
    batch = held()
    one(batch, capture("k:1", "10.00"))

    outcome = one(batch, capture("k:1", "10.00", rest=True))

    assert isinstance(outcome, errors.OperationReused)
    assert outcome.metadata["differs"] == "releasesRest"


def test_a_reversal_leaves_a_hold_of_its_money_standing() -> None:
    """What is held of a credit that is taken back, available owes; the hold can be captured."""
    batch = wallets(pending={Pot(SELLER, "pay_1"): Decimal(0)})
    decide(
        batch,
        [
            operation("c:1", "10.00"),
            operation("s:1", "10.00", kind=Kind.SETTLE),
            operation("h:1", "8.00", kind=Kind.HOLD),
        ],
    )

    taken, captured = decide(batch, [Reversal("c:1"), capture("k:1", "8.00")])

    assert applied(taken).after.available == Decimal(-8)
    assert applied(captured).after[:3] == (Decimal(0), Decimal(-8), Decimal(0))
