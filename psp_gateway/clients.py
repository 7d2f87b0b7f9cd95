"""Who waits for news of attempts, over gRPC."""

from collections.abc import Sequence

import grpc
from paymesh.payment.v1 import psp_event_service_pb2 as service
from paymesh.payment.v1.psp_event_service_pb2_grpc import PspEventServiceStub

from chassis.channel import call
from chassis.errors import PaymeshError, Unavailable

_TIMEOUT_S = 5.0


class PaymentListener:
    """`ports.Listener` at payment_svc."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PspEventServiceStub(channel)

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """See `ports.Listener.apply`."""
        request = service.ApplyPspEventsRequest(
            payment_ids=payment_ids, doubtful_payment_ids=doubtful_ids
        )
        try:
            answer = await call(self._stub.ApplyPspEvents, request, _TIMEOUT_S)
        except PaymeshError as error:
            raise Unavailable("payment_svc did not answer") from error
        return list(answer.undecided_payment_ids)


class Nobody:
    """`ports.Listener` of a gateway that nobody waits for: who asks is told by the next call."""

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """See `ports.Listener.apply`."""
        return ()
