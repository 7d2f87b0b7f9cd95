"""gRPC ↔ use cases: the public WebhookEndpointService."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from paymesh.payment.v1 import webhook_endpoint_pb2 as messages
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as service
from paymesh.payment.v1.webhook_endpoint_service_pb2_grpc import WebhookEndpointServiceServicer

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.interceptors import request_context
from payment_svc import requests
from payment_svc.domain.payment import NewId
from payment_svc.domain.webhook_endpoint import ShownEndpoint
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.domain.webhook_url import TargetRules
from payment_svc.idempotency import HEADER, REPLAYED
from payment_svc.ports import Asked
from payment_svc.presenter import timestamp
from payment_svc.use_cases import create_webhook_endpoint, redeliver_event, rotate_webhook_secret
from payment_svc.use_cases.delete_webhook_endpoint import delete_webhook_endpoint
from payment_svc.use_cases.get_webhook_endpoint import get_webhook_endpoint
from payment_svc.use_cases.list_events import list_events
from payment_svc.use_cases.list_webhook_deliveries import list_webhook_deliveries
from payment_svc.use_cases.list_webhook_endpoints import list_webhook_endpoints
from payment_svc.webhooks import presenter
from payment_svc.webhooks.ports import WebhookLog, WebhookStore


class PublicWebhookService(WebhookEndpointServiceServicer):
    """Serves `paymesh.payment.v1.WebhookEndpointService`.

    Args:
        due: told when something is to be sent at once; it wakes the courier.
        fingerprint_key: hashes the fields of requests.
    """

    def __init__(
        self,
        store: WebhookStore,
        log: WebhookLog,
        *,
        rules: TargetRules,
        keys: SecretKeys,
        clock: Clock,
        new_id: NewId,
        fingerprint_key: bytes,
        due: Callable[[], None],
    ) -> None:
        self._store = store
        self._log = log
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._new_id = new_id
        self._fingerprint_key = fingerprint_key
        self._due = due

    async def CreateWebhookEndpoint(
        self, request: service.CreateWebhookEndpointRequest, context: Any
    ) -> messages.WebhookEndpoint:
        """Register an address; see the proto."""
        shown = await create_webhook_endpoint.create_webhook_endpoint(
            self._asked(create_webhook_endpoint.METHOD, request),
            request.url,
            request.event_types,
            request.description,
            store=self._store,
            rules=self._rules,
            keys=self._keys,
            clock=self._clock,
            new_id=self._new_id,
        )
        return await self._show(shown, context)

    async def GetWebhookEndpoint(
        self, request: service.GetWebhookEndpointRequest, _: Any
    ) -> messages.WebhookEndpoint:
        """Read an endpoint; see the proto."""
        client_id = request_context().require_client()
        found = await get_webhook_endpoint(client_id, request.endpoint_id, store=self._store)
        return presenter.endpoint(found)

    async def ListWebhookEndpoints(
        self, request: service.ListWebhookEndpointsRequest, _: Any
    ) -> service.ListWebhookEndpointsResponse:
        """List endpoints; see the proto."""
        client_id = request_context().require_client()
        found, token = await list_webhook_endpoints(
            client_id, request.page_size, request.page_token, store=self._store
        )
        return service.ListWebhookEndpointsResponse(
            endpoints=[presenter.endpoint(endpoint) for endpoint in found],
            next_page_token=token,
        )

    async def DeleteWebhookEndpoint(
        self, request: service.DeleteWebhookEndpointRequest, _: Any
    ) -> messages.WebhookEndpoint:
        """Give an endpoint up; see the proto."""
        client_id = request_context().require_client()
        deleted = await delete_webhook_endpoint(client_id, request.endpoint_id, store=self._store)
        return presenter.endpoint(deleted)

    async def RotateWebhookSecret(
        self, request: service.RotateWebhookSecretRequest, context: Any
    ) -> messages.WebhookEndpoint:
        """Make a new secret; see the proto."""
        shown = await rotate_webhook_secret.rotate_webhook_secret(
            self._asked(rotate_webhook_secret.METHOD, request),
            request.endpoint_id,
            store=self._store,
            keys=self._keys,
        )
        return await self._show(shown, context)

    async def ListEvents(
        self, request: service.ListEventsRequest, _: Any
    ) -> service.ListEventsResponse:
        """List events; see the proto."""
        client_id = request_context().require_client()
        found, token = await list_events(
            client_id, request.object_id, request.page_size, request.page_token, log=self._log
        )
        return service.ListEventsResponse(
            events=[presenter.event(event) for event in found], next_page_token=token
        )

    async def ListWebhookDeliveries(
        self, request: service.ListWebhookDeliveriesRequest, _: Any
    ) -> service.ListWebhookDeliveriesResponse:
        """List deliveries; see the proto."""
        found, token = await list_webhook_deliveries(
            request_context().require_client(),
            request.endpoint_id,
            request.page_size,
            request.page_token,
            store=self._store,
            log=self._log,
        )
        return service.ListWebhookDeliveriesResponse(
            deliveries=[presenter.delivery(view) for view in found], next_page_token=token
        )

    async def RedeliverEvent(
        self, request: service.RedeliverEventRequest, _: Any
    ) -> service.RedeliverEventResponse:
        """Send again; see the proto."""
        caller = request_context()
        has_key = caller.header(HEADER) is not None
        count, next_since = await redeliver_event.redeliver_event(
            caller.require_client(),
            request.endpoint_id,
            request.event_id or _since(request),
            self._asked(redeliver_event.METHOD, request) if has_key else None,
            store=self._store,
            log=self._log,
        )
        self._due()
        response = service.RedeliverEventResponse(event_count=count)
        if next_since is not None:
            response.next_since.CopyFrom(timestamp(next_since))
        return response

    def _asked(self, method: str, request: Message) -> Asked:
        return requests.asked(method, request, request_context(), self._fingerprint_key)

    async def _show(self, shown: ShownEndpoint, context: Any) -> messages.WebhookEndpoint:
        message = presenter.with_secret(shown, self._keys)
        if shown.replayed:
            await context.send_initial_metadata(((REPLAYED, "true"),))
        return message


def _since(request: service.RedeliverEventRequest) -> datetime:
    try:
        return request.since.ToDatetime(UTC)
    except ValueError as error:
        raise InvalidRequest.field("since", "is out of range") from error
