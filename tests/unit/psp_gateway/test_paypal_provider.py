"""The requests that PayPal is sent to charge and to hold, in which order, and what is made of their
answers.
"""

from dataclasses import replace
from typing import Any

import pytest
import structlog

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.client import key_of
from psp_gateway.providers.paypal.provider import CAPABILITIES
from tests.unit.psp_gateway.paypal import error, held, money, order, page, paid
from tests.unit.psp_gateway.paypal_attempts import capture, charge, hold, refund
from tests.unit.psp_gateway.paypal_calls import (
    GONE,
    ORDER,
    PAGE,
    SERVER_ERROR,
    answering,
    good,
    outcome,
)
from tests.unit.psp_gateway.test_take_further import new_charge, new_hold
from tests.unit.psp_gateway.wire import answer as written


@pytest.mark.parametrize(
    ("attempt", "intent"), [(new_charge(), "CAPTURE"), (new_hold(), "AUTHORIZE")]
)
async def test_the_create_says_what_is_asked_and_no_more(attempt: Attempt, intent: str) -> None:
    """Our id goes along; nothing that pays is in it."""
    async with answering(good(order(intent=intent))) as paypal:
        made = await paypal.provider.create_charge(attempt, token="vault1", key="att_1:create")

    assert made == Created("5O1", "201")
    assert paypal.lines == ["POST /v2/checkout/orders"]
    assert paypal.body == {
        "intent": intent,
        "purchase_units": [
            {
                "reference_id": "default",
                "custom_id": "att_1",
                "invoice_id": "att_1",
                "amount": money(),
            }
        ],
    }
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:create")


async def test_a_create_for_a_buyer_who_is_to_agree() -> None:
    """PayPal learns where he comes back to, and the shop by the way back which charge it is."""
    urls = {"return_url": "https://shop.example/back?a=b", "cancel_url": "https://shop.example/no"}
    async with answering(good(order()), **urls) as paypal:
        await paypal.provider.create_charge(new_charge(), token="approval", key="k")

    assert paypal.body["payment_source"] == {
        "paypal": {
            "experience_context": {
                "return_url": "https://shop.example/back?a=b&attempt_id=att_1",
                "cancel_url": "https://shop.example/no?attempt_id=att_1",
                "user_action": "PAY_NOW",
            }
        }
    }


@pytest.mark.parametrize(
    ("token", "source"),
    [
        ("card:8kk8451t", {"card": {"vault_id": "8kk8451t"}}),
        ("8kk8451t", {"paypal": {"vault_id": "8kk8451t"}}),
        ("B-8kk", {"paypal": {"vault_id": "B-8kk"}}),
        (
            "B-7FB31251F28061234",
            {"token": {"id": "B-7FB31251F28061234", "type": "BILLING_AGREEMENT"}},
        ),
    ],
)
async def test_what_pays(token: str, source: dict[str, Any]) -> None:
    """A token names a card, a wallet or a billing agreement."""
    async with answering(good(paid())) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token=token, key="att_1:confirm")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"POST {ORDER}/capture"]
    assert paypal.body == {"payment_source": source}
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:confirm")


async def test_the_way_back_goes_with_what_pays() -> None:
    """A stored card or wallet may still need its buyer; without a cancel page he comes back too."""
    async with answering(good(paid()), return_url="https://shop.example/back") as paypal:
        await paypal.provider.confirm_charge(charge(), token="card:8kk8451t", key="k")

    back = "https://shop.example/back?attempt_id=att_1"
    assert paypal.body["payment_source"]["card"]["experience_context"] == {
        "return_url": back,
        "cancel_url": back,
    }


async def test_a_hold_is_authorized() -> None:
    """An order of that intent is not captured."""
    async with answering(good(held())) as paypal:
        told = await paypal.provider.confirm_charge(hold(), token="card:8kk8451t", key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"POST {ORDER}/authorize"]


async def test_a_buyer_who_must_act() -> None:
    """He is sent where PayPal says."""
    body = error("UNPROCESSABLE_ENTITY", "PAYER_ACTION_REQUIRED", links=page(PAGE))
    async with answering(good(body, 422)) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="vault1", key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.redirect_url) == (Outcome.ACTION_REQUIRED, PAGE)


@pytest.mark.parametrize("status", ["CREATED", "PAYER_ACTION_REQUIRED"])
async def test_nothing_is_taken_before_the_buyer_agrees(status: str) -> None:
    """An order that waits for approval is read, and its buyer sent there."""
    waiting = order(status=status, links=page(PAGE))
    async with answering(good(waiting, 200)) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="approval", key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.redirect_url) == (Outcome.ACTION_REQUIRED, PAGE)
    assert paypal.lines == [f"GET {ORDER}"]


