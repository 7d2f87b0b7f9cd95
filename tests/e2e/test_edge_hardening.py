"""The edge against who means harm: an Envoy of the test's own, and bytes that no library sends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from devstack.mesh.edge import Limits
from tests.hostile import FLOODS, FORGED, MALFORMED, PATHS
from tests.own_edge import OwnEdge, own_edge
from tests.raw_http import (
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PAYMENT,
    RST_STREAM,
    SETTINGS,
    Frame,
    asking,
    begun,
    block,
    connected,
    frame,
    request,
    said,
    status,
)  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "host: edge"
GET = f"GET {PAYMENT} HTTP/1.1"
POST = "POST /v1/payments HTTP/1.1"
JSON = "content-type: application/json"
CHUNKED = "transfer-encoding: chunked"
DEADLINE_S = 60
FLOOD = 150  # requests; what comes back meanwhile is less, however slow the machine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnEdge]:
    """An edge as production has it, for the whole file."""
    async with own_edge(tmp_path_factory.mktemp("edge")) as running:
        yield running


@pytest.fixture
def key(door: OwnEdge) -> str:
    """The header by which a client is known."""
    return f"authorization: Bearer {door.api_key}"


async def statuses(door: OwnEdge, cases: Mapping[str, bytes]) -> dict[str, int]:
    """Send each on a connection of its own, all at once, and tell what was answered."""
    answers = await asyncio.gather(*(said(door.address, sent) for sent in cases.values()))
    return dict(zip(cases, map(status, answers), strict=True))


async def grown(door: OwnEdge, counter: str, before: int) -> None:
    """Wait until a counter of Envoy's is beyond what it was."""
    async with asyncio.timeout(DEADLINE_S):
        while await door.counted(counter) <= before:
            await asyncio.sleep(0.05)


async def serves(door: OwnEdge) -> bool:
    """Tell whether it still answers as it should."""
    answered, body, _ = await door.rest(PAYMENT)
    return answered == 200 and body["payment_id"] == "pay_1"


async def test_a_request_has_one_length_and_one_end(door: OwnEdge, key: str) -> None:
    """Whatever two servers could read in two ways is refused, before anybody is asked."""
    told = [HOST, key, JSON]
    none = b"0\r\n\r\n"
    smuggled = {
        "length and chunks": request(POST, *told, "content-length: 5", CHUNKED, body=none),
        "two lengths": request(POST, *told, "content-length: 5", "content-length: 6", body=none),
        "a list of lengths": request(POST, *told, "content-length: 5, 6", body=none),
        "a signed length": request(POST, *told, "content-length: +5", body=none),
        "a space before the colon": request(POST, *told, "transfer-encoding : chunked", body=none),
        "no length of a chunk": request(POST, *told, CHUNKED, body=b"0x5\r\nabcde\r\n0\r\n\r\n"),
        "a zero byte in a value": request(GET, HOST, key, "x-a: b\0c"),
        "a zero byte in a name": request(GET, HOST, key, "x\0a: b"),
        "an underscore": request(GET, HOST, key, "content_length: 5"),
        "no host": request(GET, key),
        "two hosts": request(GET, HOST, "host: evil.example", key),
    }
    unknown = {
        "two encodings": request(POST, *told, CHUNKED, "transfer-encoding: identity", body=none),
        "another encoding": request(POST, *told, "transfer-encoding: xchunked", body=none),
    }
    before = len(door.service.reached)

    assert await statuses(door, smuggled) == dict.fromkeys(smuggled, 400)
    assert await statuses(door, unknown) == dict.fromkeys(unknown, 501)
    assert len(door.service.reached) == before


async def test_a_folded_line_begins_no_header(door: OwnEdge, key: str) -> None:
    """What stands on a folded line, or behind a lone CR, is a part of the value before it."""
    cases = {
        "a fold": request(GET, HOST, key, "x-a: b", "\tx-paymesh-client-id: evil"),
        "a lone CR": request(GET, HOST, key, "x-a: b\rx-paymesh-client-id: evil"),
    }
    door.service.heard.clear()

    assert await statuses(door, cases) == dict.fromkeys(cases, 200)
    assert [heard["x-paymesh-client-id"] for heard in door.service.heard] == ["demo", "demo"]


async def test_old_and_odd_ways_of_asking_are_refused(door: OwnEdge, key: str) -> None:
    """HTTP/1.0 and 0.9 have no part in this; no tunnel and no server-wide request neither."""
    cases = {
        "HTTP/1.0": (426, request(f"GET {PAYMENT} HTTP/1.0", HOST, key)),
        "HTTP/0.9": (426, f"GET {PAYMENT}\r\n\r\n".encode()),
        "CONNECT": (404, request("CONNECT edge:443 HTTP/1.1", HOST, key)),
        "OPTIONS *": (404, request("OPTIONS * HTTP/1.1", HOST, key)),
        "TRACE": (404, request(f"TRACE {PAYMENT} HTTP/1.1", HOST, key)),
    }

    answered = await statuses(door, {name: sent for name, (_, sent) in cases.items()})

    assert answered == {name: expected for name, (expected, _) in cases.items()}


