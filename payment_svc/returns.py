"""Buyers who come back, told to psp_gateway."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paymesh.psp.v1 import psp_gateway_service_pb2 as psp

from chassis.channel import call

if TYPE_CHECKING:  # the generated modules hold it for the type checker alone
    from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceAsyncStub


class GrpcReturns:
    """`ports.Returns` over gRPC."""

    def __init__(self, psp_stub: "PspGatewayServiceAsyncStub", timeout_s: float) -> None:
        self._resume = psp_stub.ResumeCharge
        self._timeout_s = timeout_s

    async def tell(self, attempt_id: str, details: Mapping[str, str]) -> None:
        """See `ports.Returns.tell`."""
        request = psp.ResumeChargeRequest(attempt_id=attempt_id, details=details)
        await call(self._resume, request, self._timeout_s)
