"""What PayPal's orders mean: charges, and money that is held."""

from datetime import UTC, datetime
from typing import Any

import pytest

from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.paypal import mapping
from tests.unit.psp_gateway.paypal import held, money, order, page, paid, payment
from tests.unit.psp_gateway.paypal_attempts import (
    GONE,
    MISMATCH,
    SAID,
    SUCCEEDED,
    UNUSABLE,
    charge,
    good,
    hold,
    said,
)
from tests.unit.psp_gateway.test_take_further import new_charge


@pytest.mark.parametrize("status", [200, 201])
def test_an_order_is_made(status: int) -> None:
    """A new order, and one that was made under the same key before, is known by its id."""
    assert mapping.read_created(good(order(), status), new_charge()) == Created(
        "5O1", f"{status} 90957"
    )


@pytest.mark.parametrize(
    "body",
    [
        order(unit={"amount": money("99.98")}),
        order(unit={"amount": money(currency="EUR")}),
        order(unit={"amount": None}),
        order(unit={"custom_id": "att_2"}),
        order(unit={"custom_id": None}),
        order(intent="AUTHORIZE"),
    ],
)
def test_another_order_than_was_asked_for(body: Any) -> None:
    """An order of another amount, reference or intent must not be paid."""
    answer = mapping.read_created(good(body), new_charge())

    assert said(answer) == MISMATCH
    assert isinstance(answer, Verdict)
    assert answer.is_alarm


@pytest.mark.parametrize(
    "body",
    [None, {}, {"id": "5O1"}, order(id="../5O1"), order(id=5), order(purchase_units=[{}, {}])],
)
def test_no_order_at_all(body: Any) -> None:
    """Only an order of one unit, whose id can stand in a path, is an order."""
    assert said(mapping.read_created(good(body), new_charge())) == UNUSABLE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, SUCCEEDED),
        ({"status": "REFUNDED"}, SUCCEEDED),
        ({"status": "PARTIALLY_REFUNDED"}, SUCCEEDED),
        ({"status": "PENDING"}, (Outcome.PENDING, None)),
        ({"status": "DECLINED"}, (Outcome.DECLINED, Reason.CARD_DECLINED)),
        ({"status": "FAILED"}, (Outcome.DECLINED, Reason.PROCESSING_ERROR)),
        ({"status": "BRAND_NEW"}, UNUSABLE),
        ({"amount": money("99.98")}, MISMATCH),
        ({"amount": money(currency="EUR")}, MISMATCH),
        ({"amount": None}, MISMATCH),
        ({"custom_id": "att_2"}, MISMATCH),
        ({"custom_id": None}, SUCCEEDED),  # the order has it
        (
            {"status": "DECLINED", "processor_response": {"response_code": "5120"}},
            (Outcome.DECLINED, Reason.INSUFFICIENT_FUNDS),
        ),
        (
            {
                "status": "DECLINED",
                "processor_response": {"response_code": "5120", "payment_advice_code": "03"},
            },
            (Outcome.DECLINED, Reason.DO_NOT_RETRY),
        ),
    ],
)
def test_states_of_a_capture(fields: dict[str, Any], expected: SAID) -> None:
    """A state says what it says only of the amount, currency and reference that were asked for."""
    assert said(mapping.read_charge(good(paid(**fields)), charge())) == expected


def test_a_decline_tells_the_processors_code() -> None:
    """PayPal's own code is told as it came."""
    body = paid(status="DECLINED", processor_response={"response_code": "PPAX"})
    answer = mapping.read_charge(good(body), charge())

    assert isinstance(answer, Verdict)
    assert (answer.psp_code, answer.reference) == ("PPAX", "5O1")


def test_an_answer_without_the_orders_own_fields() -> None:
    """The answer to a capture may leave out what the order is of; its capture says it."""
    body = paid()
    body["purchase_units"][0] = {"payments": body["purchase_units"][0]["payments"]}
    del body["intent"]

    assert said(mapping.read_charge(good(body), charge())) == SUCCEEDED


def test_an_answer_that_names_no_attempt() -> None:
    """Nothing is believed to be ours that does not say so."""
    body = paid(custom_id=None)
    del body["purchase_units"][0]["custom_id"]

    assert said(mapping.read_charge(good(body), charge())) == MISMATCH


def test_a_declined_capture_beside_one_that_was_taken() -> None:
    """An order can be tried again: what was taken counts."""
    captures = [payment(id="1", status="DECLINED"), payment(id="2")]
    body = order(status="COMPLETED", unit={"payments": {"captures": captures}})

    assert said(mapping.read_charge(good(body), charge())) == SUCCEEDED


