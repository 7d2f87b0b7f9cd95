"""ResumePayment on the real store: a buyer's return is told to the charge that it is of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from payment_svc import changes
from payment_svc.domain.books import charge_attempt
from payment_svc.domain.payment import Order, PartialFailurePolicy, Payment
from payment_svc.domain.statuses import OrderStatus
from payment_svc.ports import SagaStore
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.resume_payment import resume_payment
from tests.builders import NOW, make_new_payment, make_order, make_payment

Move = Callable[[Order], Order]
KEEP = PartialFailurePolicy.KEEP_SUCCESSFUL


@dataclass
class Returns:
    """`ports.Returns`, and of `ports.SagaStore` what is asked here."""

    told: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)

    async def tell(self, attempt_id: str, details: Mapping[str, str]) -> None:
        """See `ports.Returns`."""
        self.told.append((attempt_id, details))

    async def wake(self, payment_ids: list[str]) -> int:
        """See `ports.SagaStore`."""
        self.woken += payment_ids
        return 1


def sent_away(order: Order) -> Order:
    """Make an order that waits for its buyer."""
    return replace(order.move(OrderStatus.EXECUTING), redirect_url="https://bank.example/3ds")


def done(order: Order) -> Order:
    """Make an order that is paid."""
    return order.move(OrderStatus.EXECUTING).move(OrderStatus.SUCCESS)


async def waiting(database: Database, policy: PartialFailurePolicy, *moves: Move) -> Payment:
    """Store a payment whose orders stand where `moves` put them."""
    orders = [make_order("10.00") for _ in moves]
    payment = replace(make_payment(*orders), partial_failure_policy=policy)
    await PostgresPaymentStore(database, utc_now).accept(make_new_payment(payment))
    moved: Payment = payment.with_orders(
        [move(one) for move, one in zip(moves, orders, strict=True)]
    )
    await database.run(lambda tx: tx.together(changes.writes([(payment, moved)], NOW, tx.keyring)))
    return moved


async def resume(database: Database, payment: Payment, query: Mapping[str, str]) -> Returns:
    """Come back."""
    returns = Returns()
    await resume_payment(
        "demo", payment.payment_id, query,
        store=PostgresPaymentStore(database, utc_now),
        returns=returns,
        sagas=cast("SagaStore", returns),
    )  # fmt: skip
    assert returns.woken == [payment.payment_id]
    return returns


async def test_a_return_for_what_is_over_is_not_told_to_the_next(payment_db: Database) -> None:
    """The PSP's webhook was faster than the buyer: what he brings is not the second order's."""
    payment = await waiting(payment_db, KEEP, done, sent_away)
    first, second = (charge_attempt(order.order_id) for order in payment.orders)

    late = await resume(payment_db, payment, {"attempt_id": first, "redirectResult": "x"})
    own = await resume(payment_db, payment, {"attempt_id": second, "redirectResult": "y"})

    assert late.told == []
    assert [attempt_id for attempt_id, _ in own.told] == [second]


async def test_of_two_that_wait_the_named_one_is_told(payment_db: Database) -> None:
    """With what he brought, whole; without a name it is the first."""
    payment = await waiting(payment_db, KEEP, sent_away, sent_away)
    first, second = (charge_attempt(order.order_id) for order in payment.orders)
    query = {"attempt_id": second, "redirectResult": "y"}

    assert (await resume(payment_db, payment, query)).told == [(second, query)]
    assert (await resume(payment_db, payment, {})).told == [(first, {})]


@pytest.mark.parametrize(
    ("named", "is_told"), [("", True), ("77", True), ("att_0c1", False)],
    ids=["nothing", "a parameter of the shop's", "another's"],
)  # fmt: skip
async def test_a_payment_of_one_charge(payment_db: Database, named: str, is_told: bool) -> None:
    """It is told, unless the return names the charge of another payment."""
    payment = await waiting(payment_db, PartialFailurePolicy.ALL_OR_NOTHING, sent_away)
    own = charge_attempt(payment.payment_id)

    returns = await resume(payment_db, payment, {"attempt_id": named})

    assert [attempt_id for attempt_id, _ in returns.told] == [own] * is_told
    assert len((await resume(payment_db, payment, {"attempt_id": own})).told) == 1
