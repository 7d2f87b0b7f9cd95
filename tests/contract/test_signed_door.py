"""Signed requests, scopes and limits through the real Envoy, as REST and as native gRPC."""

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from paymesh.payment.v1 import payment_service_pb2 as service
from redis.asyncio import Redis

from chassis.redis_client import open_redis
from devstack.rest import specification_request
from edge_auth.domain.scopes import Scope
from edge_auth.turnstile import LocalTurnstile, RedisTurnstile
from edge_auth.use_cases.check_request import Rates
from edge_auth.use_cases.create_client import NewClient
from privacy.masked import Secret
from tests.contract.test_edge_door import GET, SERVICE, asking, native_reasons, reasons
from tests.own_edge import OwnEdge, own_edge
from tests.servers import free_port
from tests.signed import signed

PAY = "/v1/payments"
BODY = json.dumps(specification_request()).encode()
JSON = {"content-type": "application/json"}
SIGNING = NewClient("signer", scopes=tuple(Scope), signing=True)


Open = Callable[[str], RedisTurnstile]


@pytest.fixture
async def turnstile_at() -> AsyncIterator[Open]:
    """What opens turnstiles on Redis; they are closed with the test."""
    async with AsyncExitStack() as stack:

        def turnstile(url: str) -> RedisTurnstile:
            redis = open_redis(Secret(url), 30, retries=0)
            stack.push_async_callback(redis.aclose)
            return RedisTurnstile(redis, LocalTurnstile(lambda: 0.0), time.monotonic)

        yield turnstile


@pytest.fixture
async def door(tmp_path: Path, redis_url: str, turnstile_at: Open) -> AsyncIterator[OwnEdge]:
    """An edge whose client must sign."""
    wanted = NewClient(f"signer-{uuid4()}", scopes=tuple(Scope), signing=True)
    async with own_edge(tmp_path, wanted=wanted, turnstile=turnstile_at(redis_url)) as running:
        yield running


async def post(
    door: OwnEdge, headers: Mapping[str, str | None], body: bytes = BODY, path: str = PAY
) -> tuple[int, Any]:
    """POST a body with headers."""
    status, answer, _ = await door.rest(path, "POST", data=body, headers={**JSON, **headers})
    return status, answer


async def test_signed_request_passes_and_its_signature_goes_no_further(door: OwnEdge) -> None:
    """POST with a key and GET with a query and escapes; each under a nonce of its own."""
    posted = await post(door, signed(door.secret, "POST", PAY, BODY, key="order-1"))
    path = "/v1/payments/pay_1?a=b%26c&x=~"
    got, body, _ = await door.rest(path, headers=signed(door.secret, "GET", path))

    assert posted[0] == 200
    assert got == 400, "the signature fits, the query is none of the API's"
    assert reasons(body)[1] == "MALFORMED_REQUEST"
    assert len(door.service.reached) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x-paymesh-signature": None}, "SIGNATURE_MISSING"),
        ({"x-paymesh-nonce": None}, "SIGNATURE_MISSING"),
        ({"x-paymesh-timestamp": None}, "SIGNATURE_MISSING"),
        ({"x-paymesh-signature": "0" * 64}, "SIGNATURE_INVALID"),
        ({"x-paymesh-signature": "zz"}, "SIGNATURE_INVALID"),
        ({"x-paymesh-nonce": "another"}, "SIGNATURE_INVALID"),
        ({"x-paymesh-nonce": "n" * 200}, "NONCE_INVALID"),
        ({"x-paymesh-timestamp": "today"}, "TIMESTAMP_INVALID"),
        ({"idempotency-key": "another"}, "SIGNATURE_INVALID"),
        ({"idempotency-key": None}, "SIGNATURE_INVALID"),
        ({"authorization": None}, "CREDENTIALS_MISSING"),
        ({"authorization": "Bearer pm_1"}, "CREDENTIALS_INVALID"),
    ],
)
async def test_each_fault_of_a_signature_is_told_by_its_reason(
    door: OwnEdge, change: Mapping[str, str | None], reason: str
) -> None:
    """401, in the shape of every error; nothing reaches the service, no secret is repeated."""
    headers = {**signed(door.secret, "POST", PAY, BODY, key="k"), **change}
    if "authorization" in change:
        headers["Authorization"] = headers.pop("authorization")

    status, body = await post(door, headers)

    assert (status, *reasons(body)) == (401, 16, reason, "edge.paymesh")
    assert door.secret not in json.dumps(body)
    assert door.service.reached == []


