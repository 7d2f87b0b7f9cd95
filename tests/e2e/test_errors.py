"""Every error of the public API over the wire, as REST and as native gRPC: it names its reason and
its field, nothing is stored, and the key is free. docs/reference/errors.md is made of this run.
"""

import asyncio
import base64
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import psycopg
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from devstack.errors_page import PAGE, Seen, render
from devstack.rest import specification_request
from devstack.stack import kill, running_stack, until_healthy
from devstack.state import State, reachable_folder

CARD = "4242 4242-4242 4242"
Request = dict[str, Any]
Edit = Callable[[Request], object]


@dataclass(frozen=True)
class Case:
    """A request that is wrong in one way.

    Attributes:
        path: of the field at fault; empty when it is none.
        edit: spoils the specification's request.
        raw: the body instead of it.
        headers: sent instead of the usual ones; None: not sent.
        call: verb and path, when it is not POST /v1/payments.
        is_native: whether the same can be sent as gRPC, and is refused alike there.
    """

    title: str
    status: int
    code: int
    reason: str
    path: str = ""
    edit: Edit = lambda request: None
    raw: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    call: tuple[str, str] = ("POST", "/v1/payments")
    is_native: bool = False


def order(**changes: Any) -> Edit:
    """Change the order of the request."""
    return lambda request: request["payment_orders"][0].update(changes)


def without(*path: str) -> Edit:
    """Leave a field out."""

    def edit(request: Request) -> None:
        inner: Any = request
        for name in path[:-1]:
            inner = inner[name] if isinstance(inner, dict) else inner[0][name]
        (inner if isinstance(inner, dict) else inner[0]).pop(path[-1])

    return edit


def orders(*changes: Mapping[str, Any]) -> Edit:
    """Have an order for each of `changes`, with an id of its own unless it is changed."""

    def edit(request: Request) -> None:
        first = request["payment_orders"][0]
        request["payment_orders"] = [
            {**first, "payment_order_id": str(uuid4()), **change} for change in changes
        ]

    return edit


def bad(
    title: str, reason: str, path: str, edit: Edit, *, is_native: bool = True, **more: Any
) -> Case:
    """Make a case that is 400 INVALID_ARGUMENT by a field."""
    return Case(title, 400, 3, reason, path, edit, is_native=is_native, **more)


