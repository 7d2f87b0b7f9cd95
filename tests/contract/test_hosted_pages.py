"""Pages of the PSPs' own: opened, paid by a buyer's browser, left alone, closed; over the sandbox,
its webhooks and a real PostgreSQL, for every PSP alike.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from privacy.masked import Personal
from psp_gateway.domain.answer import Created, Verdict
from psp_gateway.domain.attempt import Outcome, Stage
from psp_gateway.domain.hosted_page import Opened, PageRequest
from psp_gateway.domain.reasons import Reason
from psp_gateway.ports import HostedPage
from psp_gateway.providers.adyen.client import AdyenClient
from psp_gateway.providers.adyen.pages import AdyenPages
from psp_gateway.providers.paypal.client import PayPalClient
from psp_gateway.providers.paypal.pages import PayPalPages
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.pages import StripePages
from tests.contract.test_every_psp import final
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import charge
from tests.unit.psp_gateway.relay import running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S, SECRET_KEY, Gateway, Sandbox, running_sandbox
from tests.unit.psp_gateway.test_take_further import new_charge

_Attempt = noun.Attempt
PSPS = ("adyen", "paypal", "stripe")
# What the buyer's browser sends when he presses the button.
PAYS: Mapping[str, dict[str, str]] = {
    "stripe": {"result": "pay", "card": "pm_card_visa"},
    "adyen": {"result": "pay"},
    "paypal": {"result": "approve"},
}
EXPIRES_AT = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
SUCCESS, CANCEL = "https://shop.example/thanks?order=7", "https://shop.example/basket"
REQUEST = PageRequest(
    SUCCESS, CANCEL, EXPIRES_AT, "One blue teapot", "de-CH", Personal("b@example.com")
)
ASKED = replace(new_charge(), stage=Stage.OPEN, page_expires_at=EXPIRES_AT)


def paged(psp: str, *, is_held: bool = False, attempt_id: str = "att_1") -> service.ChargeCommand:
    """Make a charge command with a page."""
    command = charge(attempt_id=attempt_id, payment_token="", is_held=is_held)
    command.preferred_psp = psp
    command.hosted_page.success_url, command.hosted_page.cancel_url = SUCCESS, CANCEL
    command.hosted_page.description = "One blue teapot"
    command.hosted_page.expires_at.FromDatetime(EXPIRES_AT)
    return command


@dataclass(frozen=True, slots=True)
class Tried:
    """A gateway with one PSP to be tried."""

    psp: str
    gateway: Gateway
    sandbox: Sandbox

    async def ask(self, command: service.ChargeCommand) -> noun.Attempt:
        """Ask for a charge with a page."""
        (result,) = await self.gateway.charges(command)
        assert not result.HasField("refusal"), result
        return result.attempt

    async def until(self, command: service.ChargeCommand, *outcomes: int) -> noun.Attempt:
        """Ask until an outcome is there."""
        async with asyncio.timeout(DEADLINE_S):
            while (found := await self.ask(command)).outcome not in outcomes:
                await asyncio.sleep(0.1)
        return found

    async def press(self, url: str, **form: str) -> str:
        """Send the page's form; answer where the browser is sent then, "" for nowhere."""
        async with self.sandbox.session.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status < 400, await answer.text()
            return answer.headers.get("Location", "")

    async def pay(self, url: str) -> None:
        """Pay on the page, and go where the buyer is sent."""
        back = await self.press(url, **PAYS[self.psp])
        if not back.startswith("https://shop.example"):
            async with self.sandbox.session.get(
                f"{self.sandbox.url}{back}", allow_redirects=False
            ) as page:
                back = page.headers["Location"]
        assert back.startswith(SUCCESS), back


@pytest.fixture(params=PSPS)
async def tried(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, tmp_path: Path
) -> AsyncIterator[Tried]:
    """Each PSP in turn."""
    async with running_world(psp_database, tmp_path) as world:
        yield Tried(request.param, world.gateway, world.sandbox)


