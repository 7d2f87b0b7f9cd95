"""What is sent to PayPal, with which token, and whether it was sent."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.http_client import HttpClient, NoAnswer, NotSent
from psp_gateway.providers.paypal.client import PayPalClient, Response, key_of
from psp_gateway.providers.paypal.tokens import KEPT_UNTIL_S, AccessToken, AccessTokens, NoToken
from tests.servers import free_port
from tests.unit.psp_gateway.paypal import (
    CLIENT_ID,
    LIFETIME_S,
    SECRET,
    calls_of,
    counted_tokens,
    opened,
    script_of,
    token,
)
from tests.unit.psp_gateway.wire import HANG, Request, answer, patience_s, scripted


async def test_a_path_before_that_of_the_call() -> None:
    """The token is fetched below the base address too."""
    async with (
        scripted(lambda request: token() if "oauth2" in request.line else answer({})) as wire,
        opened(f"{wire.url}/prefix/") as client,
    ):
        await client.get("/v2/x")

    lines = [request.line for request in wire.requests]
    assert lines == ["POST /prefix/v1/oauth2/token HTTP/1.1", "GET /prefix/v2/x HTTP/1.1"]


async def test_headers_and_bodies() -> None:
    """The token is fetched by form and Basic; a call is JSON, bears it, and asks for the whole."""
    async with scripted(script_of(lambda _: answer({}))) as wire, opened(wire.url) as client:
        await client.post(
            "/v2/checkout/orders", {"intent": "CAPTURE", "n": "ü"}, key="att_1:create"
        )
        await client.get("/v2/checkout/orders/5O1")

    fetch, sent, read = wire.requests
    assert fetch.body == "grant_type=client_credentials"
    assert fetch.headers["content-type"] == "application/x-www-form-urlencoded"
    scheme, pair = fetch.headers["authorization"].split()
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", f"{CLIENT_ID}:{SECRET}")
    assert sent.line == "POST /v2/checkout/orders HTTP/1.1"
    assert json.loads(sent.body) == {"intent": "CAPTURE", "n": "ü"}
    assert sent.headers["authorization"] == "Bearer A21-one"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["prefer"] == "return=representation"
    assert sent.headers["paypal-request-id"] == key_of("att_1:create")
    assert read.line == "GET /v2/checkout/orders/5O1 HTTP/1.1"
    assert read.headers["authorization"] == "Bearer A21-one"
    assert "paypal-request-id" not in read.headers


async def test_a_call_without_a_key() -> None:
    """What has a natural key of its own bears no header of idempotency."""
    async with scripted(script_of(lambda _: answer({}))) as wire, opened(wire.url) as client:
        await client.post("/v1/payments/payouts", {})

    assert "paypal-request-id" not in calls_of(wire)[0].headers


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_key_fits_and_stays(one: str, other: str) -> None:
    """Any key becomes one of 36 characters; the same key the same, another another."""
    assert len(key_of(one)) == 36
    assert (key_of(one) == key_of(other)) is (one == other)


async def test_what_paypal_says_about_its_answer() -> None:
    """The id that PayPal's support asks for is in the trace."""
    said = answer({"name": "X"}, status=422, headers="PayPal-Debug-Id: 90957fca61718\r\n")
    async with scripted(script_of(lambda _: said)) as wire, opened(wire.url) as client:
        result = await client.get("/v2/checkout/orders/5O1")

    assert result == Response(422, {"name": "X"}, "90957fca61718")
    assert isinstance(result, Response)
    assert result.trace == "422 90957fca61718"


async def test_an_answer_without_a_body() -> None:
    """A 204 is an answer without one."""
    said = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    async with scripted(script_of(lambda _: said)) as wire, opened(wire.url) as client:
        result = await client.post("/v2/payments/authorizations/0VF/void", {}, key="k")

    assert result == Response(204, None)