AMOUNT, CURRENCY = "payment_orders[0].amount", "payment_orders[0].currency"
ORDER_ID = "payment_orders[0].payment_order_id"
KEY = "Idempotency-Key"
CASES = [
    Case("no Idempotency-Key", 400, 3, "IDEMPOTENCY_KEY_MISSING", KEY, headers={KEY: None},
         is_native=True),
    Case("a key of 256 characters", 400, 3, "IDEMPOTENCY_KEY_INVALID", KEY,
         headers={KEY: "k" * 256}, is_native=True),
    Case("a key with a space", 400, 3, "IDEMPOTENCY_KEY_INVALID", KEY, headers={KEY: "a b"},
         is_native=True),
    bad("an unknown key", "UNKNOWN_FIELD", "colour", lambda r: r.update(colour="red"),
        is_native=False),
    bad("an unknown key inside an order", "UNKNOWN_FIELD", "payment_orders[0].colour",
        order(colour="red"), is_native=False),
    bad("a key twice", "DUPLICATE_FIELD", "checkout_id", without(), is_native=False,
        raw=b'{"checkout_id": "a", "checkout_id": "b"}'),
    bad("a key twice inside buyer_info", "DUPLICATE_FIELD", "buyer_info.id", without(),
        is_native=False, raw=b'{"buyer_info": {"id": "a", "id": "b"}}'),
    Case("a body said to be text", 400, 3, "UNSUPPORTED_CONTENT_TYPE", "Content-Type",
         headers={"Content-Type": "text/plain"}),
    Case("a body without a type", 400, 3, "UNSUPPORTED_CONTENT_TYPE", "Content-Type",
         headers={"Content-Type": ""}),
    Case("a body cut off", 400, 3, "MALFORMED_JSON", raw=b'{"checkout_id": "a"'),
    Case("no body", 400, 3, "MALFORMED_JSON", raw=b""),
    Case("a list", 400, 3, "MALFORMED_JSON", raw=b"[]"),
    Case("not UTF-8", 400, 3, "MALFORMED_JSON", raw=b'{"checkout_id": "\xff"}'),
    *(bad(f"amount `{text}` USD", "INVALID_AMOUNT", AMOUNT, order(amount=text))
      for text in ("99.999", "-1", "+1", "1e3", "NaN", "0", "0.00", "1,00", " 1", "01", "1.",
                   "1234567890123456", "٣")),
    bad("an empty amount", "MISSING_FIELD", AMOUNT, order(amount="")),
    bad("amount `1.0` JPY", "INVALID_AMOUNT", AMOUNT, order(amount="1.0", currency="JPY")),
    bad("amount as a JSON number", "INVALID_FIELD", AMOUNT, order(amount=99.99), is_native=False),
    bad("currency `ZZZ`", "UNKNOWN_CURRENCY", CURRENCY, order(currency="ZZZ")),
    bad("currency `XAU`, gold", "UNKNOWN_CURRENCY", CURRENCY, order(currency="XAU")),
    bad("currency `usd`", "INVALID_FIELD", CURRENCY, order(currency="usd")),
    bad("no currency", "MISSING_FIELD", CURRENCY, without("payment_orders", "currency")),
    bad("two currencies", "MIXED_CURRENCIES", "payment_orders[1].currency",
        orders({}, {"currency": "EUR"})),
    bad("no orders", "INVALID_FIELD", "payment_orders", orders()),
    bad("51 orders", "INVALID_FIELD", "payment_orders", orders(*[{}] * 51)),
    bad("a payment_order_id twice", "DUPLICATE_PAYMENT_ORDER_ID",
        "payment_orders[1].payment_order_id",
        orders({"payment_order_id": "twice"}, {"payment_order_id": "twice"})),
    bad("no buyer_info", "MISSING_FIELD", "buyer_info", without("buyer_info")),
    bad("no checkout_id", "MISSING_FIELD", "checkout_id", without("checkout_id")),
    bad("no credit_card_info", "MISSING_FIELD", "credit_card_info", without("credit_card_info")),
    bad("no seller_account", "MISSING_FIELD", "payment_orders[0].seller_account",
        without("payment_orders", "seller_account")),
    bad("an e-mail address that is none", "INVALID_FIELD", "buyer_info.email",
        lambda r: r["buyer_info"].update(email="nobody")),
    bad("an IP address that is none", "INVALID_FIELD", "buyer_info.ip_address",
        lambda r: r["buyer_info"].update(ip_address="300.1.1.1")),
    bad("manual capture with a charge per order", "INVALID_FIELD", "partial_failure_policy",
        lambda r: r.update(capture_method="MANUAL", partial_failure_policy="KEEP_SUCCESSFUL")),
    bad("a card number as token", "CARD_NUMBER_REFUSED", "credit_card_info.token",
        lambda r: r["credit_card_info"].update(token=CARD)),
    bad("a card number as checkout_id", "CARD_NUMBER_REFUSED", "checkout_id",
        lambda r: r.update(checkout_id="4242424242424242")),
    bad("a card number as buyer", "CARD_NUMBER_REFUSED", "buyer_info.id",
        lambda r: r["buyer_info"].update(id=CARD)),
    bad("a card number as seller", "CARD_NUMBER_REFUSED", "payment_orders[0].seller_account",
        order(seller_account=CARD)),
    bad("a card number as payment_order_id", "CARD_NUMBER_REFUSED", ORDER_ID,
        order(payment_order_id=CARD)),
    Case("a card number as Idempotency-Key", 400, 3, "CARD_NUMBER_REFUSED", "idempotency-key",
         headers={KEY: "4242424242424242"}, is_native=True),
    Case("a card number in the path", 400, 3, "CARD_NUMBER_REFUSED", "(the path)",
         call=("GET", "/v1/payments/4242424242424242")),
    Case("no credentials", 401, 16, "CREDENTIALS_MISSING", headers={"Authorization": None},
         is_native=True),
    Case("another scheme", 401, 16, "CREDENTIALS_MISSING", is_native=True,
         headers={"Authorization": "Basic ZGVtbzpkZW1v"}),
    Case("a key that is none of ours", 401, 16, "CREDENTIALS_INVALID", is_native=True,
         headers={"Authorization": "Bearer pm_000000000000_" + "0" * 52}),
    Case("a body over 64 KiB", 413, 3, "REQUEST_TOO_LARGE", raw=b" " * 70_000),
    Case("headers over 16 KiB", 431, 3, "HEADERS_TOO_LARGE", headers={"X-Long": "x" * 20_000}),
    Case("a path that is none", 404, 5, "NO_SUCH_PATH", call=("GET", "/v1/nothing")),
    Case("a verb that is none", 404, 5, "NO_SUCH_PATH", call=("DELETE", "/v1/payments/pay_1")),
    Case("an unknown query parameter", 400, 3, "MALFORMED_REQUEST",
         call=("GET", "/v1/payments?colour=red")),
    Case("a status that is none", 400, 3, "MALFORMED_REQUEST",
         call=("GET", "/v1/payments?status=PAID")),
    Case("a page token that is none of ours", 400, 3, "INVALID_FIELD", "page_token",
         call=("GET", "/v1/payments?page_token=x")),
    Case("an amount without a currency", 400, 3, "MISSING_FIELD", "currency",
         call=("GET", "/v1/payments?amount_min=1.00")),
    Case("a payment that is not there", 404, 5, "PAYMENT_NOT_FOUND",
         call=("GET", "/v1/payments/pay_0")),
    Case("a payment id that is none", 400, 3, "INVALID_FIELD", "payment_id",
         call=("GET", "/v1/payments/order_789")),
]  # fmt: skip


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

    async def native(self, case: Case, request: Request) -> status_pb2.Status:
        """Send a case as native gRPC through the edge; answer the status it was refused with."""
        usual = {"Authorization": self.bearer, KEY: str(uuid4())}
        headers = {**usual, **case.headers}
        metadata = [(name.lower(), value) for name, value in headers.items() if value is not None]
        message = json_format.ParseDict(request, service.CreatePaymentRequest())
        target = self.stack["edge"]["url"].removeprefix("http://")
        async with grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await PaymentServiceStub(channel).CreatePayment(
                    message, metadata=metadata, timeout=10
                )
        trailers = dict(refused.value.trailing_metadata() or ())
        trailers |= dict(refused.value.initial_metadata() or ())
        details = trailers.get("grpc-status-details-bin", b"")
        assert details, f"{case.title}: {refused.value.code()} {refused.value.details()}"
        if isinstance(details, str):
            details = base64.b64decode(details + "=" * (-len(details) % 4))
        return status_pb2.Status.FromString(details)

    def stored(self) -> int:
        """Count the payments in the database."""
        with psycopg.connect(self.stack["databases"]["payment"]) as connection:
            row = connection.execute("SELECT count(*) FROM payments").fetchone()
        assert row is not None
        return int(row[0])


