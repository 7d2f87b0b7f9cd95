"""What is sent to Stripe, and whether it was sent."""

import asyncio
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.stripe.client import API_VERSION, Response, encode_form
from tests.servers import free_port
from tests.unit.psp_gateway.sandbox import SECRET_KEY
from tests.unit.psp_gateway.wire import HANG, answer, opened, patience_s, scripted

MEBIBYTE = 1024 * 1024


async def test_a_request_on_the_wire() -> None:
    """The version, the key of the account and the key of the request are headers; the rest is a
    form.
    """
    async with scripted(lambda _: answer({})) as wire, opened(f"{wire.url}/prefix/") as client:
        await client.post("/refunds", {"amount": 5, "metadata": {"a": "b&c"}}, key="att_1:refund")
        await client.get("/refunds", {"limit": 3})

    sent, read = wire.requests
    assert sent.line == "POST /prefix/v1/refunds HTTP/1.1"
    assert sent.body == "amount=5&metadata%5Ba%5D=b%26c"
    assert sent.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert sent.headers["stripe-version"] == API_VERSION
    assert sent.headers["idempotency-key"] == "att_1:refund"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert read.line == "GET /prefix/v1/refunds?limit=3 HTTP/1.1"
    assert "idempotency-key" not in read.headers


async def test_what_stripe_says_about_its_answer() -> None:
    """A replay, an advice and the id of the request are read from the headers."""
    headers = "Idempotent-Replayed: true\r\nStripe-Should-Retry: false\r\nRequest-Id: req_9\r\n"
    async with (
        scripted(lambda _: answer({"id": "re_1"}, status=402, headers=headers)) as wire,
        opened(wire.url) as client,
    ):
        result = await client.get("/refunds")

    assert result == Response(402, {"id": "re_1"}, "req_9", is_replay=True, should_retry=False)
    assert isinstance(result, Response)
    assert result.trace == "402 req_9"


async def test_an_answer_without_remarks() -> None:
    """What Stripe does not say is not assumed."""
    async with scripted(lambda _: answer({})) as wire, opened(wire.url) as client:
        result = await client.get("/refunds")

    assert result == Response(200, {}, "", is_replay=False, should_retry=None)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_there_is_not_sent(scheme: str) -> None:
    """A refused connection carried nothing."""
    async with opened(f"{scheme}://127.0.0.1:{free_port()}") as client:
        result = await client.post("/refunds", {}, key="k")

    assert result == NotSent()


async def test_without_tls_nothing_is_sent() -> None:
    """Where https is asked for and plain text answers, no byte of a request leaves."""
    async with (
        scripted(lambda _: answer({})) as wire,
        opened(wire.url.replace("http", "https"), connect_timeout_s=0.3) as client,
    ):
        result = await client.post("/refunds", {}, key="k")

    assert result == NotSent()
    assert wire.requests == []


async def test_a_stranger_is_sent_nothing(tmp_path: Path) -> None:
    """A certificate that nobody vouches for ends the connection before a byte of a request."""
    certificate = tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject),
        *("-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, tmp_path / "key.pem")

    async with scripted(lambda _: answer({}), tls) as wire, opened(wire.url) as client:
        result = await client.post("/refunds", {}, key="k")

    assert result == NotSent()
    assert wire.requests == []


ODD: dict[str, bytes] = {
    "hung up on": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id"',
    "no HTTP": b"220 smtp.example ESMTP\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "silence": HANG,
}


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
async def test_no_whole_answer_is_no_answer(said: bytes) -> None:
    """Once it was sent, nothing that comes back in pieces says that nothing happened; and it is
    sent once.
    """
    async with (
        scripted(lambda _: said) as wire,
        opened(wire.url, timeout_s=patience_s(said)) as client,
    ):
        result = await client.post("/refunds", {}, key="k")

    assert result == NoAnswer()
    assert len(wire.requests) == 1


UNUSABLE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"<html>",
    "not UTF-8": b'{"id": "\xff"}',
    "a list": b"[]",
    "too deep": b"[" * 100_000,
    "too long": b'{"a": "' + b"x" * MEBIBYTE + b'"}',
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_an_unusable_body_is_none(body: bytes) -> None:
    """An answer whose body is no JSON object of a sane size has no body, and raises nothing."""
    async with scripted(lambda _: answer(body)) as wire, opened(wire.url) as client:
        result = await client.get("/refunds")

    assert result == Response(200, None, "", is_replay=False, should_retry=None)


async def test_an_endless_body_is_left() -> None:
    """Reading stops at the bound, so that an answer without end takes neither time nor memory."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    said = head + b" " * (2 * MEBIBYTE)  # and then the connection stays silent
    async with scripted(lambda _: said + HANG) as wire, opened(wire.url) as client:
        result = await client.get("/refunds")

    assert result == Response(200, None, "", is_replay=False, should_retry=None)


async def test_a_compressed_body_is_not_unpacked() -> None:
    """The bound on an answer bounds memory: nothing is asked or unpacked in compressed form."""
    said = answer(b"\x1f\x8b\x08\x00", headers="Content-Encoding: gzip\r\n")
    async with scripted(lambda _: said) as wire, opened(wire.url) as client:
        result = await client.get("/refunds")

    assert isinstance(result, Response)
    assert result.body is None
    assert wire.requests[0].headers["accept-encoding"] == "identity"


async def test_a_redirect_is_not_followed() -> None:
    """The secret key goes nowhere but to Stripe."""
    async with scripted(lambda _: answer({"id": "pi_evil"})) as other:
        headers = f"Location: {other.url}\r\n"
        async with (
            scripted(lambda _: answer({}, status=307, headers=headers)) as wire,
            opened(wire.url) as client,
        ):
            result = await client.post("/refunds", {}, key="k")

    assert isinstance(result, Response)
    assert result.status == 307
    assert other.requests == []


def test_a_form_nests() -> None:
    """Mappings and lists are written in brackets."""
    fields = {"a": {"b": {"c": 1}}, "types": ["card", "link"], "t": True}

    assert parse_qsl(encode_form(fields)) == [
        ("a[b][c]", "1"),
        ("types[]", "card"),
        ("types[]", "link"),
        ("t", "True"),
    ]


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_a_form_reads_back(metadata: dict[str, Any]) -> None:
    """Whatever a value holds, it stays one value."""
    read = parse_qsl(encode_form({"metadata": metadata}))

    assert read == [(f"metadata[{name}]", value) for name, value in metadata.items()]
