"""One process's way to payment_svc's database in memory, behind the real ports."""

from collections.abc import Sequence
from datetime import timedelta

from payment_svc.changes import stored
from payment_svc.domain.payment import NewId, Payment
from payment_svc.ports import (
    Acceptance,
    Accepted,
    Asked,
    Decide,
    KeyReused,
    NewPayment,
    SagaView,
    StatusChange,
)
from payment_svc.sagas.journey import Journey, Move, Progress
from tests.simulation.clockwork import Process
from tests.simulation.payments import Payments


class PaymentPlace:
    """`ports.PaymentStore` and `ports.SagaStore` of one process."""

    def __init__(
        self, payments: Payments, process: Process, *, lease: timedelta, new_id: NewId
    ) -> None:
        self.payments = payments
        self.owner = process.name
        self.lease = lease
        self.new_id = new_id

    async def accept(self, new: NewPayment) -> Acceptance:
        """See `ports.PaymentStore`."""
        return await self.payments.disk.run(lambda: self.payments.accept(new))

    async def change(
        self, asked: Asked, payment_id: str, decide: Decide
    ) -> Accepted | KeyReused | None:
        """See `ports.PaymentStore`."""
        return await self.payments.disk.run(lambda: self.payments.change(asked, payment_id, decide))

    async def find(self, payment_id: str) -> Payment | None:
        """See `ports.PaymentStore`."""
        return await self.payments.disk.run(lambda: self.payments.rows.get(payment_id))

    async def find_own(self, client_id: str, payment_id: str) -> Payment | None:
        """See `ports.PaymentStore`."""
        found = await self.find(payment_id)
        return found if found is not None and found.client_id == client_id else None

    async def claim(self, limit: int) -> Sequence[Journey]:
        """See `ports.SagaStore`."""
        return await self.payments.disk.run(
            lambda: self.payments.claim(self.owner, self.lease, limit)
        )

    async def record(self, move: Move) -> Journey:
        """See `ports.SagaStore`."""
        await self.payments.disk.run(
            lambda: self.payments.record(move, self.owner, self.lease, self.new_id)
        )
        return move.after.with_payment(stored(move.before.payment, move.after.payment))

    async def begin_once(self, saga: Progress) -> bool:
        """See `ports.LateSagas`."""
        return await self.payments.disk.run(lambda: self.payments.begin_once(saga))

    async def explain(self, payment_id: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """See `ports.SagaStore`; who asks here reads no history."""
        rows = self.payments.sagas.values()
        return await self.payments.disk.run(
            lambda: (
                [
                    SagaView(r.progress, r.due_at)
                    for r in rows
                    if r.progress.payment_id == payment_id
                ],
                (),
            )
        )

    async def stumbled(self, progress: Progress, error: str, *, counts: bool) -> None:
        """See `ports.SagaStore`."""
        await self.payments.disk.run(lambda: self.payments.stumble(progress, error, counts=counts))

    async def reload(self, payment: Payment) -> Payment:
        """See `ports.SagaStore`."""
        return await self.payments.disk.run(lambda: self.payments.rows[payment.payment_id])

    async def release_own(self) -> int:
        """See `ports.SagaStore`."""
        return await self.payments.disk.run(lambda: self.payments.release_own(self.owner))

    async def wake(self, payment_ids: Sequence[str]) -> int:
        """See `ports.SagaStore`."""
        return await self.payments.disk.run(lambda: self.payments.wake(payment_ids))
