"""A PSP takes, holds or captures another amount than was asked for, and two persons say so: it is
given back whole, nothing is kept anywhere, and the payment fails for that reason.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_svc.domain import books
from payment_svc.domain.payment import CaptureMethod, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import engine, late_success
from payment_svc.sagas.charging import void_charge
from payment_svc.sagas.commands import CaptureCharge, ExecuteCharge
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.outcomes import Outcome, Refused, Waiting
from tests.builders import NOW, make_order, make_payment
from tests.saga.test_late_success import late_attempt
from tests.saga.world import Sagas, World

WORDS = st.lists(st.sampled_from(["done", "lost", "trouble"]), max_size=20)
MANUAL = ("authorize", "capture")


class OtherAmount(World):
    """The PSP does what it is asked once, of another amount, and says so until it is resolved."""

    def __init__(self, kind: str, other: Decimal) -> None:
        super().__init__()
        self.kind = kind
        self.other = other
        self.is_resolved = False

    def answer(self, command: ExecuteCharge | CaptureCharge, word: str) -> Outcome:  # type: ignore[override]
        """Answer a command."""
        wanted = CaptureCharge if self.kind == "capture" else ExecuteCharge
        if not isinstance(command, wanted):
            return super().answer(command, word)
        taken = self.held if self.kind == "authorize" else self.charged
        taken[f"{command.attempt_id}l1"] = self.other
        if isinstance(command, CaptureCharge):
            self.captured_of[command.attempt_id] = command.charge_attempt_id
        if self.is_resolved:
            return Refused("AMOUNT_MISMATCH", "The PSP took another amount; it is given back.")
        return Waiting("AMOUNT_MISMATCH", unknown=True)


def begun(kind: str, world: World) -> Sagas:
    """Begin the saga that asks for it; of a capture, the amount is held."""
    payment = make_payment(make_order("10.00"))
    if kind in MANUAL:
        payment = replace(payment, capture_method=CaptureMethod.MANUAL)
    if kind == "capture":
        world.held[books.charge_attempt(payment.payment_id)] = Decimal("10.00")
        payment = _asked_to_capture(payment)
    sagas = Sagas(payment, {}, world)
    sagas.begin(kind)
    return sagas


def _asked_to_capture(payment: Payment) -> Payment:
    """Take a payment to where its client has asked for a capture of a part."""
    for status in (OrderStatus.EXECUTING, OrderStatus.AUTHORIZED, OrderStatus.EXECUTING):
        payment = payment.with_orders([order.move(status) for order in payment.orders])
    part = [replace(order, captured=make_order("7.00").amount) for order in payment.orders]
    return replace(payment.with_orders(part), trail=())


def test_what_is_let_go_is_the_whole_hold() -> None:
    """Of a capture of 7.00 that is refused, all that is held is let go of: 10.00."""
    (journey,) = begun("capture", World()).walks.values()

    assert str(journey.amount) == "7.00"
    assert str(void_charge(journey).amount) == "10.00"


def give_back(sagas: Sagas, world: OtherAmount) -> None:
    """Do what an approved resolution does: the attempt is declined, and a late charge kept."""
    world.is_resolved = True
    taken = world.held if world.kind == "authorize" else world.charged
    (attempt_id,) = (name for name in taken if name.endswith("l1"))
    kinds = {"pay_in": "CHARGE", "authorize": "AUTHORIZATION", "capture": "CAPTURE"}
    late = late_attempt(kinds[world.kind], attempt_id)
    facts = late_success.facts_of(replace(late, amount=str(world.other)))
    progress = engine.begin(
        late_success.LATE_SUCCESS, late_success.saga_id(attempt_id), sagas.payment, NOW,
        memory=facts,
    )  # fmt: skip
    sagas.walks["late"] = engine.Journey(progress, sagas.payment)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["pay_in", "authorize", "capture"]),
    st.sampled_from(["9.99", "10.01", "0.01", "5.00"]),
    st.integers(1, 5),
    WORDS,
    st.randoms(use_true_random=False),
)
def test_nothing_is_kept_of_it(kind: str, other: str, looks: int, words: list[str], rng) -> None:  # type: ignore[no-untyped-def]
    """However both sagas take turns, and whatever answers are lost on the way."""
    world = OtherAmount(kind, Decimal(other))
    sagas = begun(kind, world)
    for _ in range(looks + 2):
        sagas.step(kind, "done")
    waiting = sagas.walks[kind].progress
    assert (waiting.queue, waiting.reason) == (Queue.WAITING, "AMOUNT_MISMATCH")
    assert sagas.payment.status is PaymentStatus.PROCESSING

    give_back(sagas, world)
    script = iter([*words, *["done"] * 100])
    while sagas.open:
        sagas.step(rng.choice(sagas.open), next(script))

    assert {walk.progress.queue for walk in sagas.walks.values()} == {Queue.DONE}
    assert world.kept == 0
    assert world.credited == {}
    assert sum(world.posted.values()) == 0
    late_holds = {name for name in world.held if name.endswith("l1")}
    assert late_holds <= world.voided
    assert sagas.payment.status is PaymentStatus.FAILED
    assert sagas.payment.failure is not None
    assert sagas.payment.failure.reason == "AMOUNT_MISMATCH"


@pytest.mark.parametrize("reason", ["PSP_CANCELLED", "AMOUNT_MISMATCH"])
def test_a_hold_is_let_go_of_unless_it_was_captured_otherwise(reason: str) -> None:
    """What the PSP captured of it, of whatever amount, is given back by the late success alone."""
    world = OtherAmount("capture", Decimal("10.00"))
    sagas = begun("capture", world)
    sagas.step("capture", "done")
    if reason == "PSP_CANCELLED":
        world.kind = "pay_in"  # it captures as it is asked
        world.declined.add(books.capture_attempt(sagas.payment.payment_id))
    world.is_resolved = True

    while sagas.open:
        sagas.step("capture", "done")

    held = books.charge_attempt(sagas.payment.payment_id)
    assert world.voided == ({held} if reason == "PSP_CANCELLED" else set())
