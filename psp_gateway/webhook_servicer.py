"""gRPC to use cases and back, for what PSPs tell unasked."""

from datetime import datetime
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.psp.v1 import webhook_service_pb2 as service
from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceServicer

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.telemetry import logger
from paging.page_size import page_limit
from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.inbox import Raw, State, Told
from psp_gateway.metrics import WEBHOOKS
from psp_gateway.use_cases.receive_webhook import Receiving, receive_webhook

STATES = {state: service.WebhookEvent.State.Value(state.value) for state in State}
_STATES_IN = {value: state for state, value in STATES.items()}

_NEWEST = 2**62

# What signatures are made of; the rest of the headers is of no use later, and may be anything.
_KEPT_HEADERS = ("stripe-signature", "paypal-", "hmacsignature", "content-type", "user-agent")


class PspWebhookService(WebhookServiceServicer):
    """`paymesh.psp.v1.WebhookService`.

    Args:
        receiving: what taking in takes.
        arrived: called when something new is in the inbox.
    """

    def __init__(self, receiving: Receiving, clock: Clock, arrived: Any) -> None:
        self._receiving = receiving
        self._clock = clock
        self._arrived = arrived

    async def ReceiveWebhook(
        self, request: service.ReceiveWebhookRequest, context: Any
    ) -> HttpBody:
        """Take a webhook in."""
        raw = Raw(request.psp, _headers(context), request.raw.data)
        psp = request.psp if request.psp in self._receiving.readers else "unknown"
        try:
            body, kind, new_count = await receive_webhook(self._receiving, raw, self._clock())
        except (BadSignature, UnreadableWebhook) as error:
            WEBHOOKS.labels(psp, "refused").inc()
            # What is wrong stays here: who guesses is told nothing.
            logger().warning("webhook_refused", psp=psp, error=error)
            raise InvalidRequest.field("raw", "is not signed by the PSP") from None
        WEBHOOKS.labels(psp, "stored" if new_count else "known").inc()
        if new_count:
            self._arrived()
        return HttpBody(content_type=kind, data=body)

    async def ListWebhookEvents(
        self, request: service.ListWebhookEventsRequest, context: Any
    ) -> service.ListWebhookEventsResponse:
        """List events."""
        found = await self._receiving.inbox.events(
            psp=request.psp,
            state=_STATES_IN.get(request.state),
            before=request.before or _NEWEST,
            limit=page_limit(request.page_size),
            payment_id=request.payment_id,
        )
        return service.ListWebhookEventsResponse(events=map(_event, found))


def _headers(context: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value)
        for name, value in context.invocation_metadata() or ()
        if isinstance(value, str) and name.startswith(_KEPT_HEADERS)
    )


def _event(told: Told) -> service.WebhookEvent:
    event = told.event
    message = service.WebhookEvent(
        number=told.number,
        psp=event.psp,
        event_id=event.event_id,
        event_type=event.event_type,
        subject=event.subject.value,
        reference=event.reference,
        attempt_id=event.attempt_id,
        state=STATES[told.state],
        note=told.note,
        tries=told.tries,
        received_at=_timestamp(told.received_at),
        report_url=event.report_url,
        delivery_count=told.delivery_count,
    )
    if told.due_at is not None:
        message.due_at.CopyFrom(_timestamp(told.due_at))
    return message


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
