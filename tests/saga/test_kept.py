"""What a PSP has still after two persons gave up giving it back: in suspense, whole, once, before
the saga ends; and nothing else is.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.money import Money
from payment_svc.domain.payment import Payment
from payment_svc.domain.resolution import Decision
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import engine, resolving
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import Command, PostKeptCharge, RefundCharge, VoidCharge
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Done, Outcome, Refused, Waiting
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.use_cases.approve_resolution import conclude
from tests.builders import NOW, make_journey, make_order, make_payment
from tests.saga.test_resolutions import make_resolution
from tests.saga.world import Sagas, World

POLICY = RetryPolicy()
CHARGED = Done({"psp": "stripe", "psp_reference": "pi_1"})
FROZEN = Refused("WALLET_FROZEN", "No.")
TOO_OLD = Refused("CHARGE_TOO_OLD", "No.")
OTHER_AMOUNT = Waiting("AMOUNT_MISMATCH", unknown=True)
LEFT = (Decision.GIVE_UP, Decision.DONE_BY_HAND)
TEN = Decimal("10.00")


def advanced(journey: Journey, outcome: Outcome, after: timedelta = timedelta(0)) -> Journey:
    """Take a step."""
    return engine.advance(
        SAGAS[journey.progress.kind], journey.with_progress(queue=Queue.PAYMENT), outcome,
        started_at=NOW, now=NOW + after, chance=0.1, policy=POLICY,
    ).after  # fmt: skip


def walked(journey: Journey, *outcomes: Outcome) -> Journey:
    """Walk until it stands before a person; the last comes days later."""
    for outcome in outcomes[:-1]:
        journey = advanced(journey, outcome)
    dead = advanced(journey, outcomes[-1], timedelta(days=3))
    assert dead.progress.queue is Queue.DEAD_LETTER
    return dead


def resolved(dead: Journey, decision: Decision, reference: str = "") -> Journey:
    """Have two persons end the step."""
    said = replace(make_resolution(dead, decision), psp_reference=reference)
    move = conclude(said, dead, word=None, policy=POLICY, now=NOW).move
    assert move is not None
    return move.after


def asked(journey: Journey) -> Command | None:
    """Tell what the saga asks for now."""
    return engine.command(SAGAS[journey.progress.kind], journey)


def paid() -> Payment:
    """Make a payment of two orders."""
    return make_payment(make_order("10.00"), make_order("2.50"))


def captured_in_part() -> Payment:
    """Make a payment of which 4.00 of one order is captured, and nothing of the other."""
    first, second = paid().orders
    part, nothing = Money.parse("4.00", "USD"), Money.zero("USD")
    return make_payment(replace(first, captured=part), replace(second, captured=nothing))


@pytest.mark.parametrize("decision", LEFT)
@pytest.mark.parametrize("last", [TOO_OLD, OTHER_AMOUNT], ids=["refused", "another amount"])
@pytest.mark.parametrize(
    ("kind", "payment", "amount", "attempt"),
    [
        ("pay_in", paid(), "12.50", "c1"),
        ("capture", paid(), "12.50", "k1"),
        ("capture", captured_in_part(), "4.00", "k1"),
    ],
    ids=["pay_in", "capture", "a part"],
)
def test_what_is_left_is_booked_before_the_saga_ends(
    kind: str, payment: Payment, amount: str, attempt: str, last: Outcome, decision: Decision
) -> None:
    """As much as was taken, by a reference of the charge's own; the payment fails after that."""
    begun = make_journey(payment, SAGAS[kind])
    dead = walked(begun, Done(), CHARGED, FROZEN, Done(), last)

    left = resolved(dead, decision)
    command = asked(left)
    ended = advanced(left, Done())

    assert isinstance(command, PostKeptCharge)
    charge = f"att_{payment.payment_id[4:]}{attempt}"
    assert command.reference == f"charge:{charge}:kept"
    assert (command.attempt_id, str(command.amount), command.psp) == (charge, amount, "stripe")
    assert (left.progress.queue, left.payment.status) == (Queue.RETRY, PaymentStatus.PROCESSING)
    assert (ended.progress.queue, ended.payment.status) == (Queue.DONE, PaymentStatus.FAILED)


def test_each_order_that_is_charged_alone_has_its_own() -> None:
    """Of one payment, by the order's charge."""
    payment = paid()
    names = set()
    for order in payment.orders:
        begun = make_journey(payment).with_progress(order_id=order.order_id)
        command = asked(resolved(walked(begun, Done(), CHARGED, FROZEN, Done(), TOO_OLD), LEFT[0]))
        assert isinstance(command, PostKeptCharge)
        assert command.amount == order.amount
        names.add(command.reference)

    assert names == {f"charge:att_{order.order_id[4:]}c1:kept" for order in payment.orders}


@pytest.mark.parametrize("kind", ["pay_in", "capture"])
def test_what_the_psp_gave_back_by_hand_is_not_booked(kind: str) -> None:
    """It has nothing more of it."""
    dead = walked(make_journey(paid(), SAGAS[kind]), Done(), CHARGED, FROZEN, Done(), TOO_OLD)

    assert resolved(dead, Decision.DONE_BY_HAND, "re_1").progress.queue is Queue.DONE


