"""gRPC to use cases and back, for what operators found out about attempts."""

from typing import Any

from paymesh.psp.v1 import attempt_resolution_service_pb2 as service
from paymesh.psp.v1.attempt_resolution_service_pb2_grpc import AttemptResolutionServiceServicer

from chassis.money import parse_field
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.resolution import AttemptResolution
from psp_gateway.messages import OUTCOMES, results
from psp_gateway.ports import AttemptReader
from psp_gateway.use_cases.resolve_attempts import resolve_attempts
from psp_gateway.use_cases.take_further import Means

_OUTCOMES_IN = {OUTCOMES[outcome]: outcome for outcome in (Outcome.SUCCEEDED, Outcome.DECLINED)}


class AttemptResolutionServicer(AttemptResolutionServiceServicer):
    """`paymesh.psp.v1.AttemptResolutionService`."""

    def __init__(self, means: Means, reader: AttemptReader) -> None:
        self._means = means
        self._reader = reader

    async def ResolveAttempts(
        self, request: service.ResolveAttemptsRequest, context: Any
    ) -> service.ResolveAttemptsResponse:
        """Record what became of unknown attempts."""
        batch = [_read(item, place) for place, item in enumerate(request.resolutions)]
        answers = await resolve_attempts(self._means, self._reader, batch)
        return service.ResolveAttemptsResponse(results=results(answers, self._means.clock()))


def _read(item: service.AttemptResolution, place: int) -> AttemptResolution:
    has_amount = item.amount or item.currency
    path = f"resolutions[{place}]"
    return AttemptResolution(
        attempt_id=item.attempt_id,
        outcome=_OUTCOMES_IN[item.outcome],
        psp_reference=item.psp_reference,
        amount=parse_field(path, item.amount, item.currency) if has_amount else None,
        evidence=item.evidence,
        proposed_by=item.proposed_by,
        approved_by=item.approved_by,
    )
