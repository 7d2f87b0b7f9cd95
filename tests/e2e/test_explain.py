"""A payment's story over every real part: by RPC, and as the command tells it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from devstack.rest import RestClient, specification_request
from devstack.state import State
from devstack.trail import Operator

Story = dict[str, Any]
SOURCES = ["PAYMENT", "RISK", "PSP", "WALLET", "LEDGER"]


@pytest.fixture
async def sandbox(stack: dict[str, Any]) -> AsyncIterator[aiohttp.ClientSession]:
    """The PSP sandbox, as a buyer and as whoever breaks it."""
    async with aiohttp.ClientSession(stack["psp_sandbox"]["url"]) as session:
        yield session


def request_of(token: str = "psp_card_token_xyz") -> dict[str, Any]:
    """Write the specification's request with an order id and a card of its own."""
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = token
    return request


async def until(
    operator: Operator, payment_id: str, holds: Callable[[Story], bool], timeout_s: float = 60
) -> Story:
    """Await a story of which this holds."""
    deadline = time.monotonic() + timeout_s
    while not holds(story := await operator.story(payment_id)):
        assert time.monotonic() < deadline, story["headline"]
        await asyncio.sleep(0.05)
    return story


def waits_for(*words: str) -> Callable[[Story], bool]:
    """Tell whether one of these is what a story waits for."""
    return lambda story: story["outlook"]["waits_for"] in words


def summaries(story: Story, source: str) -> list[str]:
    """List the sentences of one source; what PSPs told by webhooks, at any time, apart."""
    events = (event for event in story["timeline"] if event["kind"] != "webhook")
    return [event["summary"] for event in events if event["source"] == source]


def moment(text: str) -> datetime:
    """Read a moment."""
    return datetime.fromisoformat(text)


def command(state: State, *arguments: str) -> list[str]:
    """Write the command as a person would."""
    program = str(Path(sys.executable).with_name("paymesh"))
    return [program, "explain", *arguments, "--state", str(state.folder)]


def explain(state: State, *arguments: str, columns: int = 80) -> "subprocess.CompletedProcess[str]":
    """Run the command with its output piped."""
    return subprocess.run(
        command(state, *arguments),
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": str(columns)},
    )  # fmt: skip


async def test_a_completed_payment_is_told_by_everybody(
    rest: RestClient, operator: Operator, state: State
) -> None:
    """One RPC has what five services know, in the order of time, and nothing is left to do."""
    created = await rest.create(request_of())
    payment_id = created.body["payment_id"]

    story = await until(operator, payment_id, waits_for("NOTHING"))
    shown = explain(state, payment_id)

    times = [moment(event["at"]) for event in story["timeline"]]
    assert times == sorted(times)
    assert sorted({event["source"] for event in story["timeline"]}) == sorted(SOURCES)
    assert story["gaps"] == []
    assert story["headline"].startswith("COMPLETED 99.99 USD in ")
    assert "charged once by stripe pi_" in story["headline"]
    assert "credited to 1 seller, booked as txn_" in story["headline"]
    assert [action["kind"] for action in story["outlook"]["actions"]] == ["NONE"]
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for part in ("Timeline", "Outlook", "Invariants", "NOTHING"):
        assert part in shown.stdout
    assert "✗" not in shown.stdout
    assert "\x1b" not in shown.stdout


async def test_json_is_the_answer_and_the_invariants(
    rest: RestClient, operator: Operator, state: State
) -> None:
    """A program reads what the RPC says, with the verdicts beside it."""
    created = await rest.create(request_of())
    story = await until(operator, created.body["payment_id"], waits_for("NOTHING"))

    told = json.loads(explain(state, created.body["payment_id"], "--json").stdout)

    assert {name: told[name] for name in story if name != "timeline"} == {
        name: part for name, part in story.items() if name != "timeline"
    }
    assert [event for event in told["timeline"] if event in story["timeline"]] == story["timeline"]
    assert [verdict["holds"] for verdict in told["invariants"]] == [True] * 8
    assert told["invariants_unchecked"] == ""


async def test_a_declined_payment_says_why(rest: RestClient, operator: Operator) -> None:
    """The decline in both vocabularies, nothing credited, nothing booked; it may be paid again."""
    created = await rest.create(request_of("pm_card_chargeDeclinedInsufficientFunds"))

    story = await until(operator, created.body["payment_id"], waits_for("NOTHING"))

    assert story["headline"].endswith(
        "INSUFFICIENT_FUNDS (insufficient_funds), nothing was charged"
    )
    assert summaries(story, "PSP")[-1].startswith(
        "stripe declined to charge 99.99 USD: INSUFFICIENT_FUNDS (insufficient_funds)"
    )
    assert summaries(story, "WALLET") == summaries(story, "LEDGER") == []
    assert [action["kind"] for action in story["outlook"]["actions"]] == ["NONE", "PAY_AGAIN"]


