"""gRPC ↔ `PspEvents`: what psp_gateway tells unasked."""

from collections.abc import Callable
from typing import Any

from paymesh.payment.v1 import psp_event_service_pb2 as service
from paymesh.payment.v1.psp_event_service_pb2_grpc import PspEventServiceServicer

from payment_svc.psp_events import PspEvents


class PaymentPspEventService(PspEventServiceServicer):
    """Serves `paymesh.payment.v1.PspEventService`.

    Args:
        events: what applies them.
        woken: called when some sagas are due; it wakes the worker.
    """

    def __init__(self, events: PspEvents, *, woken: Callable[[], None]) -> None:
        self._events = events
        self._woken = woken

    async def ApplyPspEvents(
        self, request: service.ApplyPspEventsRequest, _: Any
    ) -> service.ApplyPspEventsResponse:
        """Wake sagas, and begin those of late charges; see the proto."""
        applied = await self._events.apply(
            list(request.payment_ids), list(request.doubtful_payment_ids)
        )
        if applied.woken:
            self._woken()
        return service.ApplyPspEventsResponse(
            woken_count=applied.woken,
            undecided_payment_ids=applied.undecided,
            late_count=applied.late,
        )
