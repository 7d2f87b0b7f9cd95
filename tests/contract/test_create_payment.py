"""CreatePayment on the real store: what is right field by field and wrong in all is refused by
itself.
"""

import asyncio
from collections.abc import Sequence

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import InvalidRequest
from chassis.money import InvalidAmount, Money
from payment_svc.domain.payment import Buyer, Payment
from payment_svc.ports import Accepted
from payment_svc.sellers import AnySeller
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder, create_payment
from privacy.masked import Secret
from tests.builders import make_asked, make_id, make_new_payment, make_order, make_payment

MOST = {"USD": "999999999999999.99", "JPY": "999999999999999", "CLF": "999999999999999.9999"}
LEAST = {"USD": "0.01", "JPY": "1", "CLF": "0.0001"}


async def create(store: PostgresPaymentStore, amounts: Sequence[str], currency: str) -> Accepted:
    """Ask for a payment of these amounts."""
    orders = [
        NewOrder(f"s{n}", Money.parse(amount, currency), f"o-{n}")
        for n, amount in enumerate(amounts)
    ]
    asked = make_asked("CreatePayment")
    return await create_payment(
        CreatePayment(asked, "checkout", Buyer("b"), Secret("tok"), orders),
        store=store,
        sellers=AnySeller(),
        clock=utc_now,
        new_id=make_id,
        render=_rendered,
    )


def _rendered(payment: Payment) -> bytes:
    return payment.payment_id.encode()


@pytest.mark.parametrize("currency", MOST)
async def test_a_sum_beyond_the_bounds_of_an_amount_is_refused(
    payment_db: Database, currency: str
) -> None:
    """One unit more than an amount may be: nothing is stored, and the key is free for less."""
    store = PostgresPaymentStore(payment_db, utc_now)

    with pytest.raises(InvalidRequest) as refused:
        await create(store, [MOST[currency], LEAST[currency]], currency)
    accepted = await create(store, [MOST[currency]], currency)

    violation = refused.value.violations[0]
    assert (violation.field, violation.reason) == ("payment_orders", "INVALID_AMOUNT")
    assert not accepted.replayed
    found = await store.find(accepted.payment_id)
    assert found is not None
    assert str(found.amount) == MOST[currency]


async def test_what_cannot_be_laid_out_leaves_its_neighbours_alone(payment_db: Database) -> None:
    """A payment that no row can hold fails alone, though no database has refused it."""
    store = PostgresPaymentStore(payment_db, utc_now)
    huge = make_payment(*(make_order(MOST["USD"], seller=name) for name in ("a", "b")))
    good = [make_new_payment() for _ in range(9)]

    results = await asyncio.gather(
        *(store.accept(new) for new in [*good[:5], make_new_payment(huge), *good[5:]]),
        return_exceptions=True,
    )

    assert sum(isinstance(result, Accepted) for result in results) == 9
    assert [type(result) for result in results if isinstance(result, Exception)] == [InvalidAmount]