def test_an_order_taken_twice_is_an_alarm() -> None:
    """Two captures of one charge are one too many."""
    captures = [payment(id="1"), payment(id="2", status="PENDING")]
    body = order(status="COMPLETED", unit={"payments": {"captures": captures}})
    answer = mapping.read_charge(good(body), charge())

    assert isinstance(answer, Verdict)
    assert answer.is_alarm


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATED", Created("5O1", "200 90957")),
        ("SAVED", Created("5O1", "200 90957")),
        ("APPROVED", Created("5O1", "200 90957")),
    ],
)
def test_an_order_that_nobody_has_paid(status: str, expected: Answer) -> None:
    """It is there, and has moved nothing."""
    assert mapping.read_charge(good(order(status=status), 200), charge()) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("VOIDED", (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        ("COMPLETED", UNUSABLE),
        ("BRAND_NEW", UNUSABLE),
        ("PAYER_ACTION_REQUIRED", (Outcome.ACTION_REQUIRED, None)),
    ],
)
def test_an_order_without_payments(status: str, expected: SAID) -> None:
    """What an order says without its payments."""
    assert said(mapping.read_charge(good(order(status=status)), charge())) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://pay.example/x", "https://pay.example/x"), ("javascript:alert(1)", "")],
)
def test_a_buyer_is_sent_to_a_web_address(url: str, expected: str) -> None:
    """Where a buyer is sent is http or https, and nothing else."""
    body = order(status="PAYER_ACTION_REQUIRED", links=page(url))
    answer = mapping.read_charge(good(body), charge())

    assert isinstance(answer, Verdict)
    assert answer.redirect_url == expected


def test_a_missing_order_is_absent_only_by_paypals_word() -> None:
    """A 404 of somebody on the way says nothing."""
    assert mapping.look_at_charge(good(GONE, 404), charge()) == Absent("404 90957")
    assert said(mapping.look_at_charge(good(None, 404), charge())) == UNUSABLE
    assert said(mapping.look_at_charge(NotSent(), charge())) == (
        Outcome.TRANSIENT,
        Reason.PSP_UNREACHABLE,
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (good(order(status="CREATED")), (Outcome.ACTION_REQUIRED, None)),
        (good(order(status="PAYER_ACTION_REQUIRED")), (Outcome.ACTION_REQUIRED, None)),
        (good(GONE, 404), (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(order(status="VOIDED")), (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(paid()), SUCCEEDED),
        (good(None, 404), UNUSABLE),
        (good({}, 500), UNUSABLE),
        (NoAnswer(), UNUSABLE),
    ],
)
def test_an_order_that_waits_for_its_buyer(result: Any, expected: SAID) -> None:
    """It waits until he agrees, or until PayPal drops it; nothing else is its end."""
    assert said(mapping.look_at_approval(result, charge())) == expected


def test_an_approved_order_can_be_paid() -> None:
    """The buyer has agreed; nothing has moved yet."""
    answer = mapping.look_at_approval(good(order(status="APPROVED")), charge())

    assert answer == Created("5O1", "201 90957")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, SUCCEEDED),
        ({"status": "PENDING"}, (Outcome.PENDING, None)),
        ({"status": "DENIED"}, (Outcome.DECLINED, Reason.CARD_DECLINED)),
        ({"status": "VOIDED"}, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        ({"status": "CAPTURED"}, UNUSABLE),
        ({"status": "BRAND_NEW"}, UNUSABLE),
        ({"amount": money("99.98")}, MISMATCH),
    ],
)
def test_states_of_an_authorization(fields: dict[str, Any], expected: SAID) -> None:
    """Money is held when PayPal says so of what was asked for."""
    assert said(mapping.read_charge(good(held(**fields)), hold())) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-12-23T10:00:00Z", datetime(2026, 12, 23, 10, tzinfo=UTC)),
        ("2026-12-23T10:00:00+02:00", datetime(2026, 12, 23, 8, tzinfo=UTC)),
        ("2026-12-23T10:00:00", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        (17, None),
    ],
)
def test_until_when_money_is_held(written: object, expected: datetime | None) -> None:
    """PayPal says until when; what cannot be read is not guessed."""
    answer = mapping.read_charge(good(held(expiration_time=written)), hold())

    assert isinstance(answer, Verdict)
    assert answer.outcome is Outcome.SUCCEEDED
    assert answer.expires_at == expected


@pytest.mark.parametrize(("body", "asked"), [(held(), charge()), (paid(), hold())])
def test_taken_although_it_was_to_be_held(body: Any, asked: Attempt) -> None:
    """A capture where a hold was asked for, or the reverse, is an alarm."""
    body = {**body, "intent": None}
    answer = mapping.read_charge(good(body), asked)

    assert isinstance(answer, Verdict)
    assert answer.is_alarm