async def test_a_full_address_is_checked_as_any_path(door: OwnEdge, key: str) -> None:
    """`GET http://somewhere/…` is legal HTTP; it needs the same key and says no more."""
    line = f"GET http://evil.example{PAYMENT} HTTP/1.1"
    cases = {"with": request(line, HOST, key), "without": request(line, HOST)}

    assert await statuses(door, cases) == {"with": 200, "without": 401}


async def test_no_spelling_of_a_path_leads_past_the_check(door: OwnEdge, key: str) -> None:
    """Without a key no spelling reaches a service; with one each reaches what it says."""
    before = len(door.service.reached)
    without = await statuses(door, {p: request(f"GET {p} HTTP/1.1", HOST) for p in PATHS})
    assert len(door.service.reached) == before
    having = await statuses(door, {p: request(f"GET {p} HTTP/1.1", HOST, key) for p in PATHS})

    assert {path: (without[path], having[path]) for path in PATHS} == PATHS
    assert {reached.payment_id for reached in door.service.reached[before:]} == {"pay_1"}


@pytest.mark.parametrize("case", ["as it is", "in capitals", "twice"])
async def test_what_only_the_mesh_may_say_reaches_no_service(
    door: OwnEdge, key: str, case: str
) -> None:
    """Forged identities, overrides, deadlines and faults are taken off, in every spelling."""
    lines = [f"{name}: {value}" for name, value in FORGED.items()]
    if case == "in capitals":
        lines = [line.partition(":")[0].upper() + ":" + line.partition(":")[2] for line in lines]
    door.service.heard.clear()

    answer = await said(
        door.address, request(GET, HOST, key, *lines * (2 if case == "twice" else 1))
    )

    assert status(answer) == 200, answer
    (heard,) = door.service.heard
    ours = {name: heard.get(name) for name in FORGED if name in heard}
    assert ours.pop("x-paymesh-client-id") == "demo"
    assert ours.pop("x-envoy-original-path") == PAYMENT
    assert len(ours.pop("x-request-id")) == 36
    assert ours == {}


async def test_headers_are_few_and_small(door: OwnEdge, key: str) -> None:
    """64 headers and 16 KiB, by HTTP/1.1 and by HTTP/2."""
    many = [f"x-{number}: 1" for number in range(80)]
    cases = {
        "many": request(GET, HOST, key, *many),
        "large": request(GET, HOST, "a: " + "b" * 20_000),
    }
    assert await statuses(door, cases) == {"many": 431, "large": 431}

    endless = [frame(CONTINUATION, block({f"x-{n}": "a" * 1000}), stream=1) for n in range(200)]
    async with connected(door.address) as wire:
        await wire.send(begun(), asking(1, flags=0), *endless)
        assert await wire.until(RST_STREAM, GOAWAY) is not None
    assert await serves(door)


async def test_a_body_is_64_kib_at_most_whatever_it_says(door: OwnEdge, key: str) -> None:
    """A body in chunks, whose length nobody has said, is cut off all the same."""
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    sent = request(POST, HOST, key, JSON, CHUNKED, "idempotency-key: k", body=chunk * 6)

    assert status(await said(door.address, sent)) == 413


async def test_who_takes_his_time_is_not_waited_for(door: OwnEdge, key: str) -> None:
    """Headers have 5 s and a request 10 s to arrive, whether bytes trickle or stop."""

    async def trickling(*begin: bytes) -> bytes:
        async with connected(door.address) as wire:
            await wire.send(*begin)
            reading = asyncio.create_task(wire.rest())
            while not reading.done():
                await wire.send(b"a")
                await asyncio.wait([reading], timeout=0.5)
            return await reading

    async def silent(*parts: bytes) -> bytes:
        async with connected(door.address) as wire:
            await wire.send(*parts)
            return await wire.rest()

    async def open_ended() -> Frame | None:
        async with connected(door.address) as wire:
            await wire.send(begun(), asking(1, flags=0))
            return await wire.until(RST_STREAM, GOAWAY)

    body = request(POST, HOST, key, JSON, "content-length: 60000", "idempotency-key: k")
    *answers, reset = await asyncio.gather(
        trickling(GET.encode() + b"\r\nhost: "),
        silent(GET.encode() + b"\r\n"),
        trickling(body),
        open_ended(),
    )

    assert [status(answer) for answer in answers] == [408, 408, 408]
    assert reset is not None
    assert await serves(door)


async def test_streams_that_are_begun_and_dropped_end_the_connection(door: OwnEdge) -> None:
    """Rapid reset: after 200 streams, most of them taken back at once, it is closed."""
    drop = [
        asking(stream) + frame(RST_STREAM, b"\0\0\0\x08", stream=stream)
        for stream in range(1, 8001, 2)
    ]
    closed = await door.counted("http.edge.downstream_rq_too_many_premature_resets")
    begun_before = await door.counted("http.edge.downstream_rq_total")

    await said(door.address, begun(), *drop)

    await grown(door, "http.edge.downstream_rq_too_many_premature_resets", closed)
    assert await door.counted("http.edge.downstream_rq_total") - begun_before < 1000
    assert await serves(door)


