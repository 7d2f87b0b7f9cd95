"""gRPC ↔ use cases: what operators ask."""

import base64
import binascii
import json
from datetime import datetime, timedelta
from typing import Any

from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1.operations_service_pb2_grpc import OperationsServiceServicer

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from payment_svc import case_presenter, explanation_presenter, presenter
from payment_svc.domain.case import CaseStatus
from payment_svc.domain.errors import CaseNotFound
from payment_svc.ports import CaseStore, PaymentStore, SagaStore, SagaView, Witnesses
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.use_cases.explain_payment import explain_payment

_PAGE_DEFAULT = 50
_PAGE_MAX = 500


class PaymentOperationsService(OperationsServiceServicer):
    """Serves `paymesh.payment.v1.OperationsService`."""

    def __init__(
        self,
        payments: PaymentStore,
        sagas: SagaStore,
        witnesses: Witnesses,
        clock: Clock,
        policy: RetryPolicy,
        cases: CaseStore,
    ) -> None:
        self._payments = payments
        self._sagas = sagas
        self._witnesses = witnesses
        self._clock = clock
        self._policy = policy
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
            now=self._clock(),
            policy=self._policy,
            cases=self._cases,
        )
        return explanation_presenter.explanation(explained)

    async def ListSagas(
        self, request: operations.ListSagasRequest, _: Any
    ) -> operations.ListSagasResponse:
        """List a queue; see the proto."""
        queue = next(q for q, value in presenter.QUEUES.items() if value == request.queue)
        limit = min(request.page_size or _PAGE_DEFAULT, _PAGE_MAX)
        after = _read_token(request.page_token, queue) if request.page_token else None
        unknown_for = (
            timedelta(seconds=request.unknown_for_s) if request.HasField("unknown_for_s") else None
        )
        views = await self._sagas.list_queue(queue, limit, after, unknown_for)
        return operations.ListSagasResponse(
            sagas=[presenter.saga(view) for view in views],
            next_page_token=_write_token(views[-1], queue) if len(views) == limit else "",
        )

    async def ListCases(
        self, request: operations.ListCasesRequest, _: Any
    ) -> operations.ListCasesResponse:
        """List cases; see the proto."""
        status = next(
            (s for s, value in case_presenter.STATUSES.items() if value == request.status),
            CaseStatus.OPEN,
        )
        limit = min(request.page_size or _PAGE_DEFAULT, _PAGE_MAX)
        after = case_presenter.read_token(request.page_token) if request.page_token else None
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


def _write_token(view: SagaView, queue: Queue) -> str:
    place = view.due_at or view.progress.created_at
    text = json.dumps([queue.value, place.isoformat(), view.progress.saga_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_token(token: str, queue: Queue) -> tuple[datetime, str]:
    try:
        named, place, saga_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        moment = datetime.fromisoformat(place)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidRequest.field("page_token", "is not one of ours") from error
    if named != queue.value or moment.tzinfo is None or not isinstance(saga_id, str):
        raise InvalidRequest.field("page_token", "belongs to another list")
    return moment, saga_id