async def test_a_token_serves_many_calls() -> None:
    """Calls that wait for a token wait for the same fetch, and later ones do not fetch."""
    async with scripted(script_of(lambda _: answer({}))) as wire, opened(wire.url) as client:
        await asyncio.gather(*(client.get(f"/v2/{number}") for number in range(20)))
        await client.get("/v2/last")

    assert len(calls_of(wire)) == 21
    assert len(wire.requests) == 22


async def test_a_refused_token_is_replaced_once() -> None:
    """After a 401 nothing was executed: the call is sent again, the same, with another token."""

    def call(request: Request) -> bytes:
        is_new = request.headers["authorization"] == "Bearer A21-2"
        return answer({"id": "5O1"}, status=201 if is_new else 401)

    async with (
        scripted(script_of(call, counted_tokens())) as wire,
        opened(wire.url) as client,
    ):
        result = await client.post("/v2/checkout/orders", {"a": 1}, key="k")

    first, second = calls_of(wire)
    assert result == Response(201, {"id": "5O1"})
    assert (first.body, second.body) == ('{"a":1}', '{"a":1}')
    assert first.headers["paypal-request-id"] == second.headers["paypal-request-id"]


async def test_calls_refused_together_share_one_fetch() -> None:
    """When a token is refused, those who were refused it wait for one other."""

    def call(request: Request) -> bytes:
        is_new = request.headers["authorization"] == "Bearer A21-2"
        return answer({}, status=200 if is_new else 401)

    async with (
        scripted(script_of(call, counted_tokens())) as wire,
        opened(wire.url) as client,
    ):
        results = await asyncio.gather(*(client.get(f"/v2/{number}") for number in range(10)))

    assert [getattr(result, "status", 0) for result in results] == [200] * 10
    assert len(wire.requests) - len(calls_of(wire)) == 2


async def test_who_is_always_refused_stops() -> None:
    """A second 401 is the answer."""
    said = answer({"name": "AUTHENTICATION_FAILURE"}, status=401)
    async with (
        scripted(script_of(lambda _: said, counted_tokens())) as wire,
        opened(wire.url) as client,
    ):
        result = await client.get("/v2/x")

    assert result == Response(401, {"name": "AUTHENTICATION_FAILURE"})
    assert len(calls_of(wire)) == 2


async def test_a_refused_call_that_gets_no_other_token() -> None:
    """The answer to what was sent stands: a 401, and not that nothing was sent."""
    fetches = iter([token(), answer({}, status=503)])
    said = answer({}, status=401)
    async with (
        scripted(script_of(lambda _: said, lambda: next(fetches))) as wire,
        opened(wire.url) as client,
    ):
        result = await client.get("/v2/x")

    assert result == Response(401, {})
    assert len(calls_of(wire)) == 1


NO_TOKEN: dict[str, bytes] = {
    "refused": answer({"error": "invalid_client"}, status=401),
    "in trouble": answer({}, status=500),
    "hung up on": b"",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"acc',
    "silence": HANG,
    "not JSON": answer(b"<html>"),
    "no token": token(access_token=None),
    "an empty token": token(""),
    "a header in the token": token("A21\r\nX-Evil: 1"),
    "a token beyond ASCII": token("Ä21"),
    "another kind of token": token(token_type="MAC"),
    "no lifetime": token(expires_in=None),
    "a lifetime that is true": token(expires_in=True),
    "a lifetime in words": token(expires_in="32400"),
    "a negative lifetime": token(expires_in=-1),
}


@pytest.mark.parametrize("said", NO_TOKEN.values(), ids=NO_TOKEN)
async def test_without_a_token_nothing_is_sent(said: bytes) -> None:
    """Whatever becomes of the fetch: a call that got no token was itself never sent."""
    async with (
        scripted(script_of(lambda _: answer({}), lambda: said)) as wire,
        opened(wire.url, timeout_s=patience_s(said)) as client,
    ):
        result = await client.post("/v2/checkout/orders", {}, key="k")

    assert result == NotSent()
    assert calls_of(wire) == []