async def test_streams_of_a_connection_are_bounded(door: OwnEdge) -> None:
    """256 at once; the next is refused, which a client may send again elsewhere."""
    waiting = {":method": "POST"}
    opened = [asking(n, flags=END_HEADERS, **waiting) for n in range(1, 2 * 257 + 1, 2)]
    async with connected(door.address) as wire:
        await wire.send(begun(), *opened)
        settings, refused = await wire.until(SETTINGS), await wire.until(RST_STREAM)

    assert settings is not None
    assert b"\0\3\0\0\1\0" in settings.payload
    assert refused is not None
    assert (refused.stream, refused.payload) == (513, b"\0\0\0\7")


async def test_frames_that_ask_for_work_and_say_nothing_end_the_connection(door: OwnEdge) -> None:
    """Floods of frames are not worked off: the edge hangs up, and goes on serving others."""
    hung_up = await door.counted("http.edge.downstream_cx_destroy_local")
    waiting = asking(1, flags=END_HEADERS, **{":method": "POST"})

    # Who is not hung up on waits for ever, and fails by his deadline.
    await asyncio.gather(*(said(door.address, begun(), waiting, *f) for f in FLOODS.values()))

    await grown(door, "http.edge.downstream_cx_destroy_local", hung_up + len(FLOODS) - 1)
    assert await serves(door)


@pytest.mark.parametrize("case", MALFORMED)
async def test_headers_that_http2_does_not_have_end_the_connection(
    door: OwnEdge, case: str
) -> None:
    """What would be another request in HTTP/1.1 is none in HTTP/2 either."""
    reached = len(door.service.reached)
    key = {"authorization": f"Bearer {door.api_key}"}

    await said(door.address, begun(), asking(1, **key, **MALFORMED[case]))

    assert len(door.service.reached) == reached


async def test_a_request_has_one_path_in_http2(door: OwnEdge) -> None:
    """A second `:path` is no way past the check of the first."""
    told = {":method": "GET", ":scheme": "http", ":authority": "edge", ":path": "/openapi.json"}
    twice = block(told) + block({":path": PAYMENT})
    reached = len(door.service.reached)

    answer = await said(door.address, begun(), frame(HEADERS, twice, flags=5, stream=1))

    assert b"openapi" not in answer
    assert len(door.service.reached) == reached


async def test_a_flood_of_requests_is_answered_before_anybody_is_asked(tmp_path: Path) -> None:
    """Beyond its rate the edge answers 429 itself, with Retry-After; edge_auth hears nothing."""
    async with own_edge(tmp_path, limits=Limits(requests_per_s=10, requests_at_once=20)) as door:
        answers = await asyncio.gather(*(door.rest(PAYMENT) for _ in range(FLOOD)))
        refused = [answer for answer in answers if answer[0] == 429]
        asked = await door.counted("cluster.edge_auth.upstream_rq_total")

    assert 20 <= len(answers) - len(refused) < FLOOD
    assert asked == len(answers) - len(refused)
    _, body, headers = refused[0]
    assert body["details"][0]["reason"] == "TOO_MANY_REQUESTS"
    assert headers["retry-after"] == "1"


async def test_connections_are_bounded_and_idle_ones_end(tmp_path: Path) -> None:
    """The fifth of four is closed at once; who says nothing makes room after a while."""
    async with own_edge(tmp_path / "full", limits=Limits(connections_max=4)) as door:
        async with asyncio.timeout(DEADLINE_S):
            held = [await asyncio.open_connection(*door.address) for _ in range(4)]
            while await door.counted("http.edge.downstream_cx_active") < 4:
                await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection(*door.address)
            assert await reader.read() == b""
            assert await door.counted("connection_limit.edge.limited_connections") == 1
        for each in (writer, *(writer for _, writer in held)):
            each.close()
    async with own_edge(tmp_path / "idle", limits=Limits(connections_max=1, idle_s=1)) as door:
        async with asyncio.timeout(DEADLINE_S):
            quiet, writer = await asyncio.open_connection(*door.address)
            assert await quiet.read() == b""
        writer.close()
        async with asyncio.timeout(DEADLINE_S):
            while not await has_room(door):
                await asyncio.sleep(0.05)


async def has_room(door: OwnEdge) -> bool:
    """Tell whether it takes a connection and answers as it should."""
    try:
        return await serves(door)
    except aiohttp.ClientError:
        return False


TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


@pytest.mark.parametrize("told", ["", "evil@example.com", TRACE + "x", TRACE.replace("a", "z")])
async def test_a_trace_is_a_trace_or_begun_anew(door: OwnEdge, key: str, told: str) -> None:
    """What goes into every log as a trace is one; who began a real one keeps it."""
    door.service.heard.clear()

    await said(door.address, request(GET, HOST, key, f"traceparent: {told}"))
    await said(door.address, request(GET, HOST, key, f"traceparent: {TRACE}"))

    made, kept = (heard["traceparent"] for heard in door.service.heard)
    assert kept == TRACE
    assert made != told
    assert len(made) == len(TRACE)
