"""Every error of the public API over the wire, as REST and as native gRPC: it names its reason and
its field, nothing is stored, and the key is free. docs/reference/errors.md is made of this run.
"""

import asyncio
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub
from paymesh.payment.v1 import payment_service_pb2 as service

from devstack.errors_page import PAGE, Seen, render
from devstack.stack import kill, running_stack, until_healthy
from devstack.state import State, reachable_folder
from tests.conftest import whole
from tests.e2e import error_cases as cases
from tests.e2e.error_calls import (
    Caller,
    assert_alike,
    at,
    good,
    observe,
    plain,
    spoiled,
    under,
)
from tests.e2e.error_cases import CASES, KEY, LATER, Case
from tests.own_edge import own_edge
from tests.signed import signed

SERVICE = "/paymesh.payment.v1.PaymentService/"


async def observe_states(caller: Caller) -> list[Seen]:
    """Send what is wrong only because of what was before."""
    key = str(uuid4())
    payment_id, request = await good(caller, key)
    held_id, _ = await good(caller, capture_method="MANUAL")
    await until(caller, held_id, "REQUIRES_CAPTURE")
    other = {**request, "checkout_id": "checkout_def"}
    path = f"/v1/payments/{payment_id}"
    above = at(cases.ABOVE, "POST", f"/v1/payments/{held_id}/capture")
    stranger = at(cases.STRANGER, "GET", path, Authorization=await key_of(caller))
    reader = await key_of(caller, "read")
    before = caller.stored()
    seen = [
        await observe(caller, under(cases.REUSED, key), other),
        await observe(caller, cases.IN_USE, request),
        *[
            await observe(caller, at(case, "POST", f"{path}/{verb}"))
            for case, verb in zip(cases.NOT_HELD, ("capture", "cancel"), strict=True)
        ],
        await observe(caller, above),
        await observe(caller, stranger),
        await observe_replay(caller, path),
        await observe(caller, at(cases.NO_SCOPE, "POST", "/v1/payments", Authorization=reader)),
    ]
    assert caller.stored() == before
    return seen


async def until(caller: Caller, payment_id: str, status: str) -> None:
    """Wait until a payment has a status."""
    async with asyncio.timeout(60):
        case = Case("", 200, 0, "", call=("GET", f"/v1/payments/{payment_id}"))
        while (await caller.rest(case, {}))[1]["status"] != status:
            await asyncio.sleep(0.05)


async def observe_replay(caller: Caller, path: str) -> Seen:
    """Send a request that is signed well, and send it again."""
    headers = signed(caller.stack["client"]["secret"], "GET", path)
    case = at(cases.REPLAYED, "GET", path, **headers)
    assert (await caller.rest(case, {}))[0] == 401, "a key that was not signed"
    headers = signed(caller.stack["client"]["secret"], "GET", path)
    case = at(cases.REPLAYED, "GET", path, **{**headers, KEY: None})
    assert (await caller.rest(case, {}))[0] == 200
    return await observe(caller, case)


async def key_of(caller: Caller, *scopes: str) -> str:
    """Create another client; answer its credentials."""
    async with grpc.aio.insecure_channel(caller.stack["services"]["edge_auth"]["grpc"]) as channel:
        request = edge.CreateClientRequest(client_id=f"other-{uuid4()}", scopes=scopes)
        created = await ClientServiceStub(channel).CreateClient(request)
    return f"Bearer {created.api_key}"


async def observe_trouble(caller: Caller, state: State) -> list[Seen]:
    """Send good requests to a stack in trouble, and one request too slowly."""
    seen = [await observe_slow_body(caller)]
    with stopped(caller.stack["services"]["edge_auth"]["pid"]):
        seen.append(await observe(caller, cases.AWAY["edge_auth"]))
    supervisor = state.supervisor()
    assert supervisor is not None
    with stopped(supervisor[0]):  # which would start it again at once
        pid = kill(state, "payment_svc")
        seen.append(await observe(caller, cases.AWAY["payment_svc"]))
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


