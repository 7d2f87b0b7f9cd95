"""The real Envoy with the real edge_auth: what each side of the door is told when it stays shut."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from paymesh.payment.v1 import payment_service_pb2 as service

from devstack.rest import specification_request
from edge_auth.use_cases.check_request import Rates
from tests.own_edge import OwnEdge, own_edge

SERVICE = "/paymesh.payment.v1.PaymentService/"
CARD = "4242424242424242"
GET = f"{SERVICE}GetPayment"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[OwnEdge]:
    """An edge with everything up and no limits."""
    async with own_edge(tmp_path) as running:
        yield running


def asking(payment_id: str) -> bytes:
    """Write the native message that asks for a payment."""
    return service.GetPaymentRequest(payment_id=payment_id).SerializeToString()


def unpacked(status: status_pb2.Status, kind: type[Message]) -> Any:
    """Read one detail of a status; each kind is there at most once."""
    found = [detail for detail in status.details if detail.Is(kind.DESCRIPTOR)]
    assert len(found) == 1, f"{kind.DESCRIPTOR.name}: {status}"
    message = kind()
    found[0].Unpack(message)
    return message


def reasons(body: dict[str, Any]) -> tuple[int, str, str]:
    """Read code, reason and domain of a REST error."""
    info = body["details"][0]
    return body["code"], info["reason"], info["domain"]


def native_reasons(status: status_pb2.Status) -> tuple[int, str, str]:
    """Read code, reason and domain of a native error."""
    info = unpacked(status, error_details_pb2.ErrorInfo)
    return status.code, info.reason, info.domain


@pytest.mark.parametrize(
    ("payment_id", "http", "code", "reason"),
    [
        ("pay_busy", 503, 14, "UNAVAILABLE"),
        ("pay_full", 429, 8, "RESOURCE_EXHAUSTED"),
        ("pay_slow", 504, 4, "DEADLINE_EXCEEDED"),
        ("pay_broken", 500, 13, "INTERNAL"),
    ],
)
async def test_a_services_trouble_is_told_alike_in_both_forms(
    tmp_path: Path, payment_id: str, http: int, code: int, reason: str
) -> None:
    """REST and native callers read the same code, reason and domain, and no secret."""
    timeout_s = 0.3 if payment_id == "pay_slow" else 60.0
    async with own_edge(tmp_path, service_timeout_s=timeout_s) as door:
        answered, body, _ = await door.rest(f"/v1/payments/{payment_id}")
        status, _ = await door.native(GET, asking(payment_id))

    assert answered == http
    assert reasons(body) == native_reasons(status) == (code, reason, "payment.paymesh")
    assert body["message"] == status.message
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize(("payment_id", "seconds"), [("pay_busy", "7"), ("pay_full", "3")])
async def test_when_to_try_again_is_the_services_word_in_whole_seconds(
    door: OwnEdge, payment_id: str, seconds: str
) -> None:
    """RetryInfo of 7 s is `Retry-After: 7`, of 2.4 s it is 3; native callers read RetryInfo."""
    _, _, headers = await door.rest(f"/v1/payments/{payment_id}")
    status, _ = await door.native(GET, asking(payment_id))

    delay = unpacked(status, error_details_pb2.RetryInfo).retry_delay
    assert headers["retry-after"] == seconds
    assert delay.ToTimedelta().total_seconds() == pytest.approx(float(seconds), abs=0.7)


@pytest.mark.parametrize("down", ["is_service_up", "is_edge_auth_up"])
async def test_who_cannot_be_reached_is_503_and_may_be_asked_again(
    tmp_path: Path, down: str
) -> None:
    """Envoy's own reply is as any other error, with RetryInfo, in both forms."""
    async with own_edge(tmp_path, **{down: False}) as door:
        answered, body, headers = await door.rest("/v1/payments/pay_1")
        status, trailers = await door.native(GET, asking("pay_1"))

    assert answered == 503
    assert reasons(body) == native_reasons(status) == (14, "UNAVAILABLE", "edge.paymesh")
    assert body["details"][1]["retry_delay"] == "1s"
    assert unpacked(status, error_details_pb2.RetryInfo).retry_delay.seconds == 1
    assert headers["retry-after"] == trailers["retry-after"] == "1"


async def test_limited_client_is_told_when_in_both_forms(tmp_path: Path) -> None:
    """429 RATE_LIMITED with the seconds; what was refused did not reach the service."""
    async with own_edge(tmp_path, rates=Rates(client_per_second=0.25, client_burst=1)) as door:
        await door.rest("/v1/payments/pay_1")
        answered, body, headers = await door.rest("/v1/payments/pay_1")
        status, trailers = await door.native(GET, asking("pay_1"))

    assert answered == 429
    assert reasons(body) == native_reasons(status) == (8, "RATE_LIMITED", "edge.paymesh")
    assert body["details"][1]["retry_delay"] == "4s"
    assert unpacked(status, error_details_pb2.RetryInfo).retry_delay.seconds == 4
    assert headers["retry-after"] == trailers["retry-after"] == "4"
    assert len(door.service.reached) == 1