def spoiled(case: Case) -> Request:
    """Write the specification's request and spoil it."""
    request = specification_request(f"order-{uuid4()}")
    if case.raw is None:
        case.edit(request)
    return request


async def observe(caller: Caller, case: Case) -> Seen:
    """Send a case in both forms."""
    status, body, headers = await caller.rest(case, spoiled(case))
    if case.is_native:
        refused = await caller.native(case, spoiled(case))
        info = error_details_pb2.ErrorInfo()
        assert any(detail.Unpack(info) for detail in refused.details), case.title
        assert refused.code == case.code, (case.title, refused)
        assert info.reason == case.reason, (case.title, info)
        assert info.metadata.get("field", "") == case.path, (case.title, info)
    return Seen(case.title, status, body, dict(headers), case.is_native)


async def good(caller: Caller, key: str | None = None, **changes: Any) -> tuple[str, Request]:
    """Make a payment that is accepted; answer its id and the request."""
    request = specification_request(f"order-{uuid4()}") | changes
    case = Case("", 200, 0, "", headers={KEY: key} if key else {})
    status, body, _ = await caller.rest(case, request)
    assert status == 200, body
    return str(body["payment_id"]), request


async def observe_states(caller: Caller) -> list[Seen]:
    """Send what is wrong only because of what was before."""
    key = str(uuid4())
    payment_id, request = await good(caller, key)
    other = {**request, "checkout_id": "checkout_def"}
    reused = await caller.rest(Case("", 409, 6, "", headers={KEY: key}), other)
    in_use = await caller.rest(Case("", 409, 6, ""), request)
    path = f"/v1/payments/{payment_id}"
    taken = [
        await caller.rest(Case("", 400, 9, "", call=("POST", f"{path}/{verb}"), raw=b"{}"), {})
        for verb in ("capture", "cancel")
    ]
    held_id, _ = await good(caller, capture_method="MANUAL")
    await until(caller, held_id, "REQUIRES_CAPTURE")
    above = Case("", 400, 3, "", call=("POST", f"/v1/payments/{held_id}/capture"),
                 raw=b'{"amount": "100.00"}')  # fmt: skip
    stranger = await caller.rest(
        Case("", 404, 5, "", call=("GET", path), headers={"Authorization": await key_of(caller)}),
        {},
    )
    titles = (
        "another request under a used key",
        "a payment_order_id that is in use",
        "capturing what is not held",
        "cancelling what is not held",
        "capturing more than is held",
        "another client's payment",
    )
    answers = (reused, in_use, *taken, await caller.rest(above, {}), stranger)
    return [
        Seen(title, status, body, dict(headers))
        for title, (status, body, headers) in zip(titles, answers, strict=True)
    ]


