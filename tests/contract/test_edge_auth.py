"""edge_auth over real gRPC and PostgreSQL: who may enter, and as whom."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from ext_authz import external_auth_pb2 as ext
from ext_authz.external_auth_pb2_grpc import AuthorizationStub, add_AuthorizationServicer_to_server
from google.rpc import error_details_pb2, status_pb2
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import (
    ClientServiceStub,
    add_ClientServiceServicer_to_server,
)
from paymesh.payment.v1 import payment_service_pb2
from redis.asyncio import Redis

from chassis.clock import utc_now
from chassis.server import Wiring, add_wiring, make_server
from devstack.rest import specification_request
from edge_auth.clients_servicer import OperatorsClientService
from edge_auth.former_seals import FormerSeals
from edge_auth.key_cache import KeyCache
from edge_auth.revision import Revision
from edge_auth.routes import Routes
from edge_auth.servicer import EdgeAuthorization
from edge_auth.store import PostgresClientStore
from edge_auth.turnstile import LocalTurnstile
from edge_auth.use_cases.check_request import Door, Rates
from tests.conftest import opened
from tests.servers import ServiceDatabase

FORMER = FormerSeals.parse("")


class Served:
    """A served edge_auth with a clock that a test can move."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.queue_wait_s = 0.0
        self.began = utc_now()
        self.check: Any = None
        self.clients: Any = None
        self.database: Any = None

    @property
    def now(self) -> datetime:
        """The time of day by the same clock."""
        return self.began + timedelta(seconds=self.seconds)


@pytest.fixture
async def door(edge_auth_database: ServiceDatabase, redis_url: str) -> AsyncIterator[Served]:
    """Serve edge_auth on a free port."""
    door = Served()
    async with opened(edge_auth_database) as database:
        store = PostgresClientStore(database, FORMER, uuid4)
        keys = KeyCache(store, seconds=lambda: door.seconds, clock=lambda: door.now, remember_s=5)
        routes = Routes()
        checks = Door(
            caller_of=keys.caller_of,
            rpc_of=routes.rpc_of,
            shape_of=routes.shape_of,
            texts_of=routes.texts_of,
            turnstile=LocalTurnstile(lambda: door.seconds),
            rates=Rates(2, 3, 0, 1, 1, 20),
            clock=lambda: door.now,
            queue_wait=lambda *_: door.queue_wait_s,
        )
        revision = Revision(Redis.from_url(redis_url), keys.forget)
        operators = OperatorsClientService(
            store, revision, lambda: door.now, untold_within=timedelta(seconds=5)
        )
        wiring = Wiring(
            register=(
                partial(add_AuthorizationServicer_to_server, EdgeAuthorization(checks)),
                partial(add_ClientServiceServicer_to_server, operators),
            ),
            names=(),
        )
        server = make_server("edge.paymesh", 10, 100)
        add_wiring(server, wiring, with_reflection=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            door.check = AuthorizationStub(channel).Check
            door.clients = ClientServiceStub(channel)
            door.database = edge_auth_database
            yield door
        await server.stop(None)


async def new_key(door: Served, client_id: str = "demo") -> str:
    """Create a client."""
    created = await door.clients.CreateClient(edge.CreateClientRequest(client_id=client_id))
    return str(created.api_key)


def request(key: str | None, body: bytes = b"", **headers: str) -> ext.CheckRequest:
    """Write a check of POST /v1/payments."""
    message = ext.CheckRequest()
    http = message.attributes.request.http
    http.method, http.path, http.raw_body = "POST", "/v1/payments", body
    told = {"content-type": "application/json"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    if key is not None:
        told["authorization"] = f"Bearer {key}"
    http.headers.update(told)
    return message


def native(key: str, payload: bytes, rpc: str = "CreatePayment") -> ext.CheckRequest:
    """Write a check of a native call."""
    frame = b"\0" + len(payload).to_bytes(4, "big") + payload
    check = request(key, frame, content_type="application/grpc+proto")
    check.attributes.request.http.path = f"/paymesh.payment.v1.PaymentService/{rpc}"
    return check


GOOD = json.dumps(specification_request()).encode()


def reason(response: ext.CheckResponse) -> str:
    """Read why a request was turned away."""
    return str(json.loads(response.denied_response.body)["details"][0]["reason"])


def native_reason(headers: dict[str, str]) -> str:
    """Read why a native call was turned away, as its client does."""
    details = headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert status.code == int(headers["grpc-status"])
    return str(info.reason)


async def test_key_opens_the_door_for_its_client(door: Served) -> None:
    """A good request goes on with the client's id and without the key."""
    response = await door.check(request(await new_key(door), GOOD))

    headers = {h.header.key: h.header.value for h in response.ok_response.headers}
    assert headers == {"x-paymesh-client-id": "demo"}
    assert list(response.ok_response.headers_to_remove) == ["authorization"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, "CREDENTIALS_MISSING"),
        ("", "CREDENTIALS_MISSING"),
        ("x", "CREDENTIALS_INVALID"),
        ("pm_000000000000_" + "0" * 52, "CREDENTIALS_INVALID"),
    ],
)
async def test_without_a_valid_key_nobody_enters(
    door: Served, key: str | None, expected: str
) -> None:
    """Missing, malformed and unknown keys are 401."""
    response = await door.check(request(key, GOOD))

    assert response.denied_response.status.code == 401
    assert reason(response) == expected


