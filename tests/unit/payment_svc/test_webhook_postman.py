"""Posting to a real receiver: what goes out, what comes of it, and where nothing goes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from standardwebhooks import Webhook

from chassis.clock import utc_now
from payment_svc.domain import webhook_secret
from payment_svc.domain.webhook_delivery import Attempt, AttemptFailure
from payment_svc.domain.webhook_secret import SecretName
from payment_svc.domain.webhook_url import TargetRules
from payment_svc.webhooks.postman import HttpPostman, Lookup
from tests.unit.payment_svc.receiver import answering, receiving
from tests.unit.payment_svc.webhook_builders import KEYS, NAME, make_delivery, make_event

LOOPBACK = TargetRules.parse("127.0.0.0/8", is_production=False)


@asynccontextmanager
async def postman(
    rules: TargetRules = LOOPBACK, *, timeout_s: float = 60.0, lookup: Lookup | None = None
) -> AsyncIterator[HttpPostman]:
    """Make a postman."""
    async with HttpPostman(
        rules, KEYS, clock=utc_now, timeout_s=timeout_s, connections_max=8, lookup=lookup
    ) as made:
        yield made


async def post(url: str, rules: TargetRules = LOOPBACK, **changed: Any) -> Attempt:
    """Post one event."""
    async with postman(rules, **changed) as made:
        return await made.post(make_delivery(url=url))


def leading_to(*addresses: str) -> Lookup:
    """Make a resolver that knows every name, by these addresses."""

    async def lookup(host: str, port: int, _: socket.AddressFamily) -> Sequence[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for address in addresses
        ]

    return lookup


async def test_what_goes_out_is_signed_and_complete() -> None:
    """The reference library takes it, by the newest secret and by the one before."""
    older = SecretName(2, KEYS.newest)
    async with receiving() as receiver, postman() as made:
        attempt = await made.post(make_delivery(url=receiver.url, secrets=(NAME, older)))

    ((headers, body),) = receiver.seen
    assert (attempt.http_status, attempt.failure) == (204, None)
    assert body == make_event().body()
    assert headers["webhook-id"] == make_event().event_id
    assert headers["content-type"] == "application/json"
    assert len(headers["webhook-signature"].split(" ")) == 2
    for name in (NAME, older):
        shown = webhook_secret.show(KEYS.secret("whe_1", name))
        assert Webhook(shown).verify(body, headers)["sequence"] == 1


async def test_a_redirection_is_not_followed() -> None:
    """Where it points to was not checked, and is not what was registered."""
    async with receiving(answering(307, Location="/elsewhere")) as receiver:
        attempt = await post(receiver.url)

    assert attempt.http_status == 307
    assert len(receiver.seen) == 1


async def test_a_connection_serves_for_many() -> None:
    """Each attempt must not pay for a handshake."""
    ports: set[int] = set()

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="thanks")

    async with receiving(note) as receiver, postman() as made:
        for _ in range(3):
            assert (await made.post(make_delivery(url=receiver.url))).http_status == 200

    assert len(ports) == 1


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    """The status has come: it counts, and a gigabyte behind it costs nothing."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100_000):
            await response.write(b"x" * 10_000)
            sent += 10_000
        return response

    async with receiving(endless) as receiver:
        attempt = await post(receiver.url)

    assert attempt.http_status == 200
    assert sent < 100_000_000


async def test_a_slow_answer_is_given_up() -> None:
    """The whole attempt has one deadline, however slowly the other side drips."""
    done = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await done.wait()
        return web.Response()

    async with receiving(silent) as receiver:
        attempt = await post(receiver.url, timeout_s=0.2)
        done.set()

    assert (attempt.http_status, attempt.failure) == (None, AttemptFailure.TIMEOUT)
    assert attempt.duration.total_seconds() > 0.1


@pytest.mark.parametrize(
    ("spoken", "failure"),
    [(b"", AttemptFailure.CONNECTION), (b"SSH-2.0-OpenSSH\r\n\r\n", AttemptFailure.PROTOCOL)],
)
async def test_what_is_no_http_is_named(spoken: bytes, failure: AttemptFailure) -> None:
    """A port that closes, or speaks something else, is told apart."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(spoken)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        attempt = await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert attempt.failure is failure


async def test_nobody_there() -> None:
    """A refused connection is a failure as others are."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert (await post(f"http://127.0.0.1:{port}/")).failure is AttemptFailure.CONNECTION


async def test_plain_http_behind_https() -> None:
    """A handshake that fails is named."""
    async with receiving() as receiver:
        attempt = await post(receiver.url.replace("http://", "https://"))

    assert attempt.failure in (AttemptFailure.TLS, AttemptFailure.CONNECTION)


async def test_an_unknown_name() -> None:
    """What the resolver does not know is named."""

    async def unknown(*_: object) -> Sequence[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    attempt = await post("http://hooks.example:80/", lookup=unknown)

    assert attempt.failure is AttemptFailure.NAME_NOT_FOUND


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
async def test_a_name_that_leads_inside_is_not_followed(addresses: list[str]) -> None:
    """One address that is not admitted is enough, and no connection is tried."""
    async with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        attempt = await post(url, lookup=leading_to(*addresses))

    assert attempt.failure is AttemptFailure.ADDRESS_REFUSED
    assert receiver.seen == []


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is asked for once a connection: a second, other answer is never heard."""
    asked: list[str] = []

    async def rebinding(host: str, port: int, family: socket.AddressFamily) -> Any:
        asked.append(host)
        return await leading_to("127.0.0.1" if len(asked) == 1 else "10.0.0.1")(host, port, family)

    async with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        attempt = await post(url, lookup=rebinding)

    assert attempt.http_status == 204
    assert asked == ["hooks.example"]
    assert receiver.seen[0][0]["host"].startswith("hooks.example:")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
async def test_what_was_registered_is_checked_again_when_it_is_sent(host: str) -> None:
    """Rules that have become stricter hold for endpoints from before, numeric hosts too."""
    async with receiving() as receiver:
        strict = TargetRules(is_production=False)
        attempt = await post(receiver.url.replace("127.0.0.1", host), strict)

    assert attempt.failure is AttemptFailure.ADDRESS_REFUSED
    assert receiver.seen == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again, by its own rules."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async with receiving() as receiver:
        assert (await post(receiver.url)).http_status == 204


async def test_without_the_key_nothing_unsigned_goes_out() -> None:
    """A key missing from the settings is our mistake, and is waited out."""
    async with receiving() as receiver, postman() as made:
        stranger = SecretName(1, "another key's id")
        attempt = await made.post(make_delivery(url=receiver.url, secrets=(stranger,)))

    assert attempt.failure is AttemptFailure.SECRET_MISSING
    assert receiver.seen == []
