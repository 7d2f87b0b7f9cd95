"""Journeys of every kind through every trouble, looked at after every step, for the recording."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product

from payment_svc.domain.actor import Actor
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.payment import CaptureMethod, PartialFailurePolicy, Payment, PaymentMethod
from payment_svc.domain.resolution import Decision
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import engine, late_success
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.late_success import LATE_SUCCESS
from payment_svc.sagas.quarantine import quarantine
from payment_svc.use_cases.retry_saga import let_on
from tests.builders import NOW, make_id, make_order, make_payment
from tests.saga.test_kept import LEFT, leave
from tests.saga.test_late_success import late_attempt
from tests.saga.test_pay_in_machine import begin_second_half
from tests.saga.world import WORDS, Sagas, World

Begin = Callable[[], Sagas]
# After so long a person is asked, whatever it is that does not end.
PATIENCE = timedelta(days=22)
TROUBLE = ("late trouble", "late unknown")
STEPS_MAX = 9
EXPIRED = timedelta(days=8)


def pay_in(**changes: object) -> Sagas:
    """Begin a pay-in of two orders as one."""
    payment = replace(make_payment(make_order("10.00"), make_order("2.50")), **changes)  # type: ignore[arg-type]
    sagas = Sagas(payment, {}, World())
    sagas.begin("pay_in")
    return sagas


def keep_successful() -> Sagas:
    """Begin a pay-in for each of two orders."""
    payment = replace(
        make_payment(make_order("10.00"), make_order("2.50")),
        partial_failure_policy=PartialFailurePolicy.KEEP_SUCCESSFUL,
    )
    sagas = Sagas(payment, {}, World())
    for order in payment.orders:
        sagas.begin("pay_in", order_id=order.order_id)
    return sagas


def by_page() -> Sagas:
    """Begin a checkout session."""
    page = CheckoutPage(
        "https://shop.example/thanks", "https://shop.example/", NOW + timedelta(hours=1)
    )
    return pay_in(payment_token=None, page=page, method=PaymentMethod.WALLET)


def manual() -> Sagas:
    """Begin a payment whose amount is held first."""
    orders = (make_order("10.00"), make_order("10.00"))
    payment = replace(make_payment(*orders), capture_method=CaptureMethod.MANUAL)
    sagas = Sagas(payment, {}, World())
    sagas.begin("authorize")
    return sagas


def late(kind: str) -> Sagas:
    """Begin to give a late charge back."""
    failed = replace(
        make_payment(make_order("10.00")), status=PaymentStatus.FAILED, payment_token=None
    )
    orders = tuple(replace(order, status=OrderStatus.FAILED) for order in failed.orders)
    payment: Payment = replace(failed, orders=orders)
    attempt = late_attempt(kind)
    world = World()
    taken = world.held if kind == "AUTHORIZATION" else world.charged
    taken[attempt.attempt_id] = Decimal(attempt.amount)
    progress = engine.begin(
        LATE_SUCCESS, make_id("sga"), payment, NOW, memory=late_success.facts_of(attempt)
    )
    return Sagas(payment, {"late": progress}, world)


def scripts() -> Iterator[tuple[str, ...]]:
    """Make scripts: all goes well so far, then any two troubles, then all goes well."""
    for well, *trouble in product(range(STEPS_MAX), (*WORDS, *TROUBLE), (*WORDS, *TROUBLE)):
        yield ("done",) * well + tuple(trouble) + ("done",) * 30


def journeys() -> Iterator[Iterator[Sagas]]:
    """Play everything."""
    for script in scripts():
        for begin in (pay_in, by_page, keep_successful):
            yield play(begin(), script)
        for word in ("capture", "part", "cancel", "silence"):
            yield play(manual(), script, word)
        for kind in ("CHARGE", "AUTHORIZATION", "CAPTURE"):
            yield play(late(kind), script)
    for script, decision in product(stuck_refunds(), LEFT):
        for begin in (pay_in, by_page, keep_successful):
            yield play(begin(), script, left=decision)
        for word in ("capture", "part"):
            yield play(manual(), ("done",) * 2 + script, word, decision)


def stuck_refunds() -> Iterator[tuple[str, ...]]:
    """Make scripts: a credit or a booking is refused, the refund met trouble for too long, then
    anything, twice.
    """
    for well, *trouble in product((2, 3), (*WORDS, *TROUBLE), (*WORDS, *TROUBLE)):
        back = ("done",) * (well - 1)
        stuck = ("late trouble",) * 2
        yield ("done",) * well + ("refused", *back, *stuck, *trouble) + ("done",) * 30


def play(
    sagas: Sagas, script: tuple[str, ...], word: str = "", left: Decision | None = None
) -> Iterator[Sagas]:
    """Play a journey by a script, sagas in turn; answer it at every state that is written.

    `word` is what the client says of what is held; `left` how two persons end what cannot be given
    back.
    """
    yield sagas
    for turn, answer in enumerate(script):
        if not sagas.open and left is not None and leave(sagas, left):
            yield sagas
        if not sagas.open and not let_dead_on(sagas):
            if sagas.payment.status is not PaymentStatus.REQUIRES_CAPTURE:
                return
            if word == "silence":
                sagas.now += EXPIRED
            else:
                begin_second_half(sagas, word)
            yield sagas
        if answer in TROUBLE:
            sagas.now += PATIENCE
        names = sagas.open
        sagas.step(names[turn % len(names)], answer.removeprefix("late "))
        yield sagas


def let_dead_on(sagas: Sagas) -> bool:
    """Let all dead letters go on, as operators do; tell whether there were any."""
    dead = [name for name, walk in sagas.walks.items() if _is_dead(walk)]
    for name in dead:
        journey = sagas.walks[name]
        after = let_on(journey.progress, Actor("ann"), "It is mended", sagas.now).progress
        sagas.walks[name] = Journey(after, sagas.payment)
    return bool(dead)


def claim_all(sagas: Sagas) -> None:
    """Have every saga that may go on claimed, as before its step is taken."""
    for name in sagas.open:
        sagas.claim(name)


def quarantine_all(sagas: Sagas) -> None:
    """Lay every saga that may go on before a person."""
    for name in sagas.open:
        walk = sagas.walks[name]
        sagas.walks[name] = quarantine(walk.progress, sagas.payment, "KeyError", sagas.now).after


def _is_dead(walk: Journey) -> bool:
    return walk.progress.queue is Queue.DEAD_LETTER
