"""Whether a payment is sound: its status, its orders, its sagas, what PSPs kept for it and what the
ledger booked. Each thing that is not is told with ids and amounts.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from payment_svc.domain import books
from payment_svc.domain.payment import PartialFailurePolicy, Payment
from payment_svc.domain.statuses import FINAL, OrderStatus, PaymentStatus
from payment_svc.domain.testimony import Attempt

# Workers look every half second; what is due for longer nobody will take up.
_OVERDUE = timedelta(minutes=5)
_TAKES = frozenset({"CHARGE", "CAPTURE"})
_NOT_DUE = "NOT_DUE"
_DONE = frozenset({OrderStatus.SUCCESS, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED})
_NOTHING_KEPT = frozenset(
    {PaymentStatus.FAILED, PaymentStatus.CANCELLED, PaymentStatus.REQUIRES_CAPTURE}
)
_COMPLETE = frozenset({PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_COMPLETED})
_ZERO = Decimal()


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is wrong with a payment; `invariant` is I4 to I8."""

    invariant: str
    payment_id: str
    how: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a saga stands; queues are PAYMENT, RETRY, WAITING, DEAD_LETTER and DONE.

    Attributes:
        left_at_psp: the charge that two persons left with its PSP, and that no order is paid by.
    """

    saga_id: str
    kind: str
    queue: str
    reason: str
    due_at: datetime | None
    left_at_psp: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is under way, and does not merely wait for a date."""
        is_dated = self.queue == "WAITING" and self.reason == _NOT_DUE
        return self.queue in ("PAYMENT", "RETRY", "WAITING") and not is_dated


def is_at_rest(sagas: Sequence[Standing]) -> bool:
    """Tell whether nothing moves a payment, and no person is waited for."""
    return not any(saga.is_open or saga.queue == "DEAD_LETTER" for saga in sagas)


def kept_at_psps(attempts: Sequence[Attempt]) -> dict[str, Decimal]:
    """Sum what PSPs took and did not give back, by the clearing account that it belongs on."""
    kept: dict[str, Decimal] = {}
    for attempt in attempts:
        if attempt.outcome != "SUCCEEDED" or attempt.kind not in (*_TAKES, "REFUND"):
            continue
        account = books.clearing_account(attempt.psp, attempt.currency)
        amount = Decimal(attempt.amount)
        signed = amount if attempt.kind in _TAKES else -amount
        kept[account] = kept.get(account, _ZERO) + signed
    return kept


def violations(
    payment: Payment, sagas: Sequence[Standing], attempts: Sequence[Attempt], now: datetime
) -> Iterator[Violation]:
    """Tell what is wrong with a payment but for what the ledger booked; I8 only at rest."""
    told = [("I5", how) for how in _charged_twice(payment, attempts)]
    kept = sum(kept_at_psps(attempts).values(), _ZERO)
    if kept < 0:
        told.append(("I6", f"{-kept} {payment.currency} more went back than was taken"))
    told += [("I7", how) for how in _forgotten(payment, sagas, now)]
    if is_at_rest(sagas):
        left = {saga.left_at_psp for saga in sagas} - {""}
        told += [("I5", how) for how in _kept_late(attempts, left)]
        told += [("I8", how) for how in _disagreeing(payment, kept - _sum_of(left, attempts))]
    for invariant, how in told:
        yield Violation(invariant, payment.payment_id, how)


def misbooked(
    payment_id: str, kept: Mapping[str, Decimal], booked: Mapping[str, Decimal]
) -> Iterator[Violation]:
    """Tell clearing accounts on which another amount is booked for a payment than PSPs kept."""
    for account in sorted(kept.keys() | booked.keys()):
        there, here = kept.get(account, _ZERO), booked.get(account, _ZERO)
        if there != here:
            how = f"{there} was kept, {here} is booked on {account}"
            yield Violation("I4", payment_id, how)


def _not_given_back(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Find what took money and was not given back whole; a refund names its charge by its own
    id.
    """
    done = [attempt for attempt in attempts if attempt.outcome == "SUCCEEDED"]
    returned = {(one.attempt_id, one.amount) for one in done if one.kind == "REFUND"}
    return [
        one
        for one in done
        if one.kind in _TAKES and (books.refund_attempt(one.attempt_id), one.amount) not in returned
    ]


def _sum_of(names: Set[str], attempts: Sequence[Attempt]) -> Decimal:
    """Sum what was taken by some charges; whether suspense has it, the books tell."""
    live = _not_given_back(attempts)
    return sum((Decimal(one.amount) for one in live if one.attempt_id in names), _ZERO)


def _kept_late(attempts: Sequence[Attempt], left: Set[str]) -> Iterator[str]:
    """Find charges that came after they had been given up, but for those that two persons left with
    their PSP: no order is paid by them.
    """
    for one in _not_given_back(attempts):
        if books.is_late(one.attempt_id) and one.attempt_id not in left:
            yield f"{one.attempt_id} {one.amount} was charged late and is not given back"


def _charged_twice(payment: Payment, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Count the charges that were not given back whole, but for those that came late: they may be
    under way back, and count once the payment is at rest.
    """
    live = [one for one in _not_given_back(attempts) if not books.is_late(one.attempt_id)]
    per_order = payment.partial_failure_policy is PartialFailurePolicy.KEEP_SUCCESSFUL
    most = len(payment.orders) if per_order else 1
    whole = sum((Decimal(one.amount) for one in live), _ZERO)
    if len(live) > most or whole > payment.amount.amount:
        names = ", ".join(f"{one.attempt_id} {one.amount}" for one in live)
        yield f"is charged {len(live)} times, {most} at most, {payment.amount} in all: {names}"


def _forgotten(payment: Payment, sagas: Sequence[Standing], now: datetime) -> Iterator[str]:
    for saga in sagas:
        name = f"{saga.saga_id} ({saga.kind})"
        if saga.queue == "DEAD_LETTER" and not saga.reason:
            yield f"{name} is a dead letter without a reason"
        elif saga.queue in ("PAYMENT", "RETRY", "WAITING") and saga.due_at is None:
            yield f"{name} stands in {saga.queue} and is never due"
        elif saga.due_at is not None and saga.due_at < now - _OVERDUE:
            yield f"{name} was due at {saga.due_at:%Y-%m-%d %H:%M:%S} and nobody took it up"
    if payment.status not in FINAL and all(saga.queue == "DONE" for saga in sagas):
        yield f"is {payment.status}, and no saga moves it"


def _disagreeing(payment: Payment, kept: Decimal) -> Iterator[str]:
    """Compare the status with the orders' and with what PSPs kept."""
    done = [order for order in payment.orders if order.status in _DONE]
    owed = sum((order.taken.amount for order in done), _ZERO)
    statuses = ", ".join(sorted({order.status for order in payment.orders}))
    if payment.status in _NOTHING_KEPT and kept:
        yield f"is {payment.status}, but {kept} {payment.currency} is kept"
    if payment.status in _NOTHING_KEPT and done:
        yield f"is {payment.status}, its orders are {statuses}"
    if payment.status in _COMPLETE and kept != owed:
        yield f"is {payment.status} of {owed} {payment.currency}, but {kept} is kept"
    if payment.status is PaymentStatus.COMPLETED and len(done) != len(payment.orders):
        yield f"is COMPLETED, its orders are {statuses}"
    if payment.status is PaymentStatus.REFUNDED and kept:
        yield f"is REFUNDED, but {kept} {payment.currency} is kept"
