"""gRPC ↔ use cases: API clients, for operators."""

import os
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceServicer

from chassis.clock import Clock
from chassis.interceptors import request_context
from edge_auth.domain.credentials import Change, Client, Credential, Kind
from edge_auth.domain.scopes import Scope
from edge_auth.ports import Announcer, ClientStore
from edge_auth.use_cases.create_client import NewClient, create_client
from edge_auth.use_cases.get_client import get_client
from edge_auth.use_cases.list_clients import list_clients
from edge_auth.use_cases.revoke_client import revoke_client
from edge_auth.use_cases.rotate_credential import Rotation, rotate_credential
from edge_auth.use_cases.set_client_limit import set_client_limit

_ACTOR_LENGTH_MAX = 180
_OVERLAP = timedelta(days=1)
_TOLD_WITHIN = timedelta(seconds=0.5)  # the instances look five times a second


class OperatorsClientService(ClientServiceServicer):
    """Serves `paymesh.edge.v1.ClientService`.

    Args:
        untold_within: how long a change takes at most while instances cannot be told.
        is_unsigned_money_out: whether clients may move money out unsigned; never in production.
    """

    def __init__(
        self,
        store: ClientStore,
        announcer: Announcer,
        clock: Clock,
        *,
        untold_within: timedelta,
        is_unsigned_money_out: bool = False,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._untold_within = untold_within
        self._is_unsigned_money_out = is_unsigned_money_out

    async def CreateClient(
        self, request: edge.CreateClientRequest, _: Any
    ) -> edge.CreateClientResponse:
        """Register a client; see the proto."""
        wanted = NewClient(
            request.client_id,
            request.display_name,
            [Scope(scope) for scope in request.scopes],
            request.signing,
            _actor(),
            request.reason,
        )
        created = await create_client(
            wanted,
            store=self._store,
            clock=self._clock,
            random_bytes=os.urandom,
            is_unsigned_money_out=self._is_unsigned_money_out,
        )
        return edge.CreateClientResponse(
            client=_client(created.client), api_key=created.api_key, secret=created.secret
        )

    async def GetClient(self, request: edge.GetClientRequest, _: Any) -> edge.GetClientResponse:
        """Read a client; see the proto."""
        found = await get_client(request.client_id, store=self._store)
        return edge.GetClientResponse(
            client=_client(found.client),
            credentials=[_credential(credential) for credential in found.credentials],
            changes=[_change(change) for change in found.changes],
        )

    async def ListClients(
        self, request: edge.ListClientsRequest, _: Any
    ) -> edge.ListClientsResponse:
        """List clients; see the proto."""
        page, token = await list_clients(request.page_size, request.page_token, store=self._store)
        return edge.ListClientsResponse(
            clients=[_client(client) for client in page], next_page_token=token
        )

    async def RotateCredential(
        self, request: edge.RotateCredentialRequest, _: Any
    ) -> edge.RotateCredentialResponse:
        """Make a new key or secret; see the proto."""
        has_overlap = request.HasField("overlap")
        wanted = Rotation(
            request.client_id,
            Kind(edge.Credential.Kind.Name(request.kind)),
            request.overlap.ToTimedelta() if has_overlap else _OVERLAP,
            _actor(),
            request.reason,
        )
        rotated = await rotate_credential(
            wanted,
            store=self._store,
            announcer=self._announcer,
            clock=self._clock,
            random_bytes=os.urandom,
        )
        return edge.RotateCredentialResponse(
            credential=_credential(rotated.credential),
            value=rotated.value,
            old_expires_at=_moment(rotated.old_ends_at),
        )

    async def RevokeClient(
        self, request: edge.RevokeClientRequest, _: Any
    ) -> edge.RevokeClientResponse:
        """Revoke a client or a credential of it; see the proto."""
        client, is_told = await revoke_client(
            request.client_id,
            request.credential_id,
            actor=_actor(),
            reason=request.reason,
            store=self._store,
            announcer=self._announcer,
            clock=self._clock,
        )
        within = Duration()
        within.FromTimedelta(_TOLD_WITHIN if is_told else self._untold_within)
        return edge.RevokeClientResponse(client=_client(client), effective_within=within)

    async def SetClientLimit(
        self, request: edge.SetClientLimitRequest, _: Any
    ) -> edge.SetClientLimitResponse:
        """Set a client's limit; see the proto."""
        has_rate = request.HasField("requests_per_second")
        client = await set_client_limit(
            request.client_id,
            request.requests_per_second if has_rate else None,
            request.burst if request.HasField("burst") else None,
            actor=_actor(),
            reason=request.reason,
            store=self._store,
            announcer=self._announcer,
            clock=self._clock,
        )
        return edge.SetClientLimitResponse(client=_client(client))


def _actor() -> str:
    """Tell who makes the call under way: by his certificate, or by his own word, marked as such."""
    context = request_context()
    context.own_word(_ACTOR_LENGTH_MAX)
    return context.actor()


def _client(client: Client) -> edge.ApiClient:
    return edge.ApiClient(
        client_id=client.client_id,
        display_name=client.display_name,
        created_at=_moment(client.created_at),
        scopes=client.scopes,
        signing=client.signing,
        requests_per_second=client.requests_per_second,
        burst=client.burst,
        revoked_at=_moment(client.revoked_at),
    )


def _credential(credential: Credential) -> edge.Credential:
    return edge.Credential(
        credential_id=credential.credential_id,
        kind=edge.Credential.Kind.Value(credential.kind.value),
        created_at=_moment(credential.created_at),
        expires_at=_moment(credential.expires_at),
        revoked_at=_moment(credential.revoked_at),
    )


def _change(change: Change) -> edge.ClientChange:
    return edge.ClientChange(
        at=_moment(change.at),
        actor=change.actor,
        action=change.action,
        detail=change.detail,
        reason=change.reason,
    )


def _moment(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
