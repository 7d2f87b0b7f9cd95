"""A long queue on real PostgreSQL: new payments are turned away, known keys are answered."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.money import Money
from payment_svc.admission import QueueAdmission
from payment_svc.domain.backlog import BacklogLimits
from payment_svc.domain.errors import IdempotencyKeyReused, QueueFull
from payment_svc.domain.payment import Buyer, Payment
from payment_svc.ports import Accepted, Asked
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sellers import AnySeller
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder, create_payment
from privacy.masked import Secret
from tests.builders import make_id
from tests.contract.test_saga_store import accept, saga_store

LIMITS = BacklogLimits(depth_max=5, age_max=timedelta(hours=1))


@dataclass
class Service:
    """payment_svc as far as it takes payments in."""

    database: Database
    sagas: PostgresSagaStore
    admission: QueueAdmission

    async def look(self) -> None:
        """Look at the queue, as the job does."""
        self.admission.saw(await self.sagas.backlog(LIMITS.depth_max + 1))

    async def create(self, key: str, amount: str = "10.00") -> Accepted:
        """Ask for a payment."""
        asked = Asked("demo", "CreatePayment", key, {"amount": amount})
        order = NewOrder("seller_456", Money.parse(amount, "USD"), f"order-{key}")
        return await create_payment(
            CreatePayment(asked, "checkout", Buyer("buyer_123"), Secret("tok"), [order]),
            store=PostgresPaymentStore(self.database, utc_now),
            sellers=AnySeller(),
            clock=utc_now,
            new_id=make_id,
            render=rendered,
            admission=self.admission,
        )

    async def count(self) -> int:
        """Count the payments."""
        (row,) = await self.database.read("SELECT count(*) FROM payments")
        return int(row["count"])


def rendered(payment: Payment) -> bytes:
    """Write a first answer."""
    return payment.payment_id.encode()


@pytest.fixture
def service(payment_db: Database) -> Service:
    """Make the service."""
    return Service(payment_db, saga_store(payment_db), QueueAdmission(LIMITS))


async def test_a_long_queue_turns_new_payments_away(service: Service) -> None:
    """Nothing is stored, and the key is free for when the queue is short again."""
    first = await service.create("first")
    await accept(service.database, 6)
    await service.look()
    before = await service.count()

    with pytest.raises(QueueFull) as refused:
        await service.create("second")
    replayed = await service.create("first")
    with pytest.raises(IdempotencyKeyReused):
        await service.create("first", "11.00")

    assert await service.count() == before
    assert refused.value.retry_after >= timedelta(seconds=1)
    assert (replayed.payment_id, replayed.replayed) == (first.payment_id, True)

    await service.sagas.claim(100)
    await service.look()
    assert not (await service.create("second")).replayed


async def test_what_is_claimed_or_not_due_is_no_backlog(service: Service) -> None:
    """Only what nobody works on counts, and no more of it than matters is counted."""
    await accept(service.database, 10)
    waiting = await service.sagas.backlog(6)
    await service.sagas.claim(8)
    rest = await service.sagas.backlog(6)

    assert (waiting.depth, rest.depth) == (6, 2)
    assert rest.oldest >= timedelta(0)