async def test_one_wrong_digit_is_a_wrong_key(door: Served) -> None:
    """The secret part is compared whole."""
    key = await new_key(door)
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")

    response = await door.check(request(wrong, GOOD))

    assert reason(response) == "CREDENTIALS_INVALID"


async def test_key_is_believed_for_seconds_only(door: Served) -> None:
    """A revoked key works until the cache forgets it, and no longer."""
    key = await new_key(door)
    await door.check(request(key, GOOD))
    with psycopg.connect(door.database.owner_url) as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now()")
    door.seconds = 4.9
    within = await door.check(request(key, GOOD))
    door.seconds = 5.1
    after = await door.check(request(key, GOOD))

    assert within.HasField("ok_response")
    assert reason(after) == "CREDENTIALS_INVALID"


async def test_secret_is_not_stored(door: Served) -> None:
    """The database holds a hash, not the key."""
    key = await new_key(door)
    with psycopg.connect(door.database.owner_url) as connection:
        rows = connection.execute("SELECT * FROM api_keys").fetchall()

    assert key.split("_")[2] not in str(rows)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (GOOD, {"content_type": "text/plain"}, "UNSUPPORTED_CONTENT_TYPE"),
        (b"{", {}, "MALFORMED_JSON"),
        (GOOD, {"idempotency_key": "4242424242424242"}, "CARD_NUMBER_REFUSED"),
    ],
)
async def test_malformed_requests_are_turned_away(
    door: Served, body: bytes, headers: dict[str, str], expected: str
) -> None:
    """Who may enter must still be well-formed."""
    response = await door.check(request(await new_key(door), body, **headers))

    assert response.denied_response.status.code == 400
    assert reason(response) == expected


@pytest.mark.parametrize(
    "content_type",
    ["application/grpc-web", "application/grpc;x=1", "application/grpcx", "application/json,text/a",
     "APPLICATION/GRPC", ""],
)  # fmt: skip
async def test_nothing_that_envoy_reads_as_json_passes_unread(
    door: Served, content_type: str
) -> None:
    """Envoy transcodes whatever is not exactly gRPC: no other type takes a body past the checks."""
    body = json.dumps({**specification_request(), "checkout_id": "4242424242424242"}).encode()

    response = await door.check(request(await new_key(door), body, content_type=content_type))

    assert reason(response) == "UNSUPPORTED_CONTENT_TYPE"


@pytest.mark.parametrize(
    "path", ["/v1/payments/", "/v1/payments:x", "/v1/nothing", "/v1/payments/x/y"]
)
async def test_body_for_a_path_that_is_none_is_not_let_in(door: Served, path: str) -> None:
    """Envoy takes `/v1/payments/` for `/v1/payments`: what is no route here enters nowhere."""
    check = request(await new_key(door), GOOD)
    check.attributes.request.http.path = path

    response = await door.check(check)

    assert response.denied_response.status.code == 404
    assert reason(response) == "NO_SUCH_PATH"


async def test_card_number_in_an_escaped_path_is_found(door: Served) -> None:
    """Percent signs and plus signs hide no digit."""
    check = request(await new_key(door), GOOD)
    http = check.attributes.request.http
    http.method, http.path = "GET", "/v1/payments?buyer_id=%34242+4242%204242-4242"

    response = await door.check(check)

    assert reason(response) == "CARD_NUMBER_REFUSED"


