"""gRPC to use cases and back, for disputes."""

import re
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.psp.v1 import dispute_service_pb2 as service
from paymesh.psp.v1.dispute_service_pb2_grpc import DisputeServiceServicer

from chassis.errors import InvalidRequest
from paging.page_size import page_limit
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, Fact, Reason, Source, Stage, Status
from psp_gateway.domain.dispute_answer import DisputeRequest, Evidence, File
from psp_gateway.domain.errors import DisputeNotFound
from psp_gateway.use_cases.answer_dispute import Answering, accept_dispute, submit_evidence

REASONS = {reason: service.Dispute.Reason.Value(reason.value) for reason in Reason}
STAGES = {stage: service.Dispute.Stage.Value(stage.value) for stage in Stage}
STATUSES = {status: service.Dispute.Status.Value(status.value) for status in Status}
SOURCES = {source: service.DisputeFact.Source.Value(source.value) for source in Source}
OUTCOMES = {
    Outcome.SUCCEEDED: service.DisputeRequest.SUCCEEDED,
    Outcome.DECLINED: service.DisputeRequest.DECLINED,
    Outcome.TRANSIENT: service.DisputeRequest.TRANSIENT,
    Outcome.UNKNOWN: service.DisputeRequest.UNKNOWN,
    Outcome.PENDING: service.DisputeRequest.UNKNOWN,
}
_STATUSES_IN = {value: status for status, value in STATUSES.items()}

_TOKEN = re.compile(r"dsp_[0-9a-z]{1,60}", re.ASCII)


class DisputeServicer(DisputeServiceServicer):
    """`paymesh.psp.v1.DisputeService`."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._book = answering.following.book

    async def ListDisputes(
        self, request: service.ListDisputesRequest, context: Any
    ) -> service.ListDisputesResponse:
        """List disputes; the token of a page is the last id on the one before."""
        if request.page_token and not _TOKEN.fullmatch(request.page_token):
            raise InvalidRequest.field("page_token", "is none that was given")
        size = page_limit(request.page_size)
        found = await self._book.page(
            psp=request.psp,
            status=_STATUSES_IN.get(request.status),
            payment_id=request.payment_id,
            before=request.page_token,
            limit=size + 1,
        )
        page = found[:size]
        return service.ListDisputesResponse(
            disputes=map(to_dispute, page),
            next_page_token=page[-1].dispute_id if len(found) > size else "",
        )

    async def GetDispute(
        self, request: service.GetDisputeRequest, context: Any
    ) -> service.GetDisputeResponse:
        """Give a dispute."""
        found = await self._book.find(request.dispute_id)
        if found is None:
            raise DisputeNotFound(request.dispute_id)
        message = to_dispute(found)
        message.history.extend(map(_to_fact, found.history))
        return service.GetDisputeResponse(dispute=message)

    async def SubmitEvidence(
        self, request: service.SubmitEvidenceRequest, context: Any
    ) -> service.SubmitEvidenceResponse:
        """Hand evidence in."""
        answered, dispute = await submit_evidence(
            self._answering, request.dispute_id, request.request_id, _evidence(request)
        )
        return service.SubmitEvidenceResponse(
            request=_to_request(answered), dispute=to_dispute(dispute)
        )

    async def AcceptDispute(
        self, request: service.AcceptDisputeRequest, context: Any
    ) -> service.AcceptDisputeResponse:
        """Give a dispute up."""
        answered, dispute = await accept_dispute(
            self._answering, request.dispute_id, request.request_id
        )
        return service.AcceptDisputeResponse(
            request=_to_request(answered), dispute=to_dispute(dispute)
        )


def to_dispute(found: Dispute) -> service.Dispute:
    """Write a dispute without its history."""
    message = service.Dispute(
        dispute_id=found.dispute_id,
        psp=found.psp,
        psp_reference=found.psp_reference,
        attempt_id=found.attempt_id,
        payment_id=found.payment_id,
        amount=str(found.amount),
        currency=found.amount.currency,
        reason=REASONS[found.reason],
        psp_code=found.psp_code,
        stage=STAGES[found.stage],
        status=STATUSES[found.status],
        is_money_withdrawn=found.is_money_withdrawn,
        opened_at=_timestamp(found.opened_at),
        updated_at=_timestamp(found.updated_at),
    )
    if found.evidence_due_at is not None:
        message.evidence_due_at.CopyFrom(_timestamp(found.evidence_due_at))
    return message


def _to_fact(fact: Fact) -> service.DisputeFact:
    return service.DisputeFact(
        at=_timestamp(fact.at),
        source=SOURCES[fact.source],
        code=fact.code,
        stage=STAGES[fact.stage],
        status=STATUSES[fact.status],
        is_money_withdrawn=fact.is_money_withdrawn,
    )


def _to_request(request: DisputeRequest) -> service.DisputeRequest:
    return service.DisputeRequest(
        request_id=request.request_id,
        outcome=OUTCOMES[request.outcome],
        reason=request.reason,
        psp_code=request.psp_code,
        message=request.message,
    )


def _evidence(request: service.SubmitEvidenceRequest) -> Evidence:
    return Evidence(
        texts=dict(request.texts),
        files=tuple(
            File(file.kind, file.name, file.content_type, file.content, file.psp_type)
            for file in request.files
        ),
        defence=request.defence,
    )


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
