"""What is sound of a payment, and the audit that walks many: each wrong is named, none is told that
only moved between two reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from chassis.errors import Unavailable
from chassis.money import Money
from payment_svc.audit_ports import Audited, Booked, Place, Unreadable
from payment_svc.domain.payment import PartialFailurePolicy, Payment
from payment_svc.domain.soundness import Standing, Violation, misbooked, violations
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.domain.testimony import Attempt
from payment_svc.use_cases.audit_payments import PAGE, Progress, audit_payments
from tests.builders import NOW, make_order, make_payment

CLEARING = "psp:stripe:clearing:USD"
LATER = NOW + timedelta(hours=1)


def make_completed(amount: str = "10.00") -> Payment:
    """Make a completed payment of one order."""
    order = replace(make_order(amount), status=OrderStatus.SUCCESS)
    return replace(make_payment(order), status=PaymentStatus.COMPLETED)


def make_attempt(
    payment: Payment, kind: str = "CHARGE", amount: str = "10.00", end: str = "c1"
) -> Attempt:
    """Make an attempt that succeeded."""
    return Attempt(
        attempt_id=f"att_{payment.payment_id[4:]}{end}",
        kind=kind,
        outcome="SUCCEEDED",
        delivery="ANSWERED",
        psp="stripe",
        psp_reference="pi_1",
        amount=amount,
        currency="USD",
        reason="",
        psp_code="",
        message="",
        request_count=1,
        created_at=NOW,
        updated_at=NOW,
    )


def make_standing(
    queue: str = "DONE", reason: str = "", due_at: datetime | None = None, left_at_psp: str = ""
) -> Standing:
    """Make where a saga stands."""
    return Standing("sga_1", "pay_in", queue, reason, due_at, left_at_psp)


def found(
    payment: Payment, attempts: Sequence[Attempt], *sagas: Standing, now: datetime = NOW
) -> list[str]:
    """Name the invariants that do not hold."""
    judged = violations(payment, sagas or (make_standing(),), attempts, now)
    return [violation.invariant for violation in judged]


def test_a_completed_payment_is_sound() -> None:
    """Charged once, kept, and done."""
    payment = make_completed()

    assert found(payment, [make_attempt(payment)]) == []


def test_a_charge_given_back_whole_is_no_charge() -> None:
    """A saga that turned round leaves a failed payment of which nothing is kept."""
    order = replace(make_order("10.00"), status=OrderStatus.FAILED)
    payment = replace(make_payment(order), status=PaymentStatus.FAILED)
    both = [make_attempt(payment), make_attempt(payment, "REFUND", end="c1r1")]

    assert found(payment, both) == []
    assert found(payment, both[:1]) == ["I8"]


def test_two_charges_are_one_too_many_unless_each_order_has_its_own() -> None:
    """KEEP_SUCCESSFUL charges order by order; more than was owed is never right."""
    payment = make_completed()
    two = [make_attempt(payment, amount="5.00"), make_attempt(payment, amount="5.00", end="c2")]
    orders = tuple(replace(make_order("5.00"), status=OrderStatus.SUCCESS) for _ in range(2))
    per_order = PartialFailurePolicy.KEEP_SUCCESSFUL
    keeping = replace(payment, orders=orders, partial_failure_policy=per_order)

    assert found(payment, two) == ["I5"]
    assert found(keeping, two) == []
    assert found(payment, [make_attempt(payment, amount="10.01")]) == ["I5", "I8"]


@pytest.mark.parametrize("kind", ["CHARGE", "CAPTURE"])
def test_a_late_charge_offends_until_it_is_given_back(kind: str) -> None:
    """Beside the one that paid, or alone: no order is paid by it. Given back, it is no charge."""
    paid = make_completed()
    charge, late = make_attempt(paid), make_attempt(paid, kind, end="c1l1")
    back = make_attempt(paid, "REFUND", end="c1l1r1")
    order = replace(make_order("10.00"), status=OrderStatus.FAILED)
    failed = replace(make_payment(order), payment_id=paid.payment_id, status=PaymentStatus.FAILED)

    assert set(found(paid, [charge, late])) == {"I5", "I8"}
    assert found(paid, [charge, late, back]) == []
    assert set(found(failed, [late])) == {"I5", "I8"}
    assert found(failed, [late, back]) == []


def test_a_late_charge_of_an_order_beside_others_offends() -> None:
    """Where each order has its own charge, the number alone does not tell."""
    orders = (
        replace(make_order("5.00"), status=OrderStatus.SUCCESS),
        replace(make_order("5.00"), status=OrderStatus.FAILED),
    )
    per_order = PartialFailurePolicy.KEEP_SUCCESSFUL
    payment = replace(
        make_payment(*orders),
        partial_failure_policy=per_order,
        status=PaymentStatus.PARTIALLY_COMPLETED,
    )
    paid = make_attempt(payment, amount="5.00")
    late = make_attempt(payment, amount="5.00", end="c2l1")
    back = make_attempt(payment, "REFUND", "5.00", end="c2l1r1")

    assert set(found(payment, [paid, late])) == {"I5", "I8"}
    assert found(payment, [paid, late, back]) == []


def test_a_late_charge_that_is_being_given_back_is_in_flight() -> None:
    """While its saga runs, or a person has it, it is listed as in flight."""
    payment = replace(
        make_payment(replace(make_order("10.00"), status=OrderStatus.FAILED)),
        status=PaymentStatus.FAILED,
    )
    late = [make_attempt(payment, end="c1l1")]

    assert found(payment, late, make_standing("RETRY", due_at=NOW)) == []
    assert found(payment, late, make_standing("DEAD_LETTER", "refused: X")) == []


def test_more_given_back_than_taken() -> None:
    """Also in flight."""
    payment = make_completed()
    refund = make_attempt(payment, "REFUND", "10.01", end="r9")
    open_saga = make_standing("RETRY", due_at=NOW)

    assert found(payment, [make_attempt(payment), refund], open_saga) == ["I6"]


@pytest.mark.parametrize(
    ("saga", "wrong"),
    [
        (make_standing("DEAD_LETTER"), ["I7"]),
        (make_standing("DEAD_LETTER", "PSP_UNKNOWN"), []),
        (make_standing("RETRY"), ["I7"]),
        (make_standing("RETRY", due_at=NOW - timedelta(minutes=6)), ["I7"]),
        (make_standing("WAITING", "NOT_DUE", NOW + timedelta(days=7)), []),
        (make_standing(), ["I7"]),
    ],
    ids=str,
)
def test_sagas_that_nothing_moves(saga: Standing, wrong: list[str]) -> None:
    """Dead without a reason, never due, overdue, or done although the payment is not."""
    payment = replace(make_payment(make_order("10.00")), status=PaymentStatus.PROCESSING)

    assert found(payment, [], saga) == wrong


@pytest.mark.parametrize(
    ("status", "order", "kept", "wrong"),
    [
        (PaymentStatus.COMPLETED, OrderStatus.SUCCESS, "10.00", []),
        (PaymentStatus.COMPLETED, OrderStatus.SUCCESS, "9.99", ["I8"]),
        (PaymentStatus.COMPLETED, OrderStatus.CANCELLED, None, ["I8"]),
        (PaymentStatus.CANCELLED, OrderStatus.CANCELLED, "10.00", ["I8"]),
        (PaymentStatus.FAILED, OrderStatus.SUCCESS, None, ["I8"]),
        (PaymentStatus.REFUNDED, OrderStatus.REFUNDED, "10.00", ["I8"]),
    ],
)
def test_a_status_that_the_money_does_not_bear_out(
    status: PaymentStatus, order: OrderStatus, kept: str | None, wrong: list[str]
) -> None:
    """What the API says agrees with the orders and with what was kept."""
    payment = replace(make_payment(replace(make_order("10.00"), status=order)), status=status)

    assert found(payment, [make_attempt(payment, amount=kept)] if kept else []) == wrong


def test_a_part_that_was_captured_is_what_is_owed() -> None:
    """What the client asked to capture counts, not what was held."""
    order = replace(make_order("10.00"), status=OrderStatus.SUCCESS)
    payment = replace(
        make_payment(replace(order, captured=Money.parse("4.00", "USD"))),
        status=PaymentStatus.COMPLETED,
    )

    assert found(payment, [make_attempt(payment, "CAPTURE", "4.00", "k1")]) == []


def test_books_are_compared_account_by_account() -> None:
    """Another amount, another account, and nothing at all are told."""
    kept = {CLEARING: Decimal(10)}

    assert list(misbooked("pay_1", kept, kept)) == []
    assert len(list(misbooked("pay_1", kept, {CLEARING: Decimal(9)}))) == 1
    assert len(list(misbooked("pay_1", kept, {"psp:adyen:clearing:USD": Decimal(10)}))) == 2


@dataclass
class Mesh:
    """Payments, attempts and books in memory; `moves` and what is tried `late` come to pass before
    payments are read again.
    """

    payments: dict[str, Audited] = field(default_factory=dict)
    tried: dict[str, list[Attempt]] = field(default_factory=dict)
    books: dict[str, Decimal] = field(default_factory=dict)
    moves: dict[str, Audited] = field(default_factory=dict)
    late: dict[str, list[Attempt]] = field(default_factory=dict)
    is_down: bool = False

    def complete(self) -> Payment:
        """Complete a payment, charged and booked."""
        payment = make_completed()
        self.payments[payment.payment_id] = Audited(payment, (make_standing(),))
        self.tried[payment.payment_id] = [make_attempt(payment)]
        self.books[payment.payment_id] = Decimal(10)
        return payment

    async def page(
        self, created_from: datetime, created_to: datetime, after: str, limit: int
    ) -> Sequence[Audited]:
        """See `AuditStore.page`."""
        assert created_from < created_to
        return [self.payments[key] for key in sorted(self.payments) if key > after][:limit]

    async def find(self, payment_ids: Sequence[str]) -> Sequence[Audited]:
        """See `AuditStore.find`."""
        self.payments |= self.moves
        self.tried |= self.late
        return [self.payments[payment_id] for payment_id in payment_ids]

    async def attempts(self, payment_ids: Sequence[str]) -> Mapping[str, Sequence[Attempt]]:
        """See `AuditWitnesses.attempts`."""
        if self.is_down:
            raise Unavailable("It is down.")
        assert len(payment_ids) <= PAGE
        return {key: self.tried[key] for key in payment_ids if key in self.tried}

    async def booked(self, account_id: str, since: datetime) -> Booked:
        """See `AuditWitnesses.booked`."""
        return Booked(dict(self.books) if account_id == CLEARING else {})

    async def booked_for(self, payment_id: str) -> Booked:
        """See `AuditWitnesses.booked_for`."""
        found = {CLEARING: self.books[payment_id]} if payment_id in self.books else {}
        return Booked(found)

    async def rested(
        self, since: datetime, after: Place | None, limit: int
    ) -> Sequence[tuple[Place, str]]:
        """See `AuditStore.rested`."""
        return []

    async def read(self, payment_ids: Sequence[str]) -> Sequence[Audited | Unreadable]:
        """See `AuditStore.read`."""
        return [self.payments[payment_id] for payment_id in payment_ids]


async def audit(mesh: Mesh) -> tuple[list[Violation], Progress]:
    """Audit it all."""
    told = [
        one
        async for one in audit_payments(
            mesh, mesh, lambda: LATER, created_from=NOW, created_to=LATER
        )
    ]
    assert isinstance(told[-1], Progress)
    return [one for one in told if isinstance(one, Violation)], told[-1]


@pytest.mark.parametrize("count", [0, 1, PAGE, PAGE + 1])
async def test_all_pages_are_judged(count: int) -> None:
    """Neither the last of a page nor the first of the next is left out."""
    mesh = Mesh()
    for _ in range(count):
        mesh.complete()
    wrong = list(mesh.payments)[-1:]
    for payment_id in wrong:
        mesh.tried[payment_id] = []

    told, progress = await audit(mesh)

    assert {violation.payment_id for violation in told} == set(wrong)
    assert (progress.payment_count, progress.is_done) == (count, True)
    assert progress.violation_count == len(told)


async def test_what_is_not_booked_is_told() -> None:
    """And what is booked for another amount."""
    mesh = Mesh()
    sound, missing, other = (mesh.complete() for _ in range(3))
    del mesh.books[missing.payment_id]
    mesh.books[other.payment_id] = Decimal(9)

    told, _ = await audit(mesh)

    assert {(v.invariant, v.payment_id) for v in told} == {
        ("I4", missing.payment_id),
        ("I4", other.payment_id),
    }
    assert sound.payment_id not in {v.payment_id for v in told}


async def test_what_moved_between_two_reads_is_not_told() -> None:
    """It was written since, or is in flight now: neither is wrong."""
    mesh = Mesh()
    written, under_way, unbooked = (mesh.complete() for _ in range(3))
    for payment in (written, under_way):
        mesh.tried[payment.payment_id] = []
    del mesh.books[unbooked.payment_id]
    flying = (make_standing("PAYMENT", due_at=LATER),)
    mesh.moves = {
        written.payment_id: Audited(replace(written, revision=9), (make_standing(),)),
        under_way.payment_id: Audited(under_way, flying),
        unbooked.payment_id: Audited(unbooked, flying),
    }

    mesh.late = {written.payment_id: [make_attempt(written)]}

    told, _ = await audit(mesh)

    assert told == []


async def test_in_flight_is_counted_and_not_compared_with_the_books() -> None:
    """Nothing is expected of it yet."""
    mesh = Mesh()
    payment = mesh.complete()
    mesh.payments[payment.payment_id] = Audited(
        replace(payment, status=PaymentStatus.PROCESSING), (make_standing("RETRY", due_at=LATER),)
    )
    mesh.books.clear()

    told, progress = await audit(mesh)

    assert told == []
    assert progress.in_flight_count == 1


async def test_who_does_not_answer_fails_the_audit() -> None:
    """What was not read is not sound."""
    mesh = Mesh(is_down=True)
    mesh.complete()

    with pytest.raises(Unavailable):
        await audit(mesh)
