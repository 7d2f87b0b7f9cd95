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


async def ensure_demo_client(
    stack: Mapping[str, Any], known_key: str | None
) -> dict[str, str | None]:
    """Make the client "demo" unless it is there; answer its id and key.

    Raises:
        StackError: it is there, but its key is not known here.
    """
    async with operator_channel(stack, "edge_auth") as channel:
        stub = ClientServiceStub(channel)
        request = edge.CreateClientRequest(client_id=_ID, display_name="the embedded stack's own")
        try:
            key: str | None = (await stub.CreateClient(request, timeout=_TIMEOUT_S)).api_key
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise StackError(f"edge_auth made no client: {error.details()}") from error
            key = known_key
    if key is None:
        raise StackError("the demo client's key is lost with secrets.json; use a fresh --state")
    return {"id": _ID, "api_key": key, "secret": None}