async def test_a_failed_fetch_is_not_kept() -> None:
    """The next call fetches again."""
    fetches = iter([answer({}, status=503), token()])
    async with (
        scripted(script_of(lambda _: answer({}), lambda: next(fetches))) as wire,
        opened(wire.url) as client,
    ):
        assert await client.get("/v2/x") == NotSent()
        assert await client.get("/v2/x") == Response(200, {})


async def test_nobody_there_is_not_sent() -> None:
    """A refused connection carried nothing."""
    async with opened(f"http://127.0.0.1:{free_port()}") as client:
        assert await client.get("/v2/x") == NotSent()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", HANG], ids=repr)
async def test_no_whole_answer_is_no_answer(said: bytes) -> None:
    """A call that got its token was sent, and it is sent once."""
    async with (
        scripted(script_of(lambda _: said)) as wire,
        opened(wire.url, timeout_s=patience_s(said)) as client,
    ):
        result = await client.post("/v2/checkout/orders", {}, key="k")

    assert result == NoAnswer()
    assert len(calls_of(wire)) == 1


async def test_a_caller_that_leaves_does_not_take_the_fetch_along() -> None:
    """Of two that wait for a token, the second gets it when the first has gone."""
    reached, go = asyncio.Event(), asyncio.Event()

    class Slow(HttpClient):
        async def request(self, *args: Any, **kwargs: Any) -> Any:
            reached.set()
            await go.wait()
            return await super().request(*args, **kwargs)

    async with scripted(script_of(lambda _: answer({}))) as wire:
        http = Slow(wire.url, {})
        await http.open()
        tokens = AccessTokens(http, CLIENT_ID, SECRET)
        first, second = asyncio.create_task(tokens.get()), asyncio.create_task(tokens.get())
        await reached.wait()
        first.cancel()
        await asyncio.wait([first])
        go.set()
        fetched = await second
        await http.close()

    assert first.cancelled()
    assert isinstance(fetched, AccessToken)
    assert len(wire.requests) == 1


async def test_a_token_is_left_before_it_ends() -> None:
    """It is used until a minute before its end, counted from before it was asked for."""
    now = 1000.0
    async with scripted(script_of(lambda _: answer({}), counted_tokens())) as wire:
        http = HttpClient(wire.url, {})
        await http.open()
        tokens = AccessTokens(http, CLIENT_ID, SECRET, clock=lambda: now)
        first = await tokens.get()
        now += LIFETIME_S - KEPT_UNTIL_S - 0.5
        kept = await tokens.get()
        now += 0.5
        renewed = await tokens.get()
        await http.close()

    assert kept is first
    assert isinstance(renewed, AccessToken)
    assert renewed.text == "A21-2"


async def test_closing_ends_a_fetch() -> None:
    """Who waits for a token when the client closes is told that nothing was sent."""
    reached = asyncio.Event()

    def hang() -> bytes:
        reached.set()
        return HANG

    async with scripted(script_of(lambda _: answer({}), hang)) as wire:
        client = PayPalClient(wire.url, CLIENT_ID, SECRET, timeout_s=600.0)
        await client.open()
        waiting = asyncio.create_task(client.get("/v2/x"))
        await reached.wait()
        async with asyncio.timeout(60):
            await client.close()
            assert await waiting == NotSent()


async def test_secrets_are_in_no_repr() -> None:
    """Neither the secret nor a token shows when an object is printed."""
    client = PayPalClient("http://127.0.0.1:1", CLIENT_ID, SECRET)
    shown = [repr(client), repr(vars(client)), repr(AccessToken("A21-canary", 1.0))]

    assert not [text for text in shown if "canary" in text]
    assert repr(NoToken(401, "x")) == "NoToken(status=401, debug_id='x')"
