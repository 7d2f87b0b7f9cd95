"""The API client "demo" of an embedded stack."""

from collections.abc import Mapping
from typing import Any

import grpc
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub

from devstack.reach import operator_channel
from devstack.state import StackError

_ID = "demo"
_TIMEOUT_S = 10.0
_SCOPES = ("read", "pay", "operate")
_MONEY_OUT = ("refund", "payout")  # unsigned in development alone


async def ensure_demo_client(
    stack: Mapping[str, Any], known: Mapping[str, str | None], *, may_all: bool
) -> dict[str, str | None]:
    """Make the client "demo" unless it is there; answer its id, key and secret.

    It need not sign; what it signs all the same is checked. `may_all` gives it every scope.

    Raises:
        StackError: it is there, but its key is not known here.
    """
    async with operator_channel(stack, "edge_auth") as channel:
        stub = ClientServiceStub(channel)
        request = edge.CreateClientRequest(
            client_id=_ID,
            display_name="the embedded stack's own",
            scopes=[*_SCOPES, *(_MONEY_OUT if may_all else ())],
            reason="every embedded stack has one",
        )
        key, secret = known["api_key"], known["secret"]
        try:
            made = await stub.CreateClient(request, timeout=_TIMEOUT_S)
            key, secret = made.api_key, made.secret
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise StackError(f"edge_auth made no client: {error.details()}") from error
    if key is None:
        raise StackError("the demo client's key is lost with secrets.json; use a fresh --state")
    return {"id": _ID, "api_key": key, "secret": secret}
