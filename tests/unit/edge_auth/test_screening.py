"""A card number is refused wherever in a request it stands, with its place; nothing else is."""

import json
import random
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from paymesh.payment.v1 import payment_service_pb2 as pay
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as hooks

from devstack.rest import specification_request
from edge_auth.domain.credentials import Caller, Client, StoredKey
from edge_auth.domain.edge_request import EdgeRequest
from edge_auth.domain.errors import Denial
from edge_auth.routes import Routes
from edge_auth.turnstile import LocalTurnstile
from edge_auth.use_cases.check_request import Door, Rates, check_request
from tests.builders import NOW

CARD = "4242-4242 4242\u00a04242"
ROUTES = Routes()
SERVICE = "/paymesh.payment.v1.PaymentService/"
HOOKS = "/paymesh.payment.v1.WebhookEndpointService/"


CALLER = Caller(Client("demo", "", NOW), StoredKey("k", "demo", b""))


async def asked(request: EdgeRequest) -> str | Denial:
    """Ask the door about a request of a known client."""

    async def caller_of(_: str) -> Caller:
        return CALLER

    door = Door(
        caller_of=caller_of,
        rpc_of=ROUTES.rpc_of,
        shape_of=ROUTES.shape_of,
        texts_of=ROUTES.texts_of,
        turnstile=LocalTurnstile(lambda: 0.0),
        rates=Rates(),
        clock=lambda: NOW,
    )
    decided = await check_request(request, door)
    return decided.denial or decided.client_id


def rest(
    verb: str = "GET", path: str = "/v1/payments", body: Any = None, **headers: str
) -> EdgeRequest:
    """Write a REST request; underscores in names of headers are dashes."""
    usual = {"authorization": "Bearer k", "content-type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return EdgeRequest(verb, path, usual | named, json.dumps(body).encode())


def native(path: str, message: Message | bytes) -> EdgeRequest:
    """Write a native request."""
    payload = message if isinstance(message, bytes) else message.SerializeToString()
    headers = {"authorization": "Bearer k", "content-type": "application/grpc"}
    return EdgeRequest("POST", path, headers, b"\0" + len(payload).to_bytes(4, "big") + payload)


def refused_at(decided: str | Denial) -> str:
    """Tell the place that a request was refused for, as a card number's."""
    assert isinstance(decided, Denial)
    assert decided.reason == "CARD_NUMBER_REFUSED"
    assert "4242" not in decided.message.replace(" ", "")
    return decided.fields[0]


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/payments", {"checkout_id": CARD}, "checkout_id"),
        ("/v1/payments", {CARD: "a"}, "(a key)"),
        ("/v1/payments", {"buyer_info": {"id": "a", CARD: 1}}, "buyer_info.(a key)"),
        ("/v1/payments", {"payment_orders": [{}, {"seller_account": CARD}]},
         "payment_orders[1].seller_account"),
        ("/v1/payments/pay_1/resume", {"return_query": {"a": "b", "c": CARD}}, "return_query.c"),
        ("/v1/payments/pay_1/resume", {"return_query": {CARD: "b"}}, "return_query.(a key)"),
        ("/v1/webhook_endpoints", {"event_types": ["a", CARD]}, "event_types[1]"),
        ("/v1/webhook_endpoints", {"url": "https://a.example/?c=4242%2042424242%204242"}, "url"),
        ("/v1/webhook_endpoints", {"url": "https://a.example/?c=%34242424242424242"}, "url"),
        ("/v1/payments/pay_1/capture", {"amount": "4242424242424242"}, "amount"),
    ],
)  # fmt: skip
async def test_bodies_are_searched(path: str, body: Any, place: str) -> None:
    """In values, keys, lists, maps and URLs."""
    assert refused_at(await asked(rest("POST", path, body))) == place


@pytest.mark.parametrize(
    "path",
    ["/v1/payments?buyer_id=4242424242424242", "/v1/payments?buyer_id=4242%204242+4242-4242",
     "/v1/payments?4242424242424242=a", "/v1/payments/4242%2d4242%2d4242%2d4242",
     "/v1/payments?a=%25344242424242424242", "/v1/payments?buyer_id=%D9%A4242424242424242"],
)  # fmt: skip
async def test_paths_and_queries_are_searched(path: str) -> None:
    """Unescaped, in names and values, as often as it was escaped."""
    assert refused_at(await asked(rest(path=path))) == "(the path)"


@pytest.mark.parametrize(
    "name", ["idempotency_key", "user_agent", "referer", "prefer", "cookie", "x_card", "origin"]
)
async def test_headers_are_searched(name: str) -> None:
    """Any header that somebody may keep."""
    decided = await asked(rest(**{name: "4242.4242.4242.4242"}))

    assert refused_at(decided) == name.replace("_", "-")


@pytest.mark.parametrize(
    "name",
    ["traceparent", "tracestate", "x_b3_traceid", "x_datadog_trace_id", "baggage",
     "x_request_id", "x_forwarded_for", "grpc_timeout"],
)  # fmt: skip
async def test_numbers_of_traces_are_none(name: str) -> None:
    """What others trace by is chance, and is passed over."""
    decided = await asked(
        rest(**{name.rstrip("_") if name != "authorization_" else "b3": "4242424242424242"})
    )

    assert decided == "demo"


@pytest.mark.parametrize(
    ("rpc", "message", "place"),
    [
        (SERVICE + "CreatePayment", pay.CreatePaymentRequest(checkout_id=CARD), "checkout_id"),
        (SERVICE + "CreatePayment",
         pay.CreatePaymentRequest(payment_orders=[{}, {"payment_order_id": CARD}]),
         "payment_orders[1].payment_order_id"),
        (SERVICE + "ResumePayment", pay.ResumePaymentRequest(return_query={"a": CARD}),
         "return_query.a"),
        (SERVICE + "ResumePayment", pay.ResumePaymentRequest(return_query={CARD: "a"}),
         "return_query.(key 0)"),
        (HOOKS + "CreateWebhookEndpoint",
         hooks.CreateWebhookEndpointRequest(event_types=["a", CARD]), "event_types[1]"),
        # A field that this service does not know, as a newer client would send it.
        (SERVICE + "GetPayment", b"\xfa\x3e\x104242424242424242", "(field 1007)"),
    ],
)  # fmt: skip
async def test_native_messages_are_searched(rpc: str, message: Message | bytes, place: str) -> None:
    """In strings, lists, maps and their keys, and in what is not known."""
    assert refused_at(await asked(native(rpc, message))) == place


async def test_our_own_words_pass() -> None:
    """Ids, UUIDs, amounts and moments of any digits are no card numbers, in any place."""
    chance = random.Random(7)
    for _ in range(2_000):
        uuid = UUID(bytes=chance.randbytes(16), version=4)
        amount = f"{chance.randrange(10 ** chance.randrange(1, 16))}.{chance.randrange(10**4):04}"
        moment = f"2026-10-28T{chance.randrange(24):02}:40:50.{chance.randrange(10**9):09}Z"
        body = specification_request(f"order-{uuid}") | {"checkout_id": str(uuid)}
        body["payment_orders"][0]["amount"] = amount
        query = f"amount_min={amount}&currency=EUR&created_from={moment}&buyer_id=b_{uuid}"

        assert await asked(rest("POST", "/v1/payments", body, idempotency_key=str(uuid))) == "demo"
        assert await asked(rest(path=f"/v1/payments?{query}")) == "demo"
        listed = pay.ListPaymentsRequest(amount_min=amount, buyer_id=str(uuid))
        assert await asked(native(SERVICE + "ListPayments", listed)) == "demo"