async def test_a_page_is_opened_once_and_paid(tried: Tried) -> None:
    """Asked twice it is one page; once it is paid it is a charge, which can be refunded."""
    command = paged(tried.psp)
    opened = await tried.ask(command)
    again = await tried.ask(command)
    await tried.pay(opened.redirect_url)
    paid = await tried.until(command, _Attempt.SUCCEEDED, _Attempt.DECLINED)
    refund = await tried.gateway.settled_refund(amount="40.00")

    assert (opened.outcome, opened.psp) == (_Attempt.ACTION_REQUIRED, tried.psp)
    assert opened.redirect_url == again.redirect_url != ""
    assert opened.page_expires_at.ToDatetime(UTC) == EXPIRES_AT
    assert paid.outcome == _Attempt.SUCCEEDED
    assert refund.outcome == _Attempt.SUCCEEDED
    assert await tried.sandbox.money() == [("charge", 9999), ("refund", 4000)]


async def test_what_is_held_by_a_page_is_captured(tried: Tried) -> None:
    """A page for a manual capture only holds the amount."""
    command = paged(tried.psp, is_held=True)
    opened = await tried.ask(command)
    await tried.pay(opened.redirect_url)
    held = await tried.until(command, _Attempt.SUCCEEDED, _Attempt.DECLINED)
    async with asyncio.timeout(DEADLINE_S):
        while (await tried.gateway.capture(amount="60.00")).attempt.outcome != _Attempt.SUCCEEDED:
            await asyncio.sleep(0.1)

    assert (held.outcome, held.kind) == (_Attempt.SUCCEEDED, _Attempt.AUTHORIZATION)
    assert held.HasField("expires_at")
    assert ("capture", 6000) in await tried.sandbox.money()


async def test_what_is_held_by_a_page_is_captured_in_parts(tried: Tried) -> None:
    """The page asks for several captures where the card may have them, as a token does."""
    command = paged(tried.psp, is_held=True)
    await tried.pay((await tried.ask(command)).redirect_url)
    await tried.until(command, _Attempt.SUCCEEDED)
    for attempt_id, amount, is_final in (("att_c1", "20.00", False), ("att_c2", "30.00", True)):
        asked = {"attempt_id": attempt_id, "amount": amount, "is_final": is_final}
        taken = await final(partial(tried.gateway.capture, **asked))
        assert taken.outcome == _Attempt.SUCCEEDED

    assert [m for m in await tried.sandbox.money() if m[0] == "capture"] == [
        ("capture", 2000),
        ("capture", 3000),
    ]


@pytest.mark.parametrize("kind", ["connection_reset_after", "error_before", "error_after"])
async def test_a_page_whose_opening_failed_is_opened_after_all(tried: Tried, kind: str) -> None:
    """No address was told before, so whatever became of the first, the buyer pays once."""
    operation = {"stripe": "create_session"}.get(tried.psp, "create")
    await tried.sandbox.fault(kind, match={"operation": operation, "psp": tried.psp})
    command = paged(tried.psp)
    opened = await tried.until(command, _Attempt.ACTION_REQUIRED)
    await tried.pay(opened.redirect_url)
    paid = await tried.until(command, _Attempt.SUCCEEDED, _Attempt.DECLINED)

    assert paid.outcome == _Attempt.SUCCEEDED
    assert await tried.sandbox.money() == [("charge", 9999)]


async def test_a_token_and_a_page_exclude_each_other(tried: Tried) -> None:
    """One of the two pays."""
    both = paged(tried.psp)
    both.payment_token = "tok"
    for wrong in (both, charge(payment_token="")):
        with pytest.raises(Exception, match="payment_token or a hosted_page"):
            await tried.gateway.charges(wrong)


async def test_another_page_under_the_id_is_refused(tried: Tried) -> None:
    """The id belongs to the first."""
    await tried.ask(paged(tried.psp))
    other = paged(tried.psp)
    other.hosted_page.success_url = "https://shop.example/other"
    (result,) = await tried.gateway.charges(other)

    assert result.refusal.reason == "ATTEMPT_REUSED"


async def test_a_declined_card_leaves_the_page_open(
    psp_database: ServiceDatabase, tmp_path: Path
) -> None:
    """The buyer takes another one; 3-D Secure is passed on the way."""
    async with running_world(psp_database, tmp_path) as world:
        tried, command = Tried("stripe", world.gateway, world.sandbox), paged("stripe")
        url = (await tried.ask(command)).redirect_url
        await tried.press(url, result="pay", card="pm_card_visa_chargeDeclined")
        async with world.sandbox.session.get(url) as page:
            told = await page.text()
        waiting = await tried.ask(command)
        challenge = await tried.press(url, result="pay", card="pm_card_threeDSecure2Required")
        await tried.press(challenge, result="complete")
        paid = await tried.until(command, _Attempt.SUCCEEDED, _Attempt.DECLINED)

    assert "Your card was declined." in told
    assert waiting.outcome == _Attempt.ACTION_REQUIRED
    assert paid.outcome == _Attempt.SUCCEEDED


