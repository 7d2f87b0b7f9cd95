"""gRPC ↔ use cases: API clients, for operators."""

import os
from typing import Any

from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceServicer

from chassis.clock import Clock
from edge_auth.domain.credentials import Client
from edge_auth.ports import ClientStore
from edge_auth.use_cases.create_client import create_client
from edge_auth.use_cases.get_client import get_client


class OperatorsClientService(ClientServiceServicer):
    """Serves `paymesh.edge.v1.ClientService`."""

    def __init__(self, store: ClientStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def CreateClient(
        self, request: edge.CreateClientRequest, _: Any
    ) -> edge.CreateClientResponse:
        """Register a client; see the proto."""
        created = await create_client(
            request.client_id,
            request.display_name,
            store=self._store,
            clock=self._clock,
            random_bytes=os.urandom,
        )
        return edge.CreateClientResponse(
            client=_client(created.client), api_key=created.api_key.reveal()
        )

    async def GetClient(self, request: edge.GetClientRequest, _: Any) -> edge.GetClientResponse:
        """Read a client; see the proto."""
        found = await get_client(request.client_id, store=self._store)
        return edge.GetClientResponse(client=_client(found))


def _client(client: Client) -> edge.ApiClient:
    message = edge.ApiClient(client_id=client.client_id, display_name=client.display_name)
    message.created_at.FromDatetime(client.created_at)
    return message
