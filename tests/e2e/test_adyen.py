"""Payments by Adyen, end to end: chosen by the token, and finished by its webhooks."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import aiohttp
import pytest

from devstack.rest import RestClient, specification_request
from devstack.trail import Operator
from tests.e2e.test_manual_capture import manual_request, moved, story


def request_of(token: str) -> dict[str, Any]:
    """Write the specification's request, paid by a token of Adyen's."""
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = f"adyen:shopper_1:{token}"
    return request


async def test_a_payment_completes(rest: RestClient, operator: Operator) -> None:
    """Nothing above the gateway knows which PSP it was; all invariants hold."""
    created = await rest.create(request_of("any_card"), wait_s=20)
    trail = await story(operator, created.body["payment_id"])

    assert created.body["status"] == "COMPLETED"
    assert [attempt["psp"] for attempt in trail.attempts] == ["adyen"]
    assert [kind for kind, _ in moved(trail)] == ["charge"]


async def test_a_refusal_fails_the_payment(rest: RestClient) -> None:
    """The reason is the same word as with any PSP."""
    created = await rest.create(request_of("adyen_refused_12"), wait_s=20)

    assert created.body["status"] == "FAILED"
    assert "INSUFFICIENT_FUNDS" in str(created.body)


async def test_a_lost_answer_charges_once(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """The same key is asked again, and answers."""
    fault = {"kind": "connection_reset_after", "match": {"operation": "confirm", "psp": "adyen"}}
    async with aiohttp.ClientSession() as http:
        async with http.post(stack["psp_sandbox"]["url"] + "/control/faults", json=fault) as answer:
            assert answer.status < 300
    created = await rest.create(request_of("any_card"))
    completed = await rest.until_final(created.body["payment_id"])
    trail = await story(operator, created.body["payment_id"])

    assert completed["status"] == "COMPLETED"
    assert [kind for kind, _ in moved(trail)] == ["charge"]


async def test_a_pending_payment_is_finished_by_its_webhook(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """Adyen cannot be asked: only what it tells moves the payment on."""
    created = await rest.create(request_of("adyen_pending"))
    async with asyncio.timeout(60):
        while True:
            attempts = (await operator.trail(created.body["payment_id"])).attempts
            if attempts and attempts[0]["delivery"] == "ANSWERED":
                break
            await asyncio.sleep(0.05)
    async with aiohttp.ClientSession() as http:
        clock = {"advance_s": 61}
        async with http.post(stack["psp_sandbox"]["url"] + "/control/clock", json=clock) as answer:
            assert answer.status < 300
    completed = await rest.until_final(created.body["payment_id"])
    trail = await story(operator, created.body["payment_id"])

    assert completed["status"] == "COMPLETED"
    assert [attempt["request_count"] for attempt in trail.attempts] == [1]


@pytest.mark.parametrize("action", ["capture", "cancel"])
async def test_what_is_held_is_taken_or_let_go(
    rest: RestClient, operator: Operator, action: str
) -> None:
    """Both are only received at first; the webhook ends them."""
    token = "adyen:shopper_1:any_card"
    created = await rest.create(manual_request("10.00", token=token), wait_s=20)
    assert created.body["status"] == "REQUIRES_CAPTURE", created.body
    ended = await rest.act(created.body["payment_id"], action, {}, wait_s=20)
    trail = await story(operator, created.body["payment_id"])

    assert ended.body["status"] == {"capture": "COMPLETED", "cancel": "CANCELLED"}[action]
    kind = {"capture": "capture", "cancel": "void"}[action]
    assert [each for each, _ in moved(trail)] == ["authorization", kind]


async def test_a_buyer_comes_back_with_what_he_brought(rest: RestClient) -> None:
    """Adyen decides by the query of his return; a second return changes nothing."""
    created = await rest.create(request_of("adyen_redirect"), wait_s=20)
    payment_id = created.body["payment_id"]
    assert created.body["status"] == "REQUIRES_ACTION", created.body
    async with aiohttp.ClientSession() as buyer:
        url = created.body["next_action"]["redirect_url"]
        async with buyer.post(url, data={"result": "complete"}, allow_redirects=False) as answer:
            back = urlsplit(answer.headers["Location"])

    told = {"return_query": dict(parse_qsl(back.query))}
    resumed = await rest.act(payment_id, "resume", told, wait_s=20)
    again = await rest.act(payment_id, "resume", told, wait_s=20)

    assert resumed.body["status"] == again.body["status"] == "COMPLETED", resumed.body


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({f"k{number}": "v" for number in range(21)}, 400, "INVALID_FIELD"),
        ({"redirectResult": 7}, 400, "INVALID_FIELD"),
    ],
)
async def test_a_return_that_is_none_is_refused(
    rest: RestClient, query: dict[str, Any], status: int, reason: str
) -> None:
    """A payment that is not there is not found; a query is of few short words."""
    refused = await rest.act("pay_0", "resume", {"return_query": query})
    unknown = await rest.act("pay_0", "resume", {})

    assert (refused.status, refused.body["details"][0]["reason"]) == (status, reason)
    assert (unknown.status, unknown.body["details"][0]["reason"]) == (404, "PAYMENT_NOT_FOUND")
