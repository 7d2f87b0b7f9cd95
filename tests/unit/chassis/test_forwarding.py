"""What goes along from one call to the next, so that a trace is whole."""

from typing import Any

import pytest
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    PaymentServiceStub,
    add_PaymentServiceServicer_to_server,
)

from chassis.channel import call, open_channel
from chassis.interceptors import RequestContext, request_context
from chassis.server import make_server

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Hop(PaymentServiceServicer):
    """Asks the next hop, if there is one, and keeps what it was told."""

    def __init__(self, onward: Any = None) -> None:
        self.heard = RequestContext()
        self._onward = onward

    async def GetPayment(self, request: service.GetPaymentRequest, _: Any) -> payment_pb2.Payment:
        """Ask on."""
        self.heard = request_context()
        if self._onward is not None:
            await call(self._onward.GetPayment, request, 10)
        return payment_pb2.Payment(payment_id=request.payment_id)


@pytest.mark.parametrize("operator", ["", "spiffe://paymesh.local/operator/ada"])
async def test_request_trace_and_client_go_along_and_no_operator(operator: str) -> None:
    """The second hop hears what the first was told; an operator speaks for himself alone."""
    last = Hop()
    servers, channels = [], []

    async def serve(hop: Hop) -> Any:
        server = make_server("test.paymesh", 10.0, 16)
        add_PaymentServiceServicer_to_server(hop, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        servers.append(server)
        channels.append(open_channel(f"127.0.0.1:{port}"))
        return PaymentServiceStub(channels[-1])

    first = await serve(Hop(await serve(last)))
    told = [("x-request-id", "r-1"), ("traceparent", TRACE), ("x-paymesh-client-id", "demo")]
    if operator:
        told.append(("x-paymesh-operator", operator))
    request = service.GetPaymentRequest(payment_id="pay_1")
    await first.GetPayment(request, metadata=told, timeout=60)
    for channel in channels:
        await channel.close()
    for server in servers:
        await server.stop(None)

    heard = last.heard
    assert (heard.request_id, heard.traceparent, heard.client_id) == ("r-1", TRACE, "demo")
    assert heard.header("x-paymesh-operator") is None
