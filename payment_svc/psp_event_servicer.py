"""gRPC ↔ the saga store: what psp_gateway tells unasked."""

from collections.abc import Callable
from typing import Any

from paymesh.payment.v1 import psp_event_service_pb2 as service
from paymesh.payment.v1.psp_event_service_pb2_grpc import PspEventServiceServicer

from chassis.clock import Clock
from chassis.telemetry import logger
from payment_svc.metrics import LATE_SUCCESSES
from payment_svc.ports import LateSagas, PaymentStore, SagaStore, Witnesses
from payment_svc.use_cases.apply_psp_events import apply_psp_events


class PaymentPspEventService(PspEventServiceServicer):
    """Serves `paymesh.payment.v1.PspEventService`.

    Args:
        payments, sagas, late_sagas: where payments and sagas rest.
        witnesses: who knows what PSPs have done.
        woken: called when some are due; it wakes the worker.
    """

    def __init__(
        self,
        payments: PaymentStore,
        sagas: SagaStore,
        late_sagas: LateSagas,
        witnesses: Witnesses,
        *,
        clock: Clock,
        woken: Callable[[], None],
    ) -> None:
        self._payments = payments
        self._sagas = sagas
        self._late_sagas = late_sagas
        self._witnesses = witnesses
        self._clock = clock
        self._woken = woken

    async def ApplyPspEvents(
        self, request: service.ApplyPspEventsRequest, _: Any
    ) -> service.ApplyPspEventsResponse:
        """Wake sagas, and begin those of late charges; see the proto."""
        applied = await apply_psp_events(
            list(request.payment_ids),
            list(request.doubtful_payment_ids),
            payments=self._payments,
            sagas=self._sagas,
            late_sagas=self._late_sagas,
            witnesses=self._witnesses,
            now=self._clock(),
        )
        if applied.woken:
            self._woken()
        if applied.late:
            LATE_SUCCESSES.inc(applied.late)
            logger().error("late_success", payment_ids=list(request.doubtful_payment_ids))
        return service.ApplyPspEventsResponse(
            woken_count=applied.woken,
            undecided_payment_ids=applied.undecided,
            late_count=applied.late,
        )
