"""The attempts at PSPs, resolved in psp_gateway."""

from typing import TYPE_CHECKING

from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1 import attempt_resolution_service_pb2 as psp

from chassis.channel import call
from chassis.errors import Unavailable
from payment_svc.domain.resolution import Resolution
from payment_svc.operations.ports import AttemptWord

if TYPE_CHECKING:  # the generated modules hold it for the type checker alone
    from paymesh.psp.v1.attempt_resolution_service_pb2_grpc import (
        AttemptResolutionServiceAsyncStub,
    )

_Attempt = attempt_pb2.Attempt
_FINAL = {_Attempt.SUCCEEDED: "SUCCEEDED", _Attempt.DECLINED: "DECLINED"}


class GrpcAttempts:
    """`operations.ports.Attempts` over gRPC.

    Args:
        timeout_s: for one call, in which the PSP is asked once more.
    """

    def __init__(self, stub: "AttemptResolutionServiceAsyncStub", timeout_s: float) -> None:
        self._resolve = stub.ResolveAttempts
        self._timeout_s = timeout_s

    async def resolve(self, resolution: Resolution, *, is_done: bool) -> AttemptWord:
        """See `ports.Attempts.resolve`."""
        request = psp.ResolveAttemptsRequest(resolutions=[_item(resolution, is_done=is_done)])
        (result,) = (await call(self._resolve, request, self._timeout_s)).results
        if result.WhichOneof("result") == "refusal":
            return AttemptWord(refusal=result.refusal.reason, message=result.refusal.message)
        outcome = _FINAL.get(result.attempt.outcome)
        if outcome is None:
            raise Unavailable(f"{resolution.attempt_id} is under way; ask again.")
        return AttemptWord(outcome, message=result.attempt.message, reason=result.attempt.reason)


def _item(resolution: Resolution, *, is_done: bool) -> psp.AttemptResolution:
    item = psp.AttemptResolution(
        attempt_id=resolution.attempt_id,
        outcome=_Attempt.SUCCEEDED if is_done else _Attempt.DECLINED,
        psp_reference=resolution.psp_reference,
        evidence=resolution.evidence,
        proposed_by=resolution.proposed_by.name,
        approved_by=resolution.approved_by or "",
    )
    if resolution.amount is not None:
        item.amount = str(resolution.amount)
        item.currency = resolution.amount.currency
    return item
