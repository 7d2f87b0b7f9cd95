"""gRPC ↔ use cases: what operators ask and do."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1.operations_service_pb2_grpc import OperationsServiceServicer

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.money import Money, parse_field
from paging.page_size import page_limit
from payment_svc import case_presenter, explanation_presenter, presenter
from payment_svc.domain.case import CaseStatus
from payment_svc.domain.errors import CaseNotFound
from payment_svc.domain.resolution import Decision
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.operations import presenter as shown
from payment_svc.operations.actors import current_actor
from payment_svc.operations.ports import Bulk, Chosen
from payment_svc.operations.wiring import Operations
from payment_svc.ports import CaseStore, PaymentStore, SagaStore, Witnesses
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.reasons import reason_class
from payment_svc.use_cases.describe_idempotency_key import describe_idempotency_key
from payment_svc.use_cases.describe_queues import describe_queues
from payment_svc.use_cases.explain_payment import explain_payment
from payment_svc.use_cases.list_resolutions import list_resolutions
from payment_svc.use_cases.list_sagas import list_sagas
from payment_svc.use_cases.reject_resolution import reject_resolution
from payment_svc.use_cases.resolve_saga import Said, resolve_saga
from payment_svc.use_cases.retry_saga import plan_saga_retry, retry_saga
from payment_svc.use_cases.retry_sagas import retry_sagas

_NAMED = 20
_QUEUES_IN = {value: queue for queue, value in presenter.QUEUES.items()}


class PaymentOperationsService(OperationsServiceServicer):
    """Serves `paymesh.payment.v1.OperationsService`."""

    def __init__(
        self,
        payments: PaymentStore,
        sagas: SagaStore,
        witnesses: Witnesses,
        clock: Clock,
        policy: RetryPolicy,
        operations: Operations,
        cases: CaseStore,
    ) -> None:
        self._payments = payments
        self._sagas = sagas
        self._witnesses = witnesses
        self._clock = clock
        self._policy = policy
        self._operations = operations
        self._store = operations.store
        self._resolutions = operations.resolutions
        self._cases = cases

    async def ExplainPayment(
        self, request: operations.ExplainPaymentRequest, _: Any
    ) -> operations.ExplainPaymentResponse:
        """Tell a payment's story; see the proto."""
        explained = await explain_payment(
            request.payment_id,
            payments=self._payments,
            sagas=self._sagas,
            witnesses=self._witnesses,
            operators=self._store,
            now=self._clock(),
            policy=self._policy,
            cases=self._cases,
        )
        return explanation_presenter.explanation(explained)

    async def ListSagas(
        self, request: operations.ListSagasRequest, _: Any
    ) -> operations.ListSagasResponse:
        """List a queue; see the proto."""
        views, token = await list_sagas(
            _QUEUES_IN[request.queue],
            shown.read_filter(request.filter),
            request.page_size,
            request.page_token,
            store=self._store,
        )
        return operations.ListSagasResponse(
            sagas=[presenter.saga(view) for view in views], next_page_token=token
        )

    async def DescribeQueues(
        self, request: operations.DescribeQueuesRequest, _: Any
    ) -> operations.DescribeQueuesResponse:
        """Tell how deep the queues are; see the proto."""
        found = await describe_queues(self._store)
        return operations.DescribeQueuesResponse(queues=shown.queues(found))

    async def RetrySaga(
        self, request: operations.RetrySagaRequest, _: Any
    ) -> operations.RetrySagaResponse:
        """Let a saga go on; see the proto."""
        now = self._clock()
        if request.dry_run:
            view, plan = await plan_saga_retry(
                request.saga_id, store=self._store, policy=self._policy, now=now
            )
        else:
            if not request.HasField("expected_epoch"):
                raise InvalidRequest.field("expected_epoch", "is what the dry run told")
            view, plan = await retry_saga(
                request.saga_id,
                request.expected_epoch,
                _required("reason", request.reason),
                store=self._store,
                actor=current_actor(),
                policy=self._policy,
                now=now,
            )
            self._operations.woken()
        return operations.RetrySagaResponse(saga=presenter.saga(view), plan=shown.plan(plan))

    async def RetrySagas(
        self, request: operations.RetrySagasRequest, _: Any
    ) -> operations.RetrySagasResponse:
        """Let many sagas go on; see the proto."""
        bulk = Bulk(shown.read_filter(request.filter), request.max_count)
        gap, offset = timedelta(seconds=1 / request.per_second), request.offset.ToTimedelta()
        if request.HasField("dead_before"):
            bulk = Bulk(bulk.filter, bulk.max_count, _dead_before(request))
        if request.dry_run:
            return _chosen(await self._store.choose(bulk), gap, offset)
        if bulk.dead_before is None:
            raise InvalidRequest.field("dead_before", "is what the dry run told as as_of")
        chosen = await retry_sagas(
            bulk,
            _required("reason", request.reason),
            gap=gap,
            offset=offset,
            store=self._store,
            actor=current_actor(),
            now=self._clock(),
        )
        self._operations.woken()
        return _chosen(chosen, gap, offset)

    async def ResolveSaga(
        self, request: operations.ResolveSagaRequest, _: Any
    ) -> operations.ResolveSagaResponse:
        """Propose what became of a step; see the proto."""
        proposal = await resolve_saga(
            _said(request),
            store=self._resolutions,
            actor=current_actor(),
            certified_only=self._operations.certified_only,
            resolution_id=self._operations.new_id("res"),
            now=self._clock(),
            expires_after=self._operations.expires_after,
        )
        return operations.ResolveSagaResponse(resolution=shown.resolution(proposal))

    async def ApproveResolution(
        self, request: operations.ApproveResolutionRequest, _: Any
    ) -> operations.ApproveResolutionResponse:
        """Approve a proposal, and apply it; see the proto."""
        reason = _required("reason", request.reason)
        applied = await self._operations.approve(request.resolution_id, reason, current_actor())
        return operations.ApproveResolutionResponse(resolution=shown.resolution(applied))

    async def RejectResolution(
        self, request: operations.RejectResolutionRequest, _: Any
    ) -> operations.RejectResolutionResponse:
        """Reject a proposal; see the proto."""
        rejected = await reject_resolution(
            request.resolution_id,
            _required("reason", request.reason),
            store=self._resolutions,
            actor=current_actor(),
            now=self._clock(),
        )
        return operations.RejectResolutionResponse(resolution=shown.resolution(rejected))

    async def ListResolutions(
        self, request: operations.ListResolutionsRequest, _: Any
    ) -> operations.ListResolutionsResponse:
        """List resolutions; see the proto."""
        found, token = await list_resolutions(
            shown.STATUSES_IN.get(request.status),
            request.saga_id,
            request.page_size,
            request.page_token,
            store=self._resolutions,
            now=self._clock(),
            resolution_id=request.resolution_id,
        )
        return operations.ListResolutionsResponse(
            resolutions=map(shown.resolution, found), next_page_token=token
        )

    async def DescribeIdempotencyKey(
        self, request: operations.DescribeIdempotencyKeyRequest, _: Any
    ) -> operations.DescribeIdempotencyKeyResponse:
        """Tell what is kept under a key; see the proto."""
        found = await describe_idempotency_key(
            request.client_id, request.method, request.idempotency_key, store=self._store
        )
        return operations.DescribeIdempotencyKeyResponse(
            payment_id=found.payment_id,
            payment_status=presenter.PAYMENT_STATUSES[PaymentStatus(found.payment_status)],
            fingerprint_fields=found.fields,
            created_at=presenter.timestamp(found.created_at),
            age=shown.duration(max(self._clock() - found.created_at, timedelta(0))),
        )

    async def ListCases(
        self, request: operations.ListCasesRequest, _: Any
    ) -> operations.ListCasesResponse:
        """List cases; see the proto."""
        status = next(
            (s for s, value in case_presenter.STATUSES.items() if value == request.status),
            CaseStatus.OPEN,
        )
        limit = page_limit(request.page_size)
        token = request.page_token
        after = case_presenter.read_token(status, token) if token else None
        found = await self._cases.list_cases(status, limit, after)
        return operations.ListCasesResponse(
            cases=map(case_presenter.case, found),
            next_page_token=case_presenter.write_token(found[-1]) if len(found) == limit else "",
        )

    async def GetCase(
        self, request: operations.GetCaseRequest, _: Any
    ) -> operations.GetCaseResponse:
        """Tell a case; see the proto."""
        found = await self._cases.find_case(request.case_id)
        if found is None:
            raise CaseNotFound(request.case_id)
        return operations.GetCaseResponse(case=case_presenter.case(found))


