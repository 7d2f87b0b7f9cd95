"""gRPC to use cases and back; the only file that sees both."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service
from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceServicer

from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.ports import AttemptReader
from psp_gateway.running import Asked, Running
from psp_gateway.use_cases.execute_charges import ChargeCommand, begin_charge, execute_charge
from psp_gateway.use_cases.execute_holds import HoldCommand, begin_hold, execute_hold
from psp_gateway.use_cases.execute_refunds import RefundCommand, begin_refund, execute_refund
from psp_gateway.use_cases.list_attempts import list_attempts
from psp_gateway.use_cases.take_further import Means

KINDS = {kind: noun.Attempt.Kind.Value(kind.value) for kind in Kind}
OUTCOMES = {
    Outcome.SUCCEEDED: noun.Attempt.SUCCEEDED,
    Outcome.DECLINED: noun.Attempt.DECLINED,
    Outcome.ACTION_REQUIRED: noun.Attempt.ACTION_REQUIRED,
    Outcome.PENDING: noun.Attempt.PENDING,
    Outcome.TRANSIENT: noun.Attempt.TRANSIENT,
    Outcome.UNKNOWN: noun.Attempt.UNKNOWN,
}
DELIVERIES = {
    Delivery.NOT_SENT: noun.Attempt.NOT_SENT,
    Delivery.SENT_NO_ANSWER: noun.Attempt.SENT_NO_ANSWER,
    Delivery.ANSWERED: noun.Attempt.ANSWERED,
}


class PspGatewayServicer(PspGatewayServiceServicer):
    """`paymesh.psp.v1.PspGatewayService`.

    Args:
        fingerprint_key: hashes payment tokens, so that a reused attempt is told without storing
            one.
    """

    def __init__(
        self, means: Means, reader: AttemptReader, running: Running, *, fingerprint_key: bytes
    ) -> None:
        self._means = means
        self._reader = reader
        self._running = running
        self._key = fingerprint_key

    async def ExecuteCharges(
        self, request: service.ExecuteChargesRequest, context: Any
    ) -> service.ExecuteChargesResponse:
        """Charge buyers."""
        now = self._means.clock()
        asked = [_or_refusal(self._charge, item, now) for item in request.charges]
        return service.ExecuteChargesResponse(results=_results(await self._running.run(asked)))

    async def ExecuteCaptures(
        self, request: service.ExecuteCapturesRequest, context: Any
    ) -> service.ExecuteCapturesResponse:
        """Take what is held."""
        now = self._means.clock()
        asked = [_or_refusal(self._capture, item, now) for item in request.captures]
        return service.ExecuteCapturesResponse(results=_results(await self._running.run(asked)))

    async def ExecuteVoids(
        self, request: service.ExecuteVoidsRequest, context: Any
    ) -> service.ExecuteVoidsResponse:
        """Let go of what is held."""
        now = self._means.clock()
        asked = [_or_refusal(self._void, item, now) for item in request.voids]
        return service.ExecuteVoidsResponse(results=_results(await self._running.run(asked)))

    async def ExecuteRefunds(
        self, request: service.ExecuteRefundsRequest, context: Any
    ) -> service.ExecuteRefundsResponse:
        """Give charges back."""
        now = self._means.clock()
        asked = [_or_refusal(self._refund, item, now) for item in request.refunds]
        return service.ExecuteRefundsResponse(results=_results(await self._running.run(asked)))

    async def ListAttempts(
        self, request: service.ListAttemptsRequest, context: Any
    ) -> service.ListAttemptsResponse:
        """List a payment's attempts."""
        found = await list_attempts(self._reader, request.payment_id)
        return service.ListAttemptsResponse(attempts=map(_attempt, found))

    def _charge(self, item: service.ChargeCommand, now: datetime) -> Asked:
        token = item.payment_token
        command = ChargeCommand(
            attempt_id=item.attempt_id,
            payment_id=item.payment_id,
            client_id=item.client_id,
            amount=item.amount,
            currency=item.currency,
            fingerprint=hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest(),
            is_held=item.capture_method == service.ChargeCommand.MANUAL,
        )
        attempt = begin_charge(command, self._means.provider, now)
        return Asked(attempt, lambda: execute_charge(self._means, attempt, token))

    def _capture(self, item: service.CaptureCommand, now: datetime) -> Asked:
        return self._hold(Kind.CAPTURE, item, now)

    def _void(self, item: service.VoidCommand, now: datetime) -> Asked:
        return self._hold(Kind.VOID, item, now)

    def _hold(
        self, kind: Kind, item: service.CaptureCommand | service.VoidCommand, now: datetime
    ) -> Asked:
        command = HoldCommand(
            kind=kind,
            attempt_id=item.attempt_id,
            charge_attempt_id=item.charge_attempt_id,
            amount=item.amount,
            currency=item.currency,
        )
        attempt = begin_hold(command, self._means.provider, now)
        return Asked(attempt, lambda: execute_hold(self._means, attempt))

    def _refund(self, item: service.RefundCommand, now: datetime) -> Asked:
        command = RefundCommand(
            attempt_id=item.attempt_id,
            charge_attempt_id=item.charge_attempt_id,
            amount=item.amount,
            currency=item.currency,
        )
        attempt = begin_refund(command, self._means.provider, now)
        return Asked(attempt, lambda: execute_refund(self._means, attempt))


def _or_refusal(
    read: Callable[[Any, datetime], Asked], item: Any, now: datetime
) -> Asked | Refusal:
    try:
        return read(item, now)
    except Refusal as refusal:
        return refusal


def _results(answers: Sequence[Attempt | Refusal]) -> list[service.AttemptResult]:
    return [
        service.AttemptResult(refusal=_refusal(answer))
        if isinstance(answer, Refusal)
        else service.AttemptResult(attempt=_attempt(answer))
        for answer in answers
    ]


def _refusal(refusal: Refusal) -> service.Refusal:
    return service.Refusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata
    )


def _attempt(found: Attempt) -> noun.Attempt:
    message = noun.Attempt(
        attempt_id=found.attempt_id,
        kind=KINDS[found.kind],
        outcome=OUTCOMES[found.outcome],
        delivery=DELIVERIES[found.delivery],
        psp=found.psp,
        psp_reference=found.psp_reference,
        amount=str(found.amount),
        currency=found.amount.currency,
        reason=found.reason,
        psp_code=found.psp_code,
        message=found.message,
        redirect_url=found.redirect_url,
        payment_id=found.payment_id,
        request_count=found.request_count,
        created_at=_timestamp(found.created_at),
        updated_at=_timestamp(found.updated_at),
    )
    if found.expires_at is not None:
        message.expires_at.CopyFrom(_timestamp(found.expires_at))
    return message


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