async def until(caller: Caller, payment_id: str, status: str) -> None:
    """Wait until a payment has a status."""
    async with asyncio.timeout(20):
        case = Case("", 200, 0, "", call=("GET", f"/v1/payments/{payment_id}"))
        while (await caller.rest(case, {}))[1]["status"] != status:
            await asyncio.sleep(0.05)


async def key_of(caller: Caller) -> str:
    """Create another client; answer its credentials."""
    async with grpc.aio.insecure_channel(caller.stack["services"]["edge_auth"]["grpc"]) as channel:
        request = edge.CreateClientRequest(client_id=f"other-{uuid4()}")
        created = await ClientServiceStub(channel).CreateClient(request)
    return f"Bearer {created.api_key}"


async def observe_trouble(caller: Caller, state: State) -> list[Seen]:
    """Send good requests to a stack in trouble, and one request too slowly."""
    seen = [await observe_slow_body(caller)]
    with stopped(caller.stack["services"]["edge_auth"]["pid"]):
        seen.append(Seen("edge_auth does not answer", *await ask(caller)))
    supervisor = state.supervisor()
    assert supervisor is not None
    with stopped(supervisor[0]):  # which would start it again at once
        pid = kill(state, "payment_svc")
        seen.append(Seen("payment_svc does not answer", *await ask(caller)))
    await asyncio.to_thread(until_healthy, state, "payment_svc", not_pid=pid)
    return seen


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def ask(caller: Caller) -> tuple[int, Any, Mapping[str, str]]:
    """Ask for a payment."""
    return await caller.rest(Case("", 503, 14, "", call=("GET", "/v1/payments/pay_0")), {})


