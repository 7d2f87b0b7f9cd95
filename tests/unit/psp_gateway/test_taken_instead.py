"""What PSPs say that they took when it is not what was asked for."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.answered import with_verdict
from psp_gateway.providers.adyen import client as adyen_client
from psp_gateway.providers.adyen import mapping as adyen
from psp_gateway.providers.paypal import mapping as paypal
from psp_gateway.providers.stripe import mapping as stripe
from psp_gateway.providers.stripe.taken import taken_of
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.paypal import money, paid
from tests.unit.psp_gateway.paypal_attempts import charge, good
from tests.unit.psp_gateway.test_stripe_holds import held, hold, part, void
from tests.unit.psp_gateway.test_stripe_mapping import confirmed, intent

HALF, NOTHING = Money.parse("50.00", "USD"), Money.of_stored(Decimal(0), "USD")


def taken(answer: object) -> Money | None:
    """Read how much an alarm says was taken."""
    assert isinstance(answer, Verdict)
    assert answer.is_alarm
    return answer.taken


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount_received": 5000}, HALF),
        ({"amount": 5000, "amount_received": 5000}, HALF),
        ({"amount": 5000, "amount_received": 5000, "currency": "eur"}, Money.parse("50.00", "EUR")),
        ({"amount": 5000, "amount_received": 5000, "currency": "jpy"}, Money.parse("5000", "JPY")),
        ({"amount": 5000, "status": "requires_confirmation"}, NOTHING),
        ({"amount": 5000, "status": "canceled"}, NOTHING),
        ({"amount": 5000, "status": "requires_action"}, None),
        ({"amount": 5000, "status": "processing"}, None),
        ({"amount": 5000, "amount_received": "5000"}, None),
        ({"amount": 5000, "amount_received": 5000, "currency": "xxx"}, None),
    ],
    ids=str,
)
def test_what_stripe_took(fields: dict[str, Any], expected: Money | None) -> None:
    """It is read from the object's own state, in the object's own currency."""
    assert taken(stripe.intent_answer(intent(**fields), confirmed(), "")) == expected


def test_what_stripe_holds_and_captured() -> None:
    """A card that was granted in part holds as much as can be captured; a void lets go of all."""
    partly = held(amount_capturable=5000)
    captured = held(status="succeeded", amount_received=5000)
    gone = held(status="canceled", amount_capturable=0)

    assert taken(stripe.intent_answer(partly, hold(), "")) == HALF
    assert taken(stripe.hold_answer(captured, part(), "")) == HALF
    answer = stripe.hold_answer(gone, replace(void(), amount=HALF), "")
    assert isinstance(answer, Verdict)
    assert answer.outcome == "SUCCEEDED"


_NAMES = st.sampled_from(["status", "currency", "amount", "amount_received", "amount_capturable"])
_LIKELY = st.sampled_from(["succeeded", "requires_capture", "canceled", "usd", "jpy"])


@given(st.dictionaries(_NAMES, _LIKELY | st.integers() | json_values))
def test_whatever_stripe_says_is_read(found: dict[str, Any]) -> None:
    """Nothing raises, and no amount is below zero."""
    read = taken_of(found)

    assert read is None or read.amount >= 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount": money("50.00")}, HALF),
        ({"amount": money("50.00", "EUR")}, Money.parse("50.00", "EUR")),
        ({"amount": money("50.00"), "status": "PENDING"}, None),
        ({"amount": None}, None),
        ({"custom_id": "att_2"}, None),
    ],
    ids=str,
)
def test_what_paypal_took(fields: dict[str, Any], expected: Money | None) -> None:
    """It is the capture's own amount, if the capture is ours."""
    assert taken(paypal.read_charge(good(paid(**fields)), charge())) == expected


@pytest.mark.parametrize(
    ("code", "amount", "expected"),
    [
        ("PartiallyAuthorised", {"value": 5000, "currency": "USD"}, HALF),
        ("Authorised", {"value": 5000, "currency": "USD"}, HALF),
        ("Authorised", {"value": 5000, "currency": "JPY"}, Money.parse("5000", "JPY")),
        ("Authorised", {"value": "5000", "currency": "USD"}, None),
        ("Authorised", {"value": 5000, "currency": "???"}, None),
        ("Authorised", "5000", None),
    ],
    ids=str,
)
def test_what_adyen_took(code: str, amount: object, expected: Money | None) -> None:
    """Adyen cannot be asked later: its own answer is what a person has to go by."""
    body = {
        "resultCode": code,
        "pspReference": "ABC",
        "merchantReference": confirmed().attempt_id,
        "amount": amount,
    }
    result = adyen_client.Response(200, body, "", is_transient=False, retry_after=None)

    assert taken(adyen.read_charge(result, confirmed())) == expected


def test_a_person_reads_how_much_it_was() -> None:
    """The sentence that is stored with the attempt names it."""
    answer = stripe.intent_answer(intent(amount_received=5000), confirmed(), "")
    assert isinstance(answer, Verdict)

    assert with_verdict(confirmed(), answer).message.endswith("It says 50.00 USD.")