def _required(field: str, text: str) -> str:
    """Take a text that says something.

    Raises:
        InvalidRequest: it does not.
    """
    if not text.strip():
        raise InvalidRequest.field(field, "must say why", "MISSING_FIELD")
    return text.strip()


def _dead_before(request: operations.RetrySagasRequest) -> datetime:
    try:
        return request.dead_before.ToDatetime(UTC)
    except ValueError as error:
        raise InvalidRequest.field("dead_before", "is out of range") from error


def _said(request: operations.ResolveSagaRequest) -> Said:
    return Said(
        saga_id=request.saga_id,
        decision=Decision(shown.DECISIONS_IN[request.decision]),
        evidence=_required("evidence", request.evidence),
        reason=_required("reason", request.reason),
        psp_reference=request.psp_reference,
        amount=_amount(request.amount, request.currency),
        evidence_link=request.evidence_link,
    )


def _amount(amount: str, currency: str) -> Money | None:
    if not amount and not currency:
        return None
    return parse_field("", amount, currency)


def _chosen(chosen: Chosen, gap: timedelta, offset: timedelta) -> operations.RetrySagasResponse:
    as_of = Timestamp()
    as_of.FromDatetime(chosen.as_of)
    answer = operations.RetrySagasResponse(
        count=len(chosen.reasons),
        has_more=chosen.has_more,
        as_of=as_of,
        next_offset=shown.duration(offset + len(chosen.reasons) * gap),
        saga_ids=chosen.saga_ids[:_NAMED],
        total_count=chosen.total_count,
    )
    for reason in chosen.reasons:
        answer.by_reason_class[reason_class(reason)] += 1
    return answer