async def observe_slow_body(caller: Caller) -> Seen:
    """Send headers and half a body, and wait."""
    host, _, port = caller.stack["edge"]["url"].removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/payments HTTP/1.1\r\nHost: {host}\r\nAuthorization: {caller.bearer}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 100\r\n{KEY}: {uuid4()}\r\n\r\n{{"
    )
    writer.write(head.encode())
    async with asyncio.timeout(60):
        answer = (await reader.read(65_536)).decode()
    writer.close()
    status = int(answer.split()[1])
    return Seen(cases.SLOW_BODY.title, status, json.loads(answer[answer.index("{") :]))


async def observe_strict(stack: Mapping[str, Any]) -> list[Seen]:
    """Send to a stack that limits its clients and opens no sellers."""
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http:
        caller = Caller(stack, http)
        seen = [await observe(caller, cases.NO_SELLER)]
        async with asyncio.timeout(60):
            while (await caller.rest(cases.LIMITED, spoiled(cases.LIMITED)))[0] != 429:
                pass
        return [*seen, await observe(caller, cases.LIMITED)]


async def observe_alone(folder: Path) -> list[Seen]:
    """Send to a service in trouble of its own, and what only a native caller can send."""
    seen = []
    async with own_edge(folder, service_timeout_s=1.0) as door:
        for case, payment_id in ((cases.NO_ANSWER, "pay_slow"), (cases.FAULT, "pay_broken")):
            status, body, headers = await door.rest(f"/v1/payments/{payment_id}")
            message = service.GetPaymentRequest(payment_id=payment_id)
            refused, _ = await door.native(f"{SERVICE}GetPayment", message.SerializeToString())
            assert_alike(case, body, plain(refused))
            seen.append(Seen(case.title, status, body, dict(headers), is_native=True))
        native = {
            "an RPC that is none": await door.native(f"{SERVICE}PayTwice", b""),
            "a service that is none": await door.native("/nobody.v1.Nothing/Get", b""),
            "an unreadable message": await door.native(f"{SERVICE}GetPayment", b"\x0f\xff"),
            "a message over 64 KiB": await door.native(f"{SERVICE}GetPayment", b"x" * 66_000),
        }
    return [
        *seen,
        *(Seen(title, None, plain(each), {}, True) for title, (each, _) in native.items()),
    ]


@pytest.fixture(scope="module")
def seen(state: State, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What each case was answered, and whether anything was stored: all of them, once."""

    async def run() -> list[Seen]:
        stack = state.stack()
        assert stack is not None
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
    answered += asyncio.run(observe_alone(tmp_path_factory.mktemp("alone")))
    # So slow that nothing comes back between the refusal that is awaited and those that are kept.
    strict = {"CLIENT_REQUESTS_PER_SECOND": "0.01", "CLIENT_BURST": "20"}
    strict["AUTO_OPEN_SELLERS"] = "off"
    with reachable_folder("paymesh-strict-") as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in strict.items():
            patch.setenv(name, value)
        with running_stack(folder) as stack:
            whole(stack.state)
            answered += asyncio.run(observe_strict(dict(stack)))
    return {one.title: one for one in answered}


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


@pytest.mark.parametrize("case", [c for c in [*CASES, *LATER] if c.path], ids=lambda c: c.title)
def test_field_at_fault_is_in_bad_request_too(seen: dict[str, Seen], case: Case) -> None:
    """Who reads BadRequest finds the same path and reason there, and what is wrong with it."""
    kind = "type.googleapis.com/google.rpc.BadRequest"
    listed = [detail for detail in seen[case.title].body["details"] if detail["@type"] == kind]

    assert len(listed) == 1
    at_fault = [v for v in listed[0]["field_violations"] if v["field"] == case.path]
    assert [v["reason"] for v in at_fault] == [case.reason] * len(at_fault)
    assert at_fault
    assert all(v["description"] for v in at_fault)


@pytest.mark.parametrize("case", [cases.LIMITED, *cases.AWAY.values()], ids=lambda c: c.title)
def test_who_may_try_again_is_told_when(seen: dict[str, Seen], case: Case) -> None:
    """429 and 503 carry Retry-After in seconds, and RetryInfo."""
    answered = seen[case.title]
    headers = {name.lower(): value for name, value in answered.headers.items()}

    assert int(headers["retry-after"]) >= 1
    assert answered.body["details"][-1]["retry_delay"] == f"{headers['retry-after']}s"


def test_reused_key_names_what_differs(seen: dict[str, Seen]) -> None:
    """The refusal names the fields and gives nothing of the first request away."""
    answered = seen[cases.REUSED.title]

    assert answered.info["metadata"]["fields"] == "checkout_id"
    assert "checkout_abc" not in json.dumps(answered.body)


async def test_refused_request_leaves_its_key_free(stack: dict[str, Any]) -> None:
    """Corrected, the same request is accepted under the same key, in whatever form it was wrong."""
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http:
        caller = Caller(stack, http)
        wrong = (c for c in CASES if c.status == 400 and KEY not in c.headers)
        for case in (c for c in wrong if c.call == ("POST", "/v1/payments")):
            key = str(uuid4())
            refused = await observe(caller, under(case, key))
            assert refused.status == 400
            await good(caller, key)


def test_page_is_what_was_seen(seen: dict[str, Seen]) -> None:
    """docs/reference/errors.md says what this run saw; UPDATE_PAGES=1 writes it."""
    page = render(list(seen.values()))
    if os.environ.get("UPDATE_PAGES"):
        PAGE.write_text(page)

    assert PAGE.read_text() == page, "run: UPDATE_PAGES=1 pytest tests/e2e/test_errors.py"
