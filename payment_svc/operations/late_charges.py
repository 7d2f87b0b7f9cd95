"""What PSPs took of another amount than was asked for, as late charges: their sagas are begun."""

from chassis.clock import Clock
from chassis.telemetry import logger
from payment_svc.metrics import LATE_SUCCESSES
from payment_svc.ports import LateSagas, PaymentStore, SagaStore, Witnesses
from payment_svc.use_cases.apply_psp_events import apply_psp_events


class FoundLateCharges:
    """`operations.ports.LateCharges`: what psp_gateway tells of a payment decides.

    Args:
        payments, sagas, late_sagas: where payments and sagas rest.
        witnesses: who knows what PSPs have done.
    """

    def __init__(
        self,
        payments: PaymentStore,
        sagas: SagaStore,
        late_sagas: LateSagas,
        witnesses: Witnesses,
        clock: Clock,
    ) -> None:
        self._payments = payments
        self._sagas = sagas
        self._late_sagas = late_sagas
        self._witnesses = witnesses
        self._clock = clock

    async def begin(self, payment_id: str) -> None:
        """See `ports.LateCharges.begin`."""
        applied = await apply_psp_events(
            [],
            [payment_id],
            payments=self._payments,
            sagas=self._sagas,
            late_sagas=self._late_sagas,
            witnesses=self._witnesses,
            now=self._clock(),
        )
        LATE_SUCCESSES.inc(applied.late)
        logger().info("late_charge_found", payment_id=payment_id, count=applied.late)
