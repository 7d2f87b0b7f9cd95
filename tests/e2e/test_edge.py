"""The edge's door: what it takes off, what it answers itself, and how it fails."""

import os
import signal
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from devstack.rest import RestClient, specification_request


async def ask(stack: dict[str, Any], path: str, **more: Any) -> tuple[int, Any]:
    """GET a path with the demo client's key; answer status and body."""
    headers = {"Authorization": f"Bearer {stack['client']['api_key']}", **more.pop("headers", {})}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(more.pop("method", "GET"), stack["edge"]["url"] + path, **more) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("request_", "status", "code", "reason"),
    [
        ({"path": "/v1/nothing"}, 404, 5, "NO_SUCH_PATH"),
        ({"path": "/v1/payments/pay_x", "method": "DELETE"}, 404, 5, "NO_SUCH_PATH"),
        ({"path": "/v1/payments/pay_x?unknown=1"}, 400, 3, "MALFORMED_REQUEST"),
        ({"path": "/v1/payments/x", "headers": {"a_b": "1"}}, 400, 3, "MALFORMED_REQUEST"),
        ({"path": "/v1/payments/x", "headers": {"a": "b" * 20_000}}, 431, 3, "HEADERS_TOO_LARGE"),
        (
            {"path": "/v1/payments", "method": "POST", "data": b" " * 70_000},
            413, 3, "REQUEST_TOO_LARGE",
        ),
    ],
)  # fmt: skip
async def test_what_the_edge_answers_itself_has_the_shape_of_every_error(
    stack: dict[str, Any], request_: dict[str, Any], status: int, code: int, reason: str
) -> None:
    """A caller needs one way of reading errors, whoever writes them."""
    answered, body = await ask(stack, **request_)

    assert (answered, body["code"]) == (status, code)
    assert body["message"]
    detail = body["details"][0]
    assert detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (detail["reason"], detail["domain"]) == (reason, "edge.paymesh")
    assert all(isinstance(value, str) for value in detail.get("metadata", {}).values())


async def test_the_door_is_shut_while_nobody_can_check_credentials(stack: dict[str, Any]) -> None:
    """When edge_auth does not answer, nobody enters: 503, in the shape of every error."""
    pid = stack["services"]["edge_auth"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        status, body = await ask(stack, "/v1/payments/pay_x")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert (status, body["code"]) == (503, 14)
    assert body["details"][0]["reason"] == "UNAVAILABLE"


async def test_nobody_says_who_he_is_but_by_his_key(
    stack: dict[str, Any], rest: RestClient
) -> None:
    """Headers by which the mesh speaks of callers and deadlines are taken off at the door."""
    created = await rest.create(specification_request(f"order-{uuid4()}"))
    forged = {
        "x-paymesh-client-id": "somebody-else",
        "x-paymesh-identity": "somebody-else",
        "x-forwarded-client-cert": "URI=spiffe://somebody/else",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "grpc-timeout": "1n",
        "x-anything-bin": "%%%",
    }

    path = f"/v1/payments/{created.body['payment_id']}"
    status, body = await ask(stack, path, headers=forged)

    assert status == 200, body
    assert body["payment_id"] == created.body["payment_id"]
