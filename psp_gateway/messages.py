"""Attempts, refusals and PSPs: domain to wire."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import provider_pb2 as nouns
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from privacy.masked import Personal
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.circuit import Circuit, State
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.hosted_page import PageRequest

KINDS = {kind: noun.Attempt.Kind.Value(kind.value) for kind in Kind}
OUTCOMES = {outcome: noun.Attempt.Outcome.Value(outcome.value) for outcome in Outcome}
DELIVERIES = {delivery: noun.Attempt.Delivery.Value(delivery.value) for delivery in Delivery}
METHODS = {method: nouns.PaymentMethod.Value(method.value) for method in Method}
NO_METHOD = nouns.PAYMENT_METHOD_UNSPECIFIED
METHODS_IN = {NO_METHOD: Method.CARD} | {value: method for method, value in METHODS.items()}
CAPTURES = {often: nouns.Provider.Captures.Value(often.value) for often in Captures}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATES = {state: nouns.Circuit.State.Value(state.value) for state in State}


def results(answers: Sequence[Attempt | Refusal], now: datetime) -> list[service.AttemptResult]:
    """Write the answers to a batch, in its order, as they are told at `now`."""
    return [
        service.AttemptResult(refusal=to_refusal(answer))
        if isinstance(answer, Refusal)
        else service.AttemptResult(attempt=to_attempt(answer, now))
        for answer in answers
    ]


def page_of(command: service.ChargeCommand) -> PageRequest | None:
    """Read the page that a charge is made on; None: it has a token."""
    if not command.HasField("hosted_page"):
        return None
    page = command.hosted_page
    return PageRequest(
        success_url=page.success_url,
        cancel_url=page.cancel_url,
        expires_at=page.expires_at.ToDatetime(UTC),
        description=page.description,
        locale=page.locale,
        buyer_email=Personal(page.buyer_email),
    )


def paid_by(command: service.ChargeCommand) -> bytes:
    """Write what a charge is paid by, for a keyed hash: it tells another charge under the id."""
    if not command.HasField("hosted_page"):
        return command.payment_token.encode()
    return b"page " + command.hosted_page.SerializeToString(deterministic=True)


def to_attempt(found: Attempt, now: datetime) -> noun.Attempt:
    """Write an attempt; how long it is to be left alone counts from `now`, when it is told."""
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
        psps_tried=found.psps_tried,
        payment_method=METHODS[found.method] if found.kind.is_first else NO_METHOD,
        is_final=found.kind is Kind.CAPTURE and found.is_final,
        is_put_off=found.is_put_off,
    )
    again_at = found.ask_again_at(now)
    if again_at is not None:
        message.retry_after.FromTimedelta(max(again_at - now, timedelta(0)))
    if found.expires_at is not None:
        message.expires_at.CopyFrom(_timestamp(found.expires_at))
    if found.page_expires_at is not None:
        message.page_expires_at.CopyFrom(_timestamp(found.page_expires_at))
    return message


def to_provider(capable: Capabilities, circuits: Mapping[str, Circuit]) -> nouns.Provider:
    """Write what a PSP can do, and how it stands."""
    message = nouns.Provider(
        psp=capable.psp,
        methods=sorted(METHODS[method] for method in capable.methods),
        captures=CAPTURES[capable.captures],
        refunds=capable.refunds,
        hosted_page=capable.hosted_page,
        payouts=capable.payouts,
        disputes=capable.disputes,
        can_look_up=capable.can_look_up,
        debit_currencies=sorted(capable.debit_currencies),
        circuits=[_circuit(name, circuits[name]) for name in sorted(circuits)],
    )
    for stage, retention in capable.key_retention.items():
        message.key_retention[stage.lower()].FromTimedelta(retention)
    return message


def _circuit(operation: str, circuit: Circuit) -> nouns.Circuit:
    message = nouns.Circuit(
        operation=operation,
        state=STATES[circuit.state],
        calls=circuit.calls,
        failures=circuit.failures,
        since=_timestamp(circuit.since),
    )
    if circuit.state is State.OPEN:
        message.rest.FromTimedelta(circuit.rest)
    return message


def to_refusal(refusal: Refusal) -> service.Refusal:
    """Write a refusal."""
    return service.Refusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata
    )


def _timestamp(moment: datetime) -> Timestamp:
    since = moment - _EPOCH  # cheaper than `FromDatetime`, which goes by the calendar
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)
