"""Any outcomes in any order: the sagas end, the books are square, the story holds together."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.money import Money
from payment_svc.domain.payment import CaptureMethod, PartialFailurePolicy, Payment
from payment_svc.domain.statuses import PAYMENT_MOVES, OrderStatus, PaymentStatus
from payment_svc.sagas import engine
from payment_svc.sagas.authorize import AUTHORIZE
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.use_cases.capture_payment import CapturePayment, captured
from tests.builders import NOW, make_asked, make_id, make_order, make_payment
from tests.saga.world import WORDS, Sagas, World

words = st.lists(st.sampled_from(WORDS), max_size=40)
TEN = Decimal("10.00")


def finish(sagas: Sagas, data: st.DataObject, script: list[str]) -> None:
    """Walk whoever is open, in any order, through the script and then without trouble."""
    words = iter([*script, *["done"] * 200])
    while sagas.open:
        sagas.step(data.draw(st.sampled_from(sagas.open)), next(words))


def assert_story(sagas: Sagas) -> None:
    """Every status followed from the one before, and none is left out of the count."""
    steps = list(zip(sagas.statuses, sagas.statuses[1:], strict=False))
    assert all(after in PAYMENT_MOVES[before] for before, after in steps)
    assert sagas.payment.version == len(sagas.statuses)
    assert all(walk.progress.queue is Queue.DONE for walk in sagas.walks.values())


@settings(max_examples=300, deadline=None)
@given(data=st.data(), script=words, order_count=st.integers(1, 3))
def test_all_or_nothing_ends_square(
    data: st.DataObject, script: list[str], order_count: int
) -> None:
    """Whatever is answered, in the end either all is booked once, or all is given back."""
    payment = make_payment(*(make_order("10.00") for _ in range(order_count)))
    world = World()
    sagas = Sagas(payment, {"pay_in": engine.begin(PAY_IN, make_id("sga"), payment, NOW)}, world)

    finish(sagas, data, script)

    assert_story(sagas)
    statuses = {order.status for order in sagas.payment.orders}
    if sagas.payment.status is PaymentStatus.COMPLETED:
        assert world.kept == payment.amount.amount == sum(world.posted.values())
        assert len(world.credited) == order_count
        assert statuses == {OrderStatus.SUCCESS}
        assert sagas.payment.executed_at is not None
    else:
        assert sagas.payment.status is PaymentStatus.FAILED
        assert statuses == {OrderStatus.FAILED}
        assert world.kept == 0
        assert not world.credited
        assert not world.posted
        assert sagas.payment.failure is not None
    assert len(world.charged) <= 1
    assert sagas.payment.payment_token is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), script=words, order_count=st.integers(1, 3))
def test_keep_successful_ends_square(
    data: st.DataObject, script: list[str], order_count: int
) -> None:
    """Each order ends by itself, however their sagas interleave: booked once, or given back."""
    payment = replace(
        make_payment(*(make_order("10.00") for _ in range(order_count))),
        partial_failure_policy=PartialFailurePolicy.KEEP_SUCCESSFUL,
    )
    begun = {
        order.order_id: engine.begin(PAY_IN, make_id("sga"), payment, NOW, order_id=order.order_id)
        for order in payment.orders
    }
    world = World()
    sagas = Sagas(payment, begun, world)

    finish(sagas, data, script)

    assert_story(sagas)
    orders = sagas.payment.orders
    kept = [order for order in orders if order.status is OrderStatus.SUCCESS]
    failed = [order for order in orders if order.status is OrderStatus.FAILED]
    assert len(kept) + len(failed) == order_count
    assert world.kept == TEN * len(kept) == sum(world.posted.values())
    assert set(world.credited) == {f"order:{order.order_id}:credit" for order in kept}
    assert all(order.failure for order in failed)
    expected = (
        PaymentStatus.COMPLETED
        if not failed
        else PaymentStatus.PARTIALLY_COMPLETED
        if kept
        else PaymentStatus.FAILED
    )
    assert sagas.payment.status is expected
    assert sagas.payment.payment_token is None


def release(payment: Payment) -> Payment:
    """Move the orders as CancelPayment does."""
    return payment.with_orders([order.move(OrderStatus.EXECUTING) for order in payment.orders])


@settings(max_examples=400, deadline=None)
@given(
    data=st.data(),
    script=words,
    later=words,
    word=st.sampled_from(["capture", "part", "cancel", "silence"]),
    expiry_first=st.booleans(),
)
def test_manual_capture_ends_square(
    data: st.DataObject, script: list[str], later: list[str], word: str, expiry_first: bool
) -> None:
    """What was held is captured once, or let go; never both, never neither."""
    payment = replace(
        make_payment(make_order("10.00"), make_order("10.00")),
        capture_method=CaptureMethod.MANUAL,
    )
    world = World()
    begun = {"authorize": engine.begin(AUTHORIZE, make_id("sga"), payment, NOW)}
    sagas = Sagas(payment, begun, world)
    finish(sagas, data, script)
    if sagas.payment.status is PaymentStatus.REQUIRES_CAPTURE:
        if word == "silence" or expiry_first:
            sagas.now += timedelta(days=8)
            sagas.step("expire", "done")  # it takes the payment
        if sagas.payment.status is PaymentStatus.REQUIRES_CAPTURE:
            begin_second_half(sagas, word)
        finish(sagas, data, later)
        sagas.now += timedelta(days=8)
        finish(sagas, data, later)

    assert_story(sagas)
    status = sagas.payment.status
    if status in (PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_COMPLETED):
        taken = sum(order.taken.amount for order in sagas.payment.orders)
        assert taken == (Decimal("4.00") if word == "part" else 2 * TEN)
        assert world.kept == taken == sum(world.posted.values()) == sum(world.credited.values())
        assert not world.voided
    else:
        assert status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
        assert world.kept == 0
        assert not world.credited
        assert not world.posted
        assert set(world.held) <= world.voided | set(world.captured_of.values())
    assert sagas.payment.capture_before is None


def begin_second_half(sagas: Sagas, word: str) -> None:
    """Let the client say what becomes of the held amount."""
    if word == "cancel":
        sagas.decide(release)
        sagas.begin("void")
        return
    first = sagas.payment.orders[0].payment_order_id
    by_order = {first: "4.00"} if word == "part" else {}
    command = CapturePayment(make_asked("CapturePayment"), sagas.payment.payment_id, "", by_order)
    sagas.decide(lambda payment: captured(command, payment))
    sagas.begin("capture")
    assert sagas.payment.orders[0].captured == Money.parse(
        "4.00" if word == "part" else "10.00", "USD"
    )