async def test_native_messages_are_searched_for_card_numbers(door: Served) -> None:
    """A card number in a protobuf field is refused, as a gRPC status."""
    message = payment_service_pb2.CreatePaymentRequest(checkout_id="4242424242424242")

    response = await door.check(native(await new_key(door), message.SerializeToString()))

    headers = {h.header.key: h.header.value for h in response.denied_response.headers}
    assert response.denied_response.status.code == 200
    assert headers["grpc-status"] == "3"
    assert "checkout_id" in headers["grpc-message"]


@pytest.mark.parametrize(
    ("payload", "rpc", "code", "expected"),
    [
        (b"\x0f\xff", "CreatePayment", "3", "MALFORMED_MESSAGE"),
        (b"x" * 65_536, "CreatePayment", "3", "REQUEST_TOO_LARGE"),
        (b"", "Nothing", "12", "NO_SUCH_METHOD"),
    ],
)
async def test_native_callers_read_why_they_are_turned_away(
    door: Served, payload: bytes, rpc: str, code: str, expected: str
) -> None:
    """A message that is unreadable, too large or for nobody is refused with its reason."""
    response = await door.check(native(await new_key(door), payload, rpc))

    headers = {h.header.key: h.header.value for h in response.denied_response.headers}
    assert headers["grpc-status"] == code
    assert native_reason(headers) == expected


async def test_taken_client_id_is_refused(door: Served) -> None:
    """Two clients cannot have one id."""
    await new_key(door)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await new_key(door)

    assert raised.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_client_who_asks_too_often_is_told_to_wait(door: Served) -> None:
    """Three at once and two a second: the fourth is 429 with the seconds to wait."""
    key, other = await new_key(door), await new_key(door, "other")

    answers = [await door.check(request(key, GOOD)) for _ in range(4)]
    beside = await door.check(request(other, GOOD))
    door.seconds = 0.5
    later = await door.check(request(key, GOOD))

    assert [answer.HasField("ok_response") for answer in answers] == [True, True, True, False]
    assert answers[3].denied_response.status.code == 429
    assert reason(answers[3]) == "RATE_LIMITED"
    headers = {h.header.key: h.header.value for h in answers[3].denied_response.headers}
    assert headers["retry-after"] == "1"
    assert beside.HasField("ok_response")
    assert later.HasField("ok_response")


async def test_new_payments_are_turned_away_while_too_many_wait(door: Served) -> None:
    """At once, before anything is read, in both ways of asking; whoever only reads is let in."""
    key = await new_key(door)
    door.queue_wait_s = 2.4

    asked = await door.check(request(key, GOOD))
    natively = await door.check(native(key, b""))
    reading = request(key)
    reading.attributes.request.http.method = "GET"
    read = await door.check(reading)
    headers = {h.header.key: h.header.value for h in asked.denied_response.headers}

    assert (asked.denied_response.status.code, reason(asked)) == (429, "QUEUE_FULL")
    assert headers["retry-after"] == "3"
    assert (
        native_reason({h.header.key: h.header.value for h in natively.denied_response.headers})
        == "QUEUE_FULL"
    )
    assert read.HasField("ok_response")


async def test_guessing_keys_is_slowed_and_harms_no_client(door: Served) -> None:
    """From one address, twenty wrong keys at once; the right key passes all the same."""
    key = await new_key(door)

    guesses = [await door.check(request(f"wrong{n}", GOOD)) for n in range(21)]
    right = await door.check(request(key, GOOD))

    statuses = [guess.denied_response.status.code for guess in guesses]
    assert statuses == [401] * 20 + [429]
    assert right.HasField("ok_response")


async def test_native_caller_reads_why(door: Served) -> None:
    """A denial of a native call carries google.rpc.Status with its reason."""
    check = request("wrong", b"", content_type="application/grpc")

    denied = (await door.check(check)).denied_response

    headers = {h.header.key: h.header.value for h in denied.headers}
    assert headers["grpc-status"] == "16"
    assert native_reason(headers) == "CREDENTIALS_INVALID"


async def test_header_that_grpc_refuses_goes_no_further(door: Served) -> None:
    """A name that HTTP allows and gRPC does not is taken off; the others stay."""
    check = request(await new_key(door), GOOD, user_agent="x")
    check.attributes.request.http.headers.update({"x$y": "1", "!|`t": "2", ":path": "/"})

    response = await door.check(check)

    removed = list(response.ok_response.headers_to_remove)
    assert sorted(removed) == sorted(["authorization", "x$y", "!|`t"])
