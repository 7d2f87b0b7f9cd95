"""gRPC ↔ the saga store: what psp_gateway tells unasked."""

from collections.abc import Callable
from typing import Any

from paymesh.payment.v1 import psp_event_service_pb2 as service
from paymesh.payment.v1.psp_event_service_pb2_grpc import PspEventServiceServicer

from payment_svc.ports import SagaStore


class PaymentPspEventService(PspEventServiceServicer):
    """Serves `paymesh.payment.v1.PspEventService`.

    Args:
        sagas: those that wait.
        woken: called when some are due; it wakes the worker.
    """

    def __init__(self, sagas: SagaStore, woken: Callable[[], None]) -> None:
        self._sagas = sagas
        self._woken = woken

    async def ApplyPspEvents(
        self, request: service.ApplyPspEventsRequest, _: Any
    ) -> service.ApplyPspEventsResponse:
        """Wake sagas; see the proto."""
        count = await self._sagas.wake(list(request.payment_ids))
        if count:
            self._woken()
        return service.ApplyPspEventsResponse(woken_count=count)