async def test_what_the_buyer_agreed_to_is_taken() -> None:
    """Once approved it is captured, with the source that he chose at PayPal."""
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="approval", key="att_1:confirm")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}", f"POST {ORDER}/capture"]
    assert paypal.body == {}
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:confirm-approved")


async def test_a_buyer_who_was_sent_to_paypal_has_chosen_there() -> None:
    """After a redirect the stored token is not sent again, over what he chose."""
    waited = replace(charge(), redirect_url=PAGE, outcome=Outcome.ACTION_REQUIRED)
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        await paypal.provider.confirm_charge(waited, token="vault1", key="k")

    assert paypal.body == {}


async def test_a_buyer_who_comes_back() -> None:
    """His return takes the money when he agreed, whatever the query of the return says."""
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        told = await paypal.provider.complete_charge(charge(), details={"token": "x"}, key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)


async def test_an_order_that_is_paid_already_is_not_paid_again() -> None:
    """Who comes back twice, or after a capture, is told what came of the first."""
    async with answering(good(paid(), 200)) as paypal:
        told = await paypal.provider.complete_charge(charge(), details={}, key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (GONE, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(order(status="VOIDED"), 200), (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(order(status="CREATED"), 200), (Outcome.ACTION_REQUIRED, None)),
        (good(paid(), 200), (Outcome.SUCCEEDED, None)),
        (SERVER_ERROR, (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (written({}, status=404), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
    ],
)
async def test_what_is_abandoned_ends_by_paypals_word(
    said: bytes, expected: tuple[Outcome, Reason | None]
) -> None:
    """Nothing takes an order back; it has ended when PayPal has dropped it."""
    async with answering(said) as paypal:
        told = await paypal.provider.cancel_charge(charge(), key="k")

    assert outcome(told) == expected
    assert paypal.lines == [f"GET {ORDER}"]


async def test_what_is_approved_is_not_abandoned() -> None:
    """Its buyer has just agreed: that is no end."""
    async with answering(good(order(status="APPROVED"), 200)) as paypal:
        assert isinstance(await paypal.provider.cancel_charge(charge(), key="k"), Created)


async def test_an_order_cannot_be_found_without_its_id() -> None:
    """Nothing is asked: made again under its key it is the same."""
    async with answering() as paypal:
        assert await paypal.provider.find_charge(new_charge()) == Absent()

    assert paypal.wire.requests == []


async def test_look_ups() -> None:
    """Each reads the order, and nothing else."""
    async with answering(good(paid(), 200), good(held(), 200), good(paid(), 200)) as paypal:
        read = await paypal.provider.read_charge(charge())
        still = await paypal.provider.read_hold(capture())
        found = await paypal.provider.find_refund(refund())

    assert outcome(read) == (Outcome.SUCCEEDED, None)
    assert (still, found) == (Absent("200"), Absent("200"))
    assert paypal.lines == [f"GET {ORDER}"] * 3


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (good(paid(amount=money("1.00"))), "error"),
        (written(error("AUTHENTICATION_FAILURE"), status=401), "error"),
        (written(error("NOT_AUTHORIZED", "PERMISSION_DENIED"), status=403), "error"),
        (SERVER_ERROR, "warning"),
        (good(paid(status="DECLINED")), None),
    ],
)
async def test_who_is_told_of_trouble(said: bytes, level: str | None) -> None:
    """A person is told of what must not be, and of an account that cannot charge."""
    with structlog.testing.capture_logs() as logs:
        async with answering(said, said) as paypal:
            await paypal.provider.confirm_charge(charge(), token="tok_canary", key="k")

    levels = [log["log_level"] for log in logs if log["event"] == "psp_trouble"]
    assert levels == ([level] if level else [])
    assert "canary" not in repr(logs)


async def test_what_it_can_do() -> None:
    """The keys of orders are kept for hours, and those of payments for weeks."""
    async with answering() as paypal:
        provider = paypal.provider

    hours = {
        stage: kept.total_seconds() / 3600 for stage, kept in CAPABILITIES.key_retention.items()
    }
    assert provider.capabilities is CAPABILITIES
    assert hours == {
        Stage.OPEN: 6,
        Stage.CREATE: 6,
        Stage.CONFIRM: 6,
        Stage.CAPTURE: 1080,
        Stage.VOID: 1080,
        Stage.REFUND: 1080,
    }
    assert provider.takes("HUF")
    assert not provider.takes("KWD")
    assert provider.can_express(Money.parse("500", "HUF"))
    assert not provider.can_express(Money.parse("500.50", "HUF"))