async def observe_slow_body(caller: Caller) -> Seen:
    """Send headers and half a body, and wait."""
    host, _, port = caller.stack["edge"]["url"].removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/payments HTTP/1.1\r\nHost: {host}\r\nAuthorization: {caller.bearer}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 100\r\n{KEY}: {uuid4()}\r\n\r\n{{"
    )
    writer.write(head.encode())
    async with asyncio.timeout(20):
        answer = (await reader.read(65_536)).decode()
    writer.close()
    status = int(answer.split()[1])
    return Seen("a body that does not arrive", status, json.loads(answer[answer.index("{") :]))


async def observe_strict(stack: Mapping[str, Any]) -> list[Seen]:
    """Send to a stack that limits its clients and opens no sellers."""
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http:
        caller = Caller(stack, http)
        case = Case("a seller that nobody knows", 400, 3, "UNKNOWN_SELLER", is_native=True,
                    path="payment_orders[0].seller_account")  # fmt: skip
        seen = [await observe(caller, case)]
        limited = Case("too many requests", 429, 8, "RATE_LIMITED", is_native=True)
        async with asyncio.timeout(20):
            while True:
                status, body, headers = await caller.rest(limited, spoiled(limited))
                if status == 429:
                    refused = await caller.native(limited, spoiled(limited))
                    assert refused.code == 8
                    return [*seen, Seen(limited.title, status, body, dict(headers), True)]


@pytest.fixture(scope="module")
def seen(state: State) -> dict[str, Seen]:
    """What each case was answered, and whether anything was stored: all of them, once."""

    async def run() -> list[Seen]:
        stack = state.stack()
        async with aiohttp.ClientSession(
            stack["edge"]["url"], max_line_size=65_536, max_field_size=65_536
        ) as http:
            caller = Caller(stack, http)
            before = caller.stored()
            answered = [await observe(caller, case) for case in CASES]
            assert caller.stored() == before
            answered += await observe_states(caller)
            return answered + await observe_trouble(caller, state)

    answered = asyncio.run(run())
    strict = {"CLIENT_REQUESTS_PER_SECOND": "1", "CLIENT_BURST": "5", "AUTO_OPEN_SELLERS": "off"}
    with reachable_folder("paymesh-strict-") as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in strict.items():
            patch.setenv(name, value)
        with running_stack(folder) as stack:
            answered += asyncio.run(observe_strict(dict(stack)))
    return {one.title: one for one in answered}


LATER = [
    Case("another request under a used key", 409, 6, "IDEMPOTENCY_KEY_REUSED"),
    Case("a payment_order_id that is in use", 409, 6, "PAYMENT_ORDER_ID_IN_USE"),
    Case("capturing what is not held", 400, 9, "PAYMENT_NOT_CAPTURABLE"),
    Case("cancelling what is not held", 400, 9, "PAYMENT_NOT_CANCELLABLE"),
    Case("capturing more than is held", 400, 3, "AMOUNT_ABOVE_AUTHORIZED", "amount"),
    Case("another client's payment", 404, 5, "PAYMENT_NOT_FOUND"),
    Case("a body that does not arrive", 408, 4, "REQUEST_TIMEOUT"),
    Case("edge_auth does not answer", 503, 14, "UNAVAILABLE"),
    Case("payment_svc does not answer", 503, 14, "UNAVAILABLE"),
    Case("a seller that nobody knows", 400, 3, "UNKNOWN_SELLER",
         "payment_orders[0].seller_account"),
    Case("too many requests", 429, 8, "RATE_LIMITED"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, *LATER], ids=lambda case: case.title)
def test_error_says_what_is_wrong(seen: dict[str, Seen], case: Case) -> None:
    """Status, code, reason and field are those of the case, in the shape of every error."""
    answered = seen[case.title]

    assert (answered.status, answered.body["code"]) == (case.status, case.code), answered.body
    assert answered.info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert answered.info["reason"] == case.reason
    assert answered.info["domain"] in ("edge.paymesh", "payment.paymesh")
    assert answered.info.get("metadata", {}).get("field", "") == case.path
    assert answered.body["message"]
    assert "4242" not in json.dumps(answered.body), "a card number is repeated"


@pytest.mark.parametrize("title", ["too many requests", "edge_auth does not answer",
                                   "payment_svc does not answer"])  # fmt: skip
def test_who_may_try_again_is_told_when(seen: dict[str, Seen], title: str) -> None:
    """429 and 503 carry Retry-After in seconds."""
    headers = {name.lower(): value for name, value in seen[title].headers.items()}

    assert int(headers["retry-after"]) >= 1


def test_reused_key_names_what_differs(seen: dict[str, Seen]) -> None:
    """The refusal names the fields and gives nothing of the first request away."""
    info = seen["another request under a used key"].info

    assert info["metadata"]["fields"] == "checkout_id"
    assert "checkout_abc" not in json.dumps(seen["another request under a used key"].body)


async def test_refused_request_leaves_its_key_free(stack: dict[str, Any]) -> None:
    """Corrected, the same request is accepted under the same key."""
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http:
        caller = Caller(stack, http)
        for case in (c for c in CASES if c.status == 400 and not c.headers and c.call[0] == "POST"):
            key = str(uuid4())
            with_key = Case(**{**vars(case), "headers": {KEY: key}})
            status, _, _ = await caller.rest(with_key, spoiled(case))
            assert status == 400
            await good(caller, key)


def test_page_is_what_was_seen(seen: dict[str, Seen]) -> None:
    """docs/reference/errors.md says what this run saw; UPDATE_PAGES=1 writes it."""
    page = render(list(seen.values()))
    if os.environ.get("UPDATE_PAGES"):
        PAGE.write_text(page)

    assert PAGE.read_text() == page, "run: UPDATE_PAGES=1 pytest tests/e2e/test_errors.py"