@pytest.mark.parametrize("offset", [-400, 400])
async def test_old_and_future_requests_are_refused(door: OwnEdge, offset: int) -> None:
    """Five minutes are allowed to both sides."""
    late = signed(door.secret, "POST", PAY, BODY, key="k", at=time.time() + offset)
    good = signed(door.secret, "POST", PAY, BODY, key="k", at=time.time() + offset * 0.6)

    status, body = await post(door, late)

    assert (status, reasons(body)[1]) == (401, "TIMESTAMP_OUT_OF_WINDOW")
    assert (await post(door, good))[0] == 200


async def test_tampered_body_path_and_secret_are_refused(door: OwnEdge) -> None:
    """What was signed is what must arrive."""
    tampered = BODY.replace(b"99.99", b"99.98")
    headers = signed(door.secret, "POST", PAY, BODY, key="k")

    answers = [
        await post(door, headers, tampered),
        await post(door, headers, path="/v1/checkout_sessions"),
        await post(door, signed(door.secret + "x", "POST", PAY, BODY, key="k")),
    ]

    assert [(s, reasons(body)[1]) for s, body in answers] == [(401, "SIGNATURE_INVALID")] * 3
    assert door.service.reached == []


async def test_request_is_good_once(door: OwnEdge) -> None:
    """The same bytes again are refused; what was refused before uses no nonce up."""
    headers = signed(door.secret, "POST", PAY, BODY, key="k")
    await post(door, {**headers, "x-paymesh-signature": "0" * 64})

    first, again = await post(door, headers), await post(door, headers)

    assert first[0] == 200
    assert (again[0], reasons(again[1])[1]) == (401, "NONCE_USED")
    assert len(door.service.reached) == 1


async def native(door: OwnEdge, headers: Mapping[str, str]) -> Any:
    """Call GetPayment as native gRPC."""
    told = {"authorization": f"Bearer {door.api_key}", **headers}
    async with grpc.aio.insecure_channel(door.url.removeprefix("http://")) as channel:
        call = channel.unary_unary(GET, response_deserializer=service.GetPaymentRequest.FromString)
        return await call(asking("pay_1"), metadata=list(told.items()), timeout=30)


async def test_native_call_is_signed_without_its_frame(door: OwnEdge) -> None:
    """POST, the method's path, the message alone; a replay is a status with its reason."""
    headers = signed(door.secret, "POST", GET, asking("pay_1"))

    await native(door, headers)
    replayed, _ = await door.native(GET, asking("pay_1"), **headers)
    tampered, _ = await door.native(
        GET, asking("pay_2"), **signed(door.secret, "POST", GET, asking("pay_1"))
    )
    unsigned, _ = await door.native(GET, asking("pay_1"))

    told = [native_reasons(status)[:2] for status in (replayed, tampered, unsigned)]
    assert told == [(16, "NONCE_USED"), (16, "SIGNATURE_INVALID"), (16, "SIGNATURE_MISSING")]
    assert len(door.service.reached) == 1


async def test_who_need_not_sign_and_does_is_held_to_it(tmp_path: Path) -> None:
    """A wrong signature is refused also where none was asked for."""
    async with own_edge(tmp_path) as door:
        headers = signed("wrong", "GET", "/v1/payments/pay_1")
        status, body, _ = await door.rest("/v1/payments/pay_1", headers=headers)
        plain, _, _ = await door.rest("/v1/payments/pay_1")

    assert (status, reasons(body)[1]) == (401, "SIGNATURE_INVALID")
    assert plain == 200


async def test_a_signed_write_has_a_key_or_is_refused(door: OwnEdge) -> None:
    """In both forms, with its nonce left unused; who does not sign is not asked for one here."""
    headers = signed(door.secret, "POST", PAY, BODY)
    refused = await post(door, headers)
    again = await post(door, headers)
    path = "/v1/webhook_endpoints/whe_1"
    deleted, body, _ = await door.rest(path, "DELETE", headers=signed(door.secret, "DELETE", path))
    cancel = f"{SERVICE}CancelPayment"
    status, _ = await door.native(
        cancel, asking("pay_1"), **signed(door.secret, "POST", cancel, asking("pay_1"))
    )

    for answer in (refused, again, (deleted, body)):
        assert (answer[0], reasons(answer[1])[1]) == (400, "IDEMPOTENCY_KEY_MISSING")
        assert answer[1]["details"][0]["metadata"] == {"field": "Idempotency-Key"}
    assert native_reasons(status) == (3, "IDEMPOTENCY_KEY_MISSING", "edge.paymesh")
    assert door.service.reached == []


