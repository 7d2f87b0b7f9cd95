"""Sends wrong requests as REST and as native gRPC, and holds the two answers together."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import aiohttp
import grpc
import psycopg
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # noqa: F401 - the details must be known
from grpc_status import rpc_status
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from devstack.errors_page import Seen
from devstack.rest import specification_request
from tests.e2e.error_cases import KEY, Case, Request

_TIMEOUT_S = 60


class Caller:
    """Sends cases to a running stack."""

    def __init__(self, stack: Mapping[str, Any], http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.bearer = f"Bearer {stack['client']['api_key']}"

    async def rest(self, case: Case, request: Request) -> tuple[int, Any, Mapping[str, str]]:
        """Send a case as REST."""
        usual = {"Authorization": self.bearer, "Content-Type": "application/json"}
        headers = {**usual, KEY: str(uuid4()), **case.headers}
        verb, path = case.call
        body = json.dumps(request).encode() if case.raw is None else case.raw
        async with self.http.request(
            verb,
            path,
            data=body if verb == "POST" else None,
            headers={name: value for name, value in headers.items() if value is not None},
            skip_auto_headers=["Content-Type"],
        ) as answer:
            return answer.status, await answer.json(), answer.headers

    async def native(self, case: Case, request: Request) -> dict[str, Any]:
        """Send a case as native gRPC through the edge; answer its status as REST would have it."""
        headers = {"Authorization": self.bearer, KEY: str(uuid4()), **case.headers}
        metadata = [(name.lower(), value) for name, value in headers.items() if value is not None]
        rpc, message = native_form(case, request)
        target = self.stack["edge"]["url"].removeprefix("http://")
        async with grpc.aio.insecure_channel(target) as channel:
            method = getattr(PaymentServiceStub(channel), rpc)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await method(message, metadata=metadata, timeout=_TIMEOUT_S)
        status = rpc_status.from_call(refused.value)
        assert status is not None, f"{case.title}: {refused.value}"
        return plain(status)

    def stored(self) -> int:
        """Count the payments in the database."""
        with psycopg.connect(self.stack["databases"]["payment"]) as connection:
            row = connection.execute("SELECT count(*) FROM payments").fetchone()
        assert row is not None
        return int(row[0])


def plain(status: Message) -> dict[str, Any]:
    """Write a google.rpc.Status as a REST error."""
    return json_format.MessageToDict(status, preserving_proto_field_name=True)


def native_form(case: Case, request: Request) -> tuple[str, Message]:
    """Tell the RPC and the message that a verb, a path and a body stand for."""
    verb, place = case.call[0], urlsplit(case.call[1])
    match [verb, *place.path.removeprefix("/v1/").split("/")]:
        case ["POST", "payments"]:
            return "CreatePayment", _parsed(request, service.CreatePaymentRequest())
        case ["GET", "payments"]:
            return "ListPayments", _parsed(
                dict(parse_qsl(place.query)), service.ListPaymentsRequest()
            )
        case ["GET", "payments", payment_id]:
            return "GetPayment", service.GetPaymentRequest(payment_id=payment_id)
        case ["POST", "payments", payment_id, "cancel"]:
            return "CancelPayment", service.CancelPaymentRequest(payment_id=payment_id)
        case ["POST", "payments", payment_id, "capture"]:
            asked = {"payment_id": payment_id, **json.loads(case.raw or b"{}")}
            return "CapturePayment", _parsed(asked, service.CapturePaymentRequest())
    raise AssertionError(f"{case.title}: no RPC is known for {case.call}")


def _parsed(content: Request, message: Message) -> Message:
    return json_format.ParseDict(content, message)


def spoiled(case: Case) -> Request:
    """Write the specification's request and spoil it."""
    request = specification_request(f"order-{uuid4()}")
    if case.raw is None:
        case.edit(request)
    return request


async def observe(caller: Caller, case: Case, request: Request | None = None) -> Seen:
    """Send a case in both forms, by default with a spoiled request; both are answered alike."""
    status, body, headers = await caller.rest(case, request or spoiled(case))
    if case.is_native:
        assert_alike(case, body, await caller.native(case, request or spoiled(case)))
    return Seen(case.title, status, body, dict(headers), case.is_native)


def assert_alike(case: Case, rest: Mapping[str, Any], native: Mapping[str, Any]) -> None:
    """See that code, message and details are the same but for what differs by request."""
    assert _comparable(native) == _comparable(rest), case.title


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Take out the id of the request, which Envoy's own replies hold, and empty metadata."""
    details = [dict(detail) for detail in body["details"]]
    metadata = dict(details[0].pop("metadata", {}))
    metadata.pop("requestId", None)
    return {**body, "details": [details[0] | metadata, *details[1:]]}


async def good(caller: Caller, key: str | None = None, **changes: Any) -> tuple[str, Request]:
    """Make a payment that is accepted; answer its id and the request."""
    request = specification_request(f"order-{uuid4()}") | changes
    case = Case("", 200, 0, "", headers={KEY: key} if key else {})
    status, body, _ = await caller.rest(case, request)
    assert status == 200, body
    return str(body["payment_id"]), request


def under(case: Case, key: str) -> Case:
    """Send a case under a known key."""
    return replace(case, headers={**case.headers, KEY: key})


def at(case: Case, verb: str, path: str, **headers: str) -> Case:
    """Send a case to a known place."""
    return replace(case, call=(verb, path), headers={**case.headers, **headers})