async def test_three_d_secure_tells_where_to_go_and_until_when(
    rest: RestClient, operator: Operator, sandbox: aiohttp.ClientSession, state: State
) -> None:
    """The buyer's page is in the outlook; whoever watches sees it go on once the buyer acted."""
    created = await rest.create(request_of("pm_card_threeDSecure2Required"))
    payment_id = created.body["payment_id"]

    story = await until(operator, payment_id, waits_for("BUYER"))
    outlook = story["outlook"]
    page = outlook["actions"][0]["command"]
    shown = explain(state, payment_id, columns=60)
    watching = await asyncio.create_subprocess_exec(
        *command(state, payment_id, "--watch"), stdout=PIPE, stderr=PIPE
    )
    assert watching.stderr is not None
    first = (await watching.stderr.readline()).decode()
    async with sandbox.post(page, data={"result": "complete"}, allow_redirects=False) as answer:
        assert answer.status < 400
    async with asyncio.timeout(60):
        watched, _ = await watching.communicate()

    assert story["payment"]["status"] == "REQUIRES_ACTION"
    assert story["payment"]["next_action"]["redirect_url"] == page
    assert outlook["actions"][0]["kind"] == "SEND_BUYER"
    assert moment(outlook["until"]) - moment(outlook["since"]) == timedelta(hours=24)
    assert moment(outlook["looked_at_again_at"]) > moment(outlook["since"])
    assert "DEAD_LETTER" in outlook["then"]
    assert page in shown.stdout  # in one piece, so that it can be copied
    assert first.startswith("REQUIRES_ACTION 99.99 USD for ")
    assert watching.returncode == 0
    assert watched.decode().startswith("COMPLETED 99.99 USD in ")


async def test_an_unknown_outcome_waits_for_evidence(
    rest: RestClient, operator: Operator, sandbox: aiohttp.ClientSession
) -> None:
    """While nobody can tell whether money moved, that is what is said; then what was found."""
    fault = {"kind": "charge_then_timeout"}
    # A webhook between the charge and the dark would be the evidence.
    await hold_webhooks(sandbox, hold=True)
    try:
        async with sandbox.post("/control/faults", json=fault) as answer:
            fault_id = (await answer.json())["id"]
        created = await rest.create(request_of())
        await struck(sandbox, fault_id)
        await set_dark(sandbox, dark=True)
        story = await until(operator, created.body["payment_id"], waits_for("EVIDENCE"))
    finally:
        await set_dark(sandbox, dark=False)
        await hold_webhooks(sandbox, hold=False)
    found = await until(operator, created.body["payment_id"], waits_for("NOTHING"))

    assert story["payment"]["payment_orders"][0]["status"] == "UNKNOWN"
    assert summaries(story, "PSP")[-1].startswith("Whether stripe charged 99.99 USD is not known")
    assert "charge nothing anew" in story["outlook"]["actions"][0]["sentence"]
    assert moment(story["outlook"]["until"]) > moment(story["outlook"]["since"])
    assert "charged once by stripe pi_" in found["headline"]


async def struck(sandbox: aiohttp.ClientSession, fault_id: str) -> None:
    """Await that a fault has taken effect."""
    async with asyncio.timeout(60):
        while True:
            async with sandbox.get("/control/faults") as answer:
                faults = {fault["id"]: fault for fault in (await answer.json())["faults"]}
            if fault_id not in faults or faults[fault_id]["spent"]:
                return
            await asyncio.sleep(0.02)


async def set_dark(sandbox: aiohttp.ClientSession, *, dark: bool) -> None:
    """Have the PSP hang up on everybody, or answer again."""
    async with sandbox.post("/control/dark", json={"dark": dark}) as answer:
        assert answer.status == 200


async def hold_webhooks(sandbox: aiohttp.ClientSession, *, hold: bool) -> None:
    """Have the PSP keep its webhooks to itself, or send them."""
    async with sandbox.post("/control/webhooks", json={"hold": hold}) as answer:
        assert answer.status < 300


async def test_a_stopped_service_is_a_gap(
    rest: RestClient, operator: Operator, stack: dict[str, Any], state: State
) -> None:
    """The others' parts are there though one does not answer, and who is missing is said."""
    created = await rest.create(request_of())
    payment_id = created.body["payment_id"]
    await until(operator, payment_id, waits_for("NOTHING"))
    pid = stack["services"]["wallet_svc"]["pid"]

    os.kill(pid, signal.SIGSTOP)
    try:
        story = await operator.story(payment_id)
        shown = await asyncio.to_thread(explain, state, payment_id)
    finally:
        os.kill(pid, signal.SIGCONT)
    await until(operator, payment_id, lambda after: after["gaps"] == [])

    assert story["gaps"] == [{"source": "WALLET", "why": "It did not answer within 3 s."}]
    assert {event["source"] for event in story["timeline"]} == set(SOURCES) - {"WALLET"}
    assert story["headline"].endswith("wallet_svc did not tell")
    assert shown.returncode == 0
    assert "not checked, because these did not tell their part: wallet" in shown.stdout


async def test_fifty_orders_are_told_whole(
    rest: RestClient, operator: Operator, state: State
) -> None:
    """More than a hundred wallet operations are all in the story; the command shortens them."""
    request = request_of() | {
        "payment_orders": [
            {
                "seller_account": f"s{i}_{uuid4()}",
                "amount": "1.00",
                "currency": "EUR",
                "payment_order_id": str(uuid4()),
            }
            for i in range(50)
        ]
    }
    created = await rest.create(request)

    story = await until(operator, created.body["payment_id"], waits_for("NOTHING"))
    shown = explain(state, created.body["payment_id"], columns=130)

    kinds = [event["kind"] for event in story["timeline"] if event["source"] == "WALLET"]
    assert sorted(kinds) == ["credit"] * 50 + ["settle"] * 50
    assert len(summaries(story, "LEDGER")) == 1
    assert "credited to 50 sellers" in story["headline"]
    assert "… 45 more alike …" in shown.stdout


def test_an_id_that_is_none_is_one_clear_line(state: State) -> None:
    """What is not there is said; what can be no id says how one looks."""
    unknown = explain(state, "pay_0000")
    malformed = explain(state, "order-1")

    assert (unknown.returncode, malformed.returncode) == (1, 1)
    assert unknown.stderr == "Error: There is no payment pay_0000.\n"
    assert malformed.stderr == (
        "Error: 'order-1' is no payment's id: that is pay_ and 1 to 60 digits and small letters\n"
    )