async def test_without_redis_a_write_passes_and_no_read(tmp_path: Path, turnstile_at: Open) -> None:
    """The record of the key makes a write once; a read is 503 until Redis is back."""
    away = turnstile_at(f"redis://127.0.0.1:{free_port()}/0")
    async with own_edge(tmp_path, wanted=SIGNING, turnstile=away) as door:
        with_key = await post(door, signed(door.secret, "POST", PAY, BODY, key="k"))
        path = "/v1/payments/pay_1"
        read, body, headers = await door.rest(
            path, headers=signed(door.secret, "GET", path, key="k")
        )

    assert with_key[0] == 200
    assert (read, reasons(body)[:2]) == (503, (14, "UNAVAILABLE"))
    assert headers["retry-after"] == "1"


async def test_client_without_the_scope_is_told_which(tmp_path: Path) -> None:
    """403 PERMISSION_DENIED in both forms; what it may do it can."""
    async with own_edge(tmp_path, wanted=NewClient("reader", scopes=(Scope.READ,))) as door:
        status, body = await post(door, {"idempotency-key": "k"})
        denied, _ = await door.native(f"{SERVICE}CapturePayment", asking("pay_1"))
        read, _, _ = await door.rest("/v1/payments/pay_1")

    assert (status, *reasons(body)[:2]) == (403, 7, "SCOPE_MISSING")
    assert body["details"][0]["metadata"] == {"scope": "pay"}
    assert native_reasons(denied) == (7, "SCOPE_MISSING", "edge.paymesh")
    assert read == 200


@pytest.mark.parametrize("path", ["/v1/payments/", "/v1/payments//", "/v1/p%61yments"])
async def test_no_spelling_of_a_path_goes_round_the_scopes(tmp_path: Path, path: str) -> None:
    """Envoy matches more loosely than the table: what is not exactly a route is nobody's."""
    async with own_edge(tmp_path, wanted=NewClient("payer", scopes=(Scope.PAY,))) as door:
        status, _, _ = await door.rest(path)

    assert status in (403, 404)
    assert door.service.reached == []


async def test_answers_tell_the_limit_and_what_is_left(
    tmp_path: Path, redis_url: str, turnstile_at: Open
) -> None:
    """RateLimit and RateLimit-Policy count down to 429 with Retry-After, in both forms."""
    wanted = NewClient(f"limited-{uuid4()}")
    rates = Rates(client_per_second=0.01, client_burst=2)
    shared = turnstile_at(redis_url)
    async with own_edge(tmp_path, wanted=wanted, rates=rates, turnstile=shared) as door:
        told = [await door.rest("/v1/payments/pay_1") for _ in range(3)]
        status, trailers = await door.native(GET, asking("pay_1"))

    assert [answer[0] for answer in told] == [200, 200, 429]
    assert {answer[2]["ratelimit-policy"] for answer in told} == {'"client";q=2;w=200'}
    left = [answer[2]["ratelimit"].partition(";t=") for answer in told]
    assert [one[0] for one in left] == ['"client";r=1', '"client";r=0', '"client";r=0']
    assert told[2][2]["retry-after"] == left[2][2]
    assert native_reasons(status)[1] == "RATE_LIMITED"
    assert trailers["ratelimit"].startswith('"client";r=0')


async def test_two_edges_share_the_limit_of_an_address(
    tmp_path: Path, redis_url: str, turnstile_at: Open
) -> None:
    """Two instances with two Envoys and one Redis: together they let in what one would."""
    rates = Rates(address_per_second=0.001, address_burst=5)
    async with Redis.from_url(redis_url) as redis:
        await redis.delete("edge:limit:address:127.0.0.1")
    async with (
        own_edge(tmp_path / "1", rates=rates, turnstile=turnstile_at(redis_url)) as one,
        own_edge(tmp_path / "2", rates=rates, turnstile=turnstile_at(redis_url)) as other,
    ):
        answers = [
            (await each.rest("/v1/payments/pay_1"))[0] for each in (one, other) for _ in range(4)
        ]

    assert answers == [200] * 5 + [429] * 3
