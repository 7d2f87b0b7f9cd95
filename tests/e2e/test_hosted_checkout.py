"""A buyer pays on the PSP's page, with a real browser, through every real part."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from devstack.rest import Answer, RestClient
from devstack.trail import Operator
from tests.e2e.shop import Buyer, Shop, open_browser, open_shop
from tests.e2e.test_manual_capture import moved, story

PSPS = ("stripe", "adyen", "paypal")
BUTTONS = {"stripe": "Pay", "adyen": "Pay", "paypal": "Approve"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all."""
    with open_browser() as started:
        yield started


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop's site."""
    async with open_shop() as serving:
        yield serving


def request_of(shop: Shop, **more: Any) -> dict[str, Any]:
    """Write a request for a session."""
    order = {
        "seller_account": "seller_456",
        "amount": "99.99",
        "currency": "EUR",
        "payment_order_id": f"order-{uuid4()}",
    }
    return {
        "buyer_info": {"id": f"buyer_{uuid4()}", "email": "buyer@example.com"},
        "checkout_id": "checkout_abc",
        "success_url": f"{shop.url}/thanks?basket=7",
        "cancel_url": f"{shop.url}/basket",
        "description": "One blue teapot",
        "payment_orders": [order],
        **more,
    }


async def create(rest: RestClient, request: dict[str, Any], key: str = "") -> Answer:
    """Ask for a session."""
    return await rest.ask("POST", "/v1/checkout_sessions", request, key)


async def until(rest: RestClient, session_id: str, status: str) -> dict[str, Any]:
    """Await a session's status."""
    async with asyncio.timeout(60):
        while True:
            found = (await rest.ask("GET", f"/v1/checkout_sessions/{session_id}")).body
            if found["status"] == status:
                return found
            assert found["status"] in ("PREPARING", "OPEN", "PROCESSING"), found
            await asyncio.sleep(0.1)


async def finish(rest: RestClient, session: dict[str, Any]) -> None:
    """Have an open page paid: other tests wait until nothing is under way on this stack."""
    async with aiohttp.ClientSession() as buyer:
        form = {"result": "pay", "card": "pm_card_visa"}
        async with buyer.post(session["url"], data=form, allow_redirects=False) as answer:
            assert answer.status == 303
    await until(rest, session["checkout_session_id"], "COMPLETE")


@pytest.mark.parametrize("psp", PSPS)
async def test_a_buyer_pays_on_the_page(
    rest: RestClient, operator: Operator, shop: Shop, browser: Any, psp: str
) -> None:
    """From the shop to the page and back; then the books balance as after any payment."""
    created = await create(rest, request_of(shop, preferred_psp=psp))
    assert created.body["status"] == "OPEN", created.body
    buyer = Buyer(browser)
    await buyer.go(created.body["url"])
    await buyer.press(BUTTONS[psp])
    came_to = await buyer.address()
    session = await until(rest, created.body["checkout_session_id"], "COMPLETE")
    trail = await story(operator, created.body["payment_id"])

    assert came_to.startswith(f"{shop.url}/thanks?basket=7&checkout_session_id=cks_"), came_to
    assert "Thank you" in await buyer.text()
    assert "url" not in session
    assert trail.payment["status"] == "COMPLETED"
    assert [attempt["psp"] for attempt in trail.attempts] == [psp]
    assert moved(trail) == [("charge", 9999)]


async def test_a_declined_card_and_then_another(
    rest: RestClient, operator: Operator, shop: Shop, browser: Any
) -> None:
    """The page says so and stays; 3-D Secure is passed on the way; one charge in the end."""
    created = await create(rest, request_of(shop))
    buyer = Buyer(browser)
    await buyer.go(created.body["url"])
    await buyer.choose("select", "pm_card_visa_chargeDeclined")
    await buyer.press("Pay")
    said = await buyer.text()
    still = (
        await rest.ask("GET", f"/v1/checkout_sessions/{created.body['checkout_session_id']}")
    ).body
    await buyer.choose("select", "pm_card_threeDSecure2Required")
    await buyer.press("Pay")
    await buyer.press("Complete authentication")
    came_to = await buyer.address()
    await until(rest, created.body["checkout_session_id"], "COMPLETE")
    trail = await story(operator, created.body["payment_id"])

    assert "Your card was declined." in said
    assert still["status"] == "OPEN"
    assert came_to.startswith(f"{shop.url}/thanks")
    assert [kind for kind, _ in moved(trail) if kind == "charge"] == ["charge"]


async def test_a_buyer_turns_back(rest: RestClient, shop: Shop, browser: Any) -> None:
    """He is in the shop again, and the page is open still."""
    created = await create(rest, request_of(shop))
    buyer = Buyer(browser)
    await buyer.go(created.body["url"])
    await buyer.press("Back to the shop")

    assert (await buyer.address()).startswith(f"{shop.url}/basket?checkout_session_id=cks_")
    found = await rest.ask("GET", f"/v1/checkout_sessions/{created.body['checkout_session_id']}")
    assert found.body["status"] == "OPEN"
    await finish(rest, found.body)


async def test_a_held_amount_is_captured_later(
    rest: RestClient, operator: Operator, shop: Shop, browser: Any
) -> None:
    """A session is a payment like any other from there on."""
    created = await create(rest, request_of(shop, capture_method="MANUAL"))
    buyer = Buyer(browser)
    await buyer.go(created.body["url"])
    await buyer.press("Pay")
    await until(rest, created.body["checkout_session_id"], "COMPLETE")
    captured = await rest.act(created.body["payment_id"], "capture", {"amount": "60.00"}, wait_s=20)
    trail = await story(operator, created.body["payment_id"])

    assert captured.body["status"] == "COMPLETED"
    assert moved(trail) == [("authorization", 9999), ("capture", 6000)]


async def test_asked_twice_it_is_one_page(rest: RestClient, shop: Shop) -> None:
    """A replay tells the session as it stands; another request under the key is refused."""
    request, key = request_of(shop), str(uuid4())
    first = await create(rest, request, key)
    again = await create(rest, request, key)
    other = await create(rest, {**request, "description": "Two teapots"}, key)

    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.body["details"][0]["reason"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    await finish(rest, first.body)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"success_url": "https://evil.example/"}, "RETURN_URL_REFUSED", "success_url"),
        ({"cancel_url": "javascript:alert(1)"}, "INVALID_FIELD", "cancel_url"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "INVALID_FIELD", "expires_at"),
        ({"locale": "Deutsch"}, "INVALID_FIELD", "locale"),
        ({"credit_card_info": {"token": "x"}}, "UNKNOWN_FIELD", "credit_card_info"),
    ],
)
async def test_what_cannot_be_is_refused(
    rest: RestClient, shop: Shop, change: dict[str, Any], reason: str, field: str
) -> None:
    """By its field, with nothing stored: the same order may be asked for again."""
    request = request_of(shop)
    refused = await create(rest, request | change)
    accepted = await create(rest, request)

    detail = refused.body["details"][0]
    assert (refused.status, detail["reason"], detail["metadata"]["field"]) == (400, reason, field)
    assert accepted.body["status"] == "OPEN"
    await finish(rest, accepted.body)
