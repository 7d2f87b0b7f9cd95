"""One payment through the mesh is one trace, of every hop, and it holds nothing of persons."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from devstack.mesh.traces import OTLP_ENDPOINT
from devstack.rest import RestClient, specification_request
from devstack.stack import down, spawn
from devstack.state import State, reachable_folder
from tests.collector import Collector, Span, collecting
from tests.conftest import whole

DEADLINE_S = 90
CALLED = ("risk_svc", "psp_gateway", "wallet_svc", "ledger_svc")  # by the saga
CANARIES = ("canary-buyer", "canary@example.com", "canary_token", "Canary/1.0", "203.0.113.77")


async def test_a_payment_is_one_trace_of_every_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans hang together from the edge to the ledger; logs name the trace, spans no person."""
    async with collecting() as (collector, endpoint):
        monkeypatch.setenv(OTLP_ENDPOINT, endpoint)
        monkeypatch.setenv("LOG_LEVEL", "debug")
        with reachable_folder("paymesh-traces-") as folder:
            state = State(folder)
            stack = await asyncio.to_thread(spawn, state, ports="auto", risk="open", mesh=True)
            try:
                await asyncio.to_thread(whole, state)
                trace_id, began = uuid4().hex, uuid4().hex[:16]
                traceparent = f"00-{trace_id}-{began}-01"
                await pay(stack["edge"]["url"], stack["client"]["api_key"], traceparent)
                await eventually_whole(collector, trace_id, began)
                await eventually_logged(state, trace_id)
            finally:
                await asyncio.to_thread(down, state)

    for canary in CANARIES:
        assert not [told for told in collector.raw if canary.encode() in told], canary


async def pay(url: str, api_key: str, traceparent: str) -> None:
    """Make a payment under a trace, and ask for one with a query that tells of a person."""
    request = specification_request(f"traced-{uuid4()}")
    request["buyer_info"] = {"id": CANARIES[0], "email": CANARIES[1], "ip_address": CANARIES[4]}
    request["credit_card_info"] = {"token": CANARIES[2]}
    headers = {
        "authorization": f"Bearer {api_key}",
        "idempotency-key": str(uuid4()),
        "traceparent": traceparent,
        "user-agent": CANARIES[3],
    }
    async with aiohttp.ClientSession(url, headers=headers) as session:
        async with session.post("/v1/payments", json=request) as answer:
            created = await answer.json()
            assert answer.status == 200, created
        async with session.get("/v1/payments", params={"buyer": CANARIES[1]}) as answer:
            assert answer.status == 400
    async with RestClient(url, api_key) as rest:
        payment = await rest.until_final(created["payment_id"], timeout_s=DEADLINE_S)
    assert payment["status"] == "COMPLETED"


async def eventually_whole(collector: Collector, trace_id: str, began: str) -> None:
    """Wait until the spans of the trace hang together."""
    async with asyncio.timeout(DEADLINE_S):
        while unmet(collector.of(trace_id), began):
            await asyncio.sleep(0.1)


async def eventually_logged(state: State, trace_id: str) -> None:
    """Wait until each service's log has a line of the trace."""
    logs = [state.log(name) for name in ("payment_svc", *CALLED)]
    async with asyncio.timeout(DEADLINE_S):
        while not all(names(log, trace_id) for log in logs):
            await asyncio.sleep(0.1)


def names(log: Path, trace_id: str) -> bool:
    """Tell whether a line of a log is of a trace."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return any(line.get("trace_id") == trace_id for line in lines)


def unmet(spans: list[Span], began: str) -> set[object]:
    """Tell what is missing: a caller of a service, or a span's parent. `began`: the client's."""
    by_id = {span.span_id: span for span in spans}
    calls = {
        (by_id[span.parent_id].service, span.service) for span in spans if span.parent_id in by_id
    }
    orphans = {span for span in spans if span.parent_id not in by_id}
    from_outside = {s for s in orphans if (s.service, s.parent_id) == ("edge", began)}
    strangers = {span.span_id for span in orphans - from_outside}
    wanted = {("edge", "payment_svc"), *(("payment_svc", name) for name in CALLED)}
    return (wanted - calls) | strangers | (set() if from_outside else {"edge"})