def test_what_is_only_held_is_in_no_book() -> None:
    """A hold that two persons give up to let go of ends by itself."""
    begun = make_journey(paid(), SAGAS["capture"])
    dead = walked(begun, Done(), Refused("PSP_CANCELLED", "No."), TOO_OLD)
    assert isinstance(asked(dead), VoidCharge)

    assert resolved(dead, Decision.GIVE_UP).progress.queue is Queue.DONE


def test_a_booking_that_is_refused_is_tried_again_and_not_overruled() -> None:
    """The ledger answers truly: two persons can end a refund, and not the booking of it."""
    dead = walked(make_journey(paid()), Done(), CHARGED, FROZEN, Done(), TOO_OLD)
    stuck = advanced(resolved(dead, Decision.GIVE_UP), Refused("ACCOUNT_CLOSED", "No."))

    assert (stuck.progress.queue, stuck.progress.step) == (Queue.DEAD_LETTER, "book_kept")
    assert resolving.fitting(stuck) == ()
    assert stuck.payment.status is PaymentStatus.PROCESSING


@pytest.mark.parametrize("kind", ["pay_in", "capture"])
def test_nobody_else_goes_that_way(kind: str) -> None:
    """Neither a payment that succeeds nor one that is given back has it in its journal."""
    begun = make_journey(paid(), SAGAS[kind])
    for outcomes in (
        (Done(), CHARGED, Done(), Done()),
        (Done(), CHARGED, FROZEN, Done(), Done()),
        (Done(), Refused("CARD_DECLINED", "No."), Done()),
    ):
        journey, steps = begun, list[str]()
        for outcome in outcomes:
            if journey.progress.queue is Queue.DONE:
                break
            steps.append(journey.progress.step)
            journey = advanced(journey, outcome)
        assert journey.progress.queue is Queue.DONE
        assert "book_kept" not in steps
        assert journey.progress.journal_length == len(set(steps)) + _undone(journey, steps)


def _undone(journey: Journey, steps: list[str]) -> int:
    """Count what was taken on beside the steps that asked: the last one, or all on the way back."""
    saga = SAGAS[journey.progress.kind]
    names = [step.name for step in saga.steps if not step.is_detour]
    is_back = journey.progress.turned_round
    furthest = max(names.index(name) for name in steps)
    return 1 if not is_back else furthest + 1


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["pay_in", "capture"]),
    script=st.lists(st.sampled_from(["done", "lost", "trouble", "refused", "psp_trouble"])),
    decision=st.sampled_from(LEFT),
)
def test_whatever_happens_suspense_has_what_the_psp_has(
    kind: str, script: list[str], decision: Decision
) -> None:
    """No refund is ever possible; whatever else is answered, lost or tried again: what was kept is
    sold, or in suspense, and each once.
    """
    sagas = begin(kind)
    words = iter([*script, *["done"] * 100])
    while sagas.open or leave(sagas, decision) or let_go_on(sagas):
        sagas.step(sagas.open[0], next(words))

    world, order = sagas.world, sagas.payment.orders[0]
    assert sagas.walks[kind].progress.queue is Queue.DONE
    sold = TEN if order.status is OrderStatus.SUCCESS else Decimal(0)
    assert world.kept == sum(world.posted.values()) in (sold, TEN)
    assert sum(world.credited.values()) == sold
    kept = [name for name in world.posted if name.endswith(":kept")]
    assert len(kept) == (world.kept > sold)


class NoRefunds(World):
    """A PSP that gives nothing back."""

    def answer(self, command: Command, word: str) -> Outcome:
        """See `World`."""
        if isinstance(command, RefundCharge):
            return TOO_OLD
        return super().answer(command, word)


def dead(sagas: Sagas) -> list[str]:
    """Name who stands before a person."""
    walks = sagas.walks.items()
    return [name for name, walk in walks if walk.progress.queue is Queue.DEAD_LETTER]


def leave(sagas: Sagas, decision: Decision) -> bool:
    """Have two persons leave with the PSP what is not given back; tell whether there was any."""
    stuck = [name for name in dead(sagas) if isinstance(asked(sagas.walks[name]), RefundCharge)]
    for name in stuck:
        sagas.walks[name] = resolved(sagas.walks[name].with_payment(sagas.payment), decision)
    return bool(stuck)


def let_go_on(sagas: Sagas) -> bool:
    """Let all others go on; tell whether there were any."""
    stuck = dead(sagas)
    for name in stuck:
        sagas.walks[name] = sagas.walks[name].with_progress(queue=Queue.PAYMENT)
    return bool(stuck)


def begin(kind: str) -> Sagas:
    """Begin a pay-in, or the capture of what is held."""
    order = make_order("10.00")
    payment, world = make_payment(order), NoRefunds()
    if kind == "capture":
        held = replace(order, status=OrderStatus.EXECUTING, captured=order.amount)
        payment = replace(make_payment(held), status=PaymentStatus.PROCESSING)
        world.held[f"att_{payment.payment_id[4:]}c1"] = TEN
    sagas = Sagas(payment, {}, world)
    sagas.begin(kind)
    return sagas
