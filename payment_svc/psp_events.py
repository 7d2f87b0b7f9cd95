"""What PSPs told, however it comes here: applied, what was charged late counted and told."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.telemetry import logger
from payment_svc.metrics import LATE_SUCCESSES
from payment_svc.ports import LateSagas, PaymentStore, SagaStore, Witnesses
from payment_svc.use_cases.apply_psp_events import Applied, apply_psp_events


@dataclass(frozen=True, slots=True)
class PspEvents:
    """What applying PSP events takes; `operations.ports.LateCharges`, too.

    Attributes:
        payments, sagas, late_sagas: where payments and sagas rest.
        witnesses: who knows what PSPs have done.
    """

    payments: PaymentStore
    sagas: SagaStore
    late_sagas: LateSagas
    witnesses: Witnesses
    clock: Clock

    async def apply(self, payment_ids: Sequence[str], doubtful_ids: Sequence[str]) -> Applied:
        """Wake who waits, and begin to give back what was charged too late: `apply_psp_events`.

        Raises:
            Unavailable: psp_gateway did not tell what was charged; telling again is safe.
        """
        applied = await apply_psp_events(
            payment_ids,
            doubtful_ids,
            payments=self.payments,
            sagas=self.sagas,
            late_sagas=self.late_sagas,
            witnesses=self.witnesses,
            now=self.clock(),
        )
        for payment_id, error in applied.failed.items():
            logger().error("news_not_judged", payment_id=payment_id, error=error)
        if applied.late:
            LATE_SUCCESSES.inc(applied.late)
            logger().error("late_success", payment_ids=list(doubtful_ids), count=applied.late)
        return applied

    async def begin(self, payment_id: str) -> None:
        """See `operations.ports.LateCharges.begin`."""
        applied = await self.apply([], [payment_id])
        if applied.undecided:
            raise Unavailable(f"What was charged of {payment_id} cannot be judged now; ask again.")
