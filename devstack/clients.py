"""What `paymesh client` asks of edge_auth, as plain data in the protos' own names."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub

from devstack.reach import operator_channel
from devstack.trail import plain

Json = dict[str, Any]
_TIMEOUT_S = 10.0
_PAGE = 500
_KINDS = {"key": edge.Credential.API_KEY, "secret": edge.Credential.SECRET}


class Clients:
    """The operators' calls, made by `actor`; empty: nobody in particular."""

    def __init__(self, stub: Any, actor: str) -> None:
        self._stub = stub
        self._metadata = (("x-paymesh-actor", actor),) if actor else ()

    async def create(
        self, client_id: str, *, name: str, scopes: Sequence[str], signing: bool, why: str
    ) -> Json:
        """Register a client."""
        request = edge.CreateClientRequest(
            client_id=client_id, display_name=name, scopes=scopes, signing=signing, reason=why
        )
        return await self._ask("CreateClient", request)

    async def list(self, limit: int) -> Sequence[Json]:
        """List clients, at most `limit` of them."""
        found: list[Json] = []
        token = ""
        while len(found) < limit:
            request = edge.ListClientsRequest(
                page_size=min(limit - len(found), _PAGE), page_token=token
            )
            page = await self._ask("ListClients", request)
            found += page["clients"]
            token = page["next_page_token"]
            if not token:
                break
        return found

    async def show(self, client_id: str) -> Json:
        """Read a client."""
        return await self._ask("GetClient", edge.GetClientRequest(client_id=client_id))

    async def rotate(self, client_id: str, kind: str, overlap: timedelta, why: str) -> Json:
        """Make a new key or secret."""
        request = edge.RotateCredentialRequest(client_id=client_id, kind=_KINDS[kind], reason=why)
        request.overlap.FromTimedelta(overlap)
        return await self._ask("RotateCredential", request)

    async def revoke(self, client_id: str, credential_id: str, why: str) -> Json:
        """Revoke a client, or one credential of it."""
        request = edge.RevokeClientRequest(
            client_id=client_id, credential_id=credential_id, reason=why
        )
        return await self._ask("RevokeClient", request)

    async def limit(
        self, client_id: str, per_second: int | None, burst: int | None, why: str
    ) -> Json:
        """Set a client's limit; None: the default."""
        request = edge.SetClientLimitRequest(
            client_id=client_id, requests_per_second=per_second, burst=burst, reason=why
        )
        return await self._ask("SetClientLimit", request)

    async def _ask(self, rpc: str, request: Message) -> Json:
        call = getattr(self._stub, rpc)
        return plain(await call(request, timeout=_TIMEOUT_S, metadata=self._metadata))


@asynccontextmanager
async def opened(stack: Mapping[str, Any], actor: str) -> AsyncIterator[Clients]:
    """Open the way to a stack's edge_auth, in a mesh as the operator `actor`."""
    async with operator_channel(stack, "edge_auth", actor) as channel:
        yield Clients(ClientServiceStub(channel), actor)
