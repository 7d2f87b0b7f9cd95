"""gRPC ↔ the audit of payments."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import audit_service_pb2 as service
from paymesh.payment.v1.audit_service_pb2_grpc import AuditServiceServicer

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from payment_svc.audit_ports import AuditStore, AuditWitnesses
from payment_svc.domain.soundness import Violation
from payment_svc.use_cases.audit_payments import Progress, audit_payments

_DEFAULT = timedelta(hours=24)


class PaymentAuditService(AuditServiceServicer):
    """Serves `paymesh.payment.v1.AuditService`."""

    def __init__(self, store: AuditStore, witnesses: AuditWitnesses, clock: Clock) -> None:
        self._store = store
        self._witnesses = witnesses
        self._clock = clock

    async def AuditPayments(
        self, request: service.AuditPaymentsRequest, _: Any
    ) -> AsyncIterator[service.AuditPaymentsResponse]:
        """Judge payments; see the proto."""
        now = self._clock()
        created_from = now - _DEFAULT
        if request.HasField("created_from"):
            created_from = _moment(request.created_from, "created_from")
        created_to = now
        if request.HasField("created_to"):
            created_to = _moment(request.created_to, "created_to")
        if created_from >= created_to:
            raise InvalidRequest.field("created_from", "must be before created_to")
        rested_from = None
        if request.HasField("rested_from"):
            rested_from = _moment(request.rested_from, "rested_from")
        async for told in audit_payments(
            self._store,
            self._witnesses,
            self._clock,
            created_from=created_from,
            created_to=created_to,
            rested_from=rested_from,
        ):
            yield _response(told)


def _response(told: Violation | Progress) -> service.AuditPaymentsResponse:
    if isinstance(told, Violation):
        invariant = service.AuditViolation.Invariant.Value(told.invariant)
        violation = service.AuditViolation(
            invariant=invariant, payment_id=told.payment_id, how=told.how
        )
        return service.AuditPaymentsResponse(violation=violation)
    progress = service.AuditProgress(
        payment_count=told.payment_count,
        in_flight_count=told.in_flight_count,
        violation_count=told.violation_count,
        is_done=told.is_done,
    )
    return service.AuditPaymentsResponse(progress=progress)


def _moment(told: Timestamp, field: str) -> datetime:
    moment = told.ToDatetime(UTC)
    if moment.timestamp() < 0:
        raise InvalidRequest.field(field, "must not be before 1970")
    return moment