async def test_guesser_is_limited_by_his_address_and_not_by_his_guess(tmp_path: Path) -> None:
    """Wrong keys from one address share a bucket in both forms; a right key does not need it."""
    async with own_edge(tmp_path, rates=Rates(stranger_per_second=1, stranger_burst=2)) as door:
        wrong = [
            (await door.rest("/v1/payments/pay_1", headers={"Authorization": f"Bearer {guess}"}))[0]
            for guess in "abc"
        ]
        status, _ = await door.native(GET, asking("pay_1"), authorization="Bearer d")
        right, _, _ = await door.rest("/v1/payments/pay_1")

    assert wrong == [401, 401, 429]
    assert native_reasons(status) == (8, "RATE_LIMITED", "edge.paymesh")
    assert right == 200


@pytest.mark.parametrize(
    ("rpc", "payload", "authorization", "code", "reason"),
    [
        (GET, asking("pay_1"), "", 16, "CREDENTIALS_MISSING"),
        (GET, asking("pay_1"), "Basic abc", 16, "CREDENTIALS_MISSING"),
        (GET, asking("pay_1"), "Bearer pm_1", 16, "CREDENTIALS_INVALID"),
        (GET, asking(CARD), None, 3, "CARD_NUMBER_REFUSED"),
        (GET, b"\x0f\xff", None, 3, "MALFORMED_MESSAGE"),
        (GET, b"x" * 66_000, None, 3, "REQUEST_TOO_LARGE"),
        (GET, b"x" * 300_000, None, 3, "REQUEST_TOO_LARGE"),
        (f"{SERVICE}Nothing", b"", None, 12, "NO_SUCH_METHOD"),
        ("/nobody.v1.Nothing/Get", b"", None, 5, "NO_SUCH_PATH"),
        ("/v1/payments", b"{}", None, 12, "NO_SUCH_METHOD"),
    ],
)
async def test_native_caller_reads_reason_and_message_of_each_refusal(
    door: OwnEdge, rpc: str, payload: bytes, authorization: str | None, code: int, reason: str
) -> None:
    """google.rpc.Status comes through Envoy, whoever refuses; nothing reaches the service."""
    told = {} if authorization is None else {"authorization": authorization}

    status, _ = await door.native(rpc, payload, **told)

    assert native_reasons(status) == (code, reason, "edge.paymesh")
    assert status.message
    assert CARD not in str(status)
    assert door.service.reached == []


@pytest.mark.parametrize(
    ("path", "content_type", "http"),
    [
        ("/v1/payments", "application/grpc-web", 400),
        ("/v1/payments", "application/grpcx", 400),
        ("/v1/payments", "application/grpc;x=1", 400),
        ("/v1/payments", "text/plain", 400),
        ("/v1/payments/", "application/json", 404),
        ("/v1/payments//", "application/json", 404),
        ("//v1/payments", "application/json", 400),
        ("/v1/./payments", "application/json", 400),
        ("/v1/payments?checkout_id=abc", "application/json", 400),
    ],
)
async def test_no_spelling_of_path_or_type_takes_a_card_number_in(
    door: OwnEdge, path: str, content_type: str, http: int
) -> None:
    """However the request is dressed up, a card number in its body reaches no service."""
    body = json.dumps({**specification_request(), "checkout_id": CARD})
    headers = {"Content-Type": content_type, "Idempotency-Key": "k"}

    answered, refused, _ = await door.rest(path, "POST", data=body, headers=headers)

    assert answered == http
    assert CARD not in json.dumps(refused)
    assert door.service.reached == []


async def test_no_card_number_is_in_the_access_log(door: OwnEdge) -> None:
    """A path that was refused is not written down, in whatever way it was refused."""
    for path in (
        f"/v1/payments/{CARD}",
        f"/{CARD}",
        f"/v1/{CARD}",
        f"/v1/payments?buyer_id={CARD}",
    ):
        await door.rest(path)
        await door.rest(path, headers={"Authorization": None})
    await door.rest("/v1/payments/pay_1")

    await door.stop()  # which has Envoy write its log to the end

    lines = door.access_log.read_text().splitlines()
    assert len(lines) == 9
    assert CARD not in "".join(lines)
    assert [json.loads(line).get("path") for line in lines] == [None] * 8 + ["/v1/payments/pay_1"]
    assert json.loads(lines[-1])["client"] == "demo"