@dataclass
class Bare:
    """A PSP's pages without a gateway, so that time can be told."""

    psp: str
    pages: HostedPage
    sandbox: Sandbox


@pytest.fixture(params=PSPS)
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bare]:
    """Each PSP's adapter in turn."""
    async with running_sandbox(tmp_path) as sandbox:
        client: Any
        pages: HostedPage
        match request.param:
            case "stripe":
                client = StripeClient(f"{sandbox.url}/stripe", SECRET_KEY)
                pages = StripePages(client)
            case "adyen":
                client = AdyenClient(f"{sandbox.url}/adyen", "AQE_canary")
                pages = AdyenPages(client, merchant_account="PaymeshDemo")
            case _:
                client = PayPalClient(f"{sandbox.url}/paypal", "client", "secret")
                pages = PayPalPages(client)
        await client.open()
        yield Bare(request.param, pages, sandbox)
        await client.close()


async def open_page(bare: Bare) -> Any:
    """Open a page; answer the attempt as it is stored then."""
    reply = await bare.pages.open_page(ASKED, page=REQUEST, key="att_1:open")
    assert isinstance(reply, Opened), reply
    return replace(
        ASKED,
        stage=Stage.PAGE,
        psp_reference=reply.reference,
        redirect_url=reply.url,
        page_expires_at=reply.expires_at,
    )


async def test_a_page_that_is_closed_cannot_be_paid(bare: Bare) -> None:
    """Closed twice it says the same; it is read as closed, where the PSP has a say in it."""
    attempt = await open_page(bare)
    before = await bare.pages.read_page(attempt)
    closed = await bare.pages.close_page(attempt, key="att_1:cancel")
    again = await bare.pages.close_page(attempt, key="att_1:cancel-2")

    assert isinstance(before, Opened)
    for answer in (closed, again):
        assert isinstance(answer, Verdict)
        assert (answer.outcome, answer.reason) == (Outcome.DECLINED, Reason.PSP_CANCELLED)
    if bare.psp != "paypal":  # there it is we who never capture
        form = PAYS[bare.psp]
        async with bare.sandbox.session.post(attempt.redirect_url, data=form) as page:
            assert page.status >= 400


async def test_a_page_that_was_paid_is_not_closed(bare: Bare) -> None:
    """Closing finds it paid, or agreed to, or under way."""
    attempt = await open_page(bare)
    form = PAYS[bare.psp]
    async with bare.sandbox.session.post(
        attempt.redirect_url, data=form, allow_redirects=False
    ) as page:
        assert page.status < 400
    answer = await bare.pages.close_page(attempt, key="att_1:cancel")

    match bare.psp:
        case "stripe":
            assert isinstance(answer, Verdict)
            assert answer.outcome is Outcome.SUCCEEDED
            assert answer.reference.startswith("pi_")
        case "adyen":
            assert isinstance(answer, Verdict)
            assert answer.outcome is Outcome.PENDING
        case _:
            assert isinstance(answer, Created)


async def test_a_page_expires_by_itself(bare: Bare) -> None:
    """By the PSP's clock."""
    if bare.psp == "paypal":
        return  # PayPal does not say when
    attempt = await open_page(bare)
    await bare.sandbox.advance(3 * 3600)
    answer = await bare.pages.read_page(attempt)

    assert isinstance(answer, Verdict)
    assert (answer.outcome, answer.reason) == (Outcome.DECLINED, Reason.PSP_CANCELLED)


@pytest.mark.parametrize("kind", ["wrong_amount"])
async def test_a_page_of_another_amount_is_no_page(bare: Bare, kind: str) -> None:
    """A person must look: the buyer would pay something else."""
    operation = {"stripe": "create_session"}.get(bare.psp, "create")
    await bare.sandbox.fault(kind, match={"operation": operation, "psp": bare.psp}, off_by=100)
    answer = await bare.pages.open_page(ASKED, page=REQUEST, key="att_1:open")

    assert isinstance(answer, Verdict)
    assert answer.is_alarm
    assert answer.reason is Reason.AMOUNT_MISMATCH
