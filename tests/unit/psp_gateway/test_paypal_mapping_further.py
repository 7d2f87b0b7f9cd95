"""What PayPal says of captures, voids and refunds means."""

from typing import Any

import pytest

from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal import mapping
from tests.unit.psp_gateway.paypal import held, money, order, paid, payment
from tests.unit.psp_gateway.paypal_attempts import (
    GIVEN,
    MISMATCH,
    OURS,
    SAID,
    SUCCEEDED,
    UNUSABLE,
    capture,
    good,
    refund,
    said,
    void,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (held(OURS, status="CAPTURED"), SUCCEEDED),
        (held(OURS, status="PARTIALLY_CAPTURED"), SUCCEEDED),
        (held({**OURS, "status": "REFUNDED"}, status="CAPTURED"), SUCCEEDED),
        (held({**OURS, "status": "PENDING"}, status="CAPTURED"), (Outcome.PENDING, None)),
        (
            held({**OURS, "status": "DECLINED"}),
            (Outcome.DECLINED, Reason.CARD_DECLINED),
        ),
        (held({**OURS, "amount": money("5.00")}, status="CAPTURED"), MISMATCH),
        (held({**OURS, "invoice_id": "att_capture2"}, status="CAPTURED"), MISMATCH),
        (held(status="CAPTURED"), UNUSABLE),
        (held(status="PENDING"), (Outcome.PENDING, None)),
        (held(status="DENIED"), (Outcome.DECLINED, Reason.CARD_DECLINED)),
        (held(status="VOIDED"), (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (
            held(
                status="VOIDED",
                expiration_time="2026-11-01T00:00:00Z",
                update_time="2026-11-01T00:00:07Z",
            ),
            (Outcome.DECLINED, Reason.AUTHORIZATION_EXPIRED),
        ),
        (order(), UNUSABLE),
        (held() | {"id": "5O2"}, UNUSABLE),
    ],
)
def test_what_became_of_a_hold_that_is_captured(body: Any, expected: SAID) -> None:
    """A capture has succeeded when one with our id is there, of the amount that was asked."""
    assert said(mapping.read_hold(good(body, 200), capture())) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (held(status="VOIDED"), SUCCEEDED),
        (held(status="VOIDED", amount=money("5.00")), MISMATCH),
        (held(status="VOIDED", custom_id="att_2"), MISMATCH),
        (held(OURS, status="CAPTURED"), (Outcome.DECLINED, Reason.ALREADY_CAPTURED)),
        (held(OURS, status="PARTIALLY_CAPTURED"), (Outcome.DECLINED, Reason.ALREADY_CAPTURED)),
    ],
)
def test_what_became_of_a_hold_that_is_voided(body: Any, expected: SAID) -> None:
    """A void has succeeded when all that was held is let go of."""
    assert said(mapping.read_hold(good(body, 200), void())) == expected


@pytest.mark.parametrize("asked", [capture(), void()])
def test_what_is_held_still(asked: Attempt) -> None:
    """Neither a capture nor a void was done; somebody's declined capture changes nothing."""
    other = payment(invoice_id="att_capture2", status="DECLINED")

    assert mapping.read_hold(good(held(), 200), asked) == Absent("200 90957")
    assert mapping.read_hold(good(held(other), 200), asked) == Absent("200 90957")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, SUCCEEDED),
        ({"status": "PENDING"}, (Outcome.PENDING, None)),
        ({"amount": money("99.98")}, MISMATCH),
        ({"invoice_id": "att_capture2"}, MISMATCH),
        ({"invoice_id": None}, UNUSABLE),
        ({"id": None}, UNUSABLE),
    ],
)
def test_the_answer_to_a_capture(fields: dict[str, Any], expected: SAID) -> None:
    """It is ours by its invoice_id, and of the amount that was asked."""
    assert said(mapping.read_capture(good({**OURS, **fields}), capture())) == expected


def test_a_part_is_captured() -> None:
    """What counts is what this capture asked for, and not what was held."""
    taken = {**OURS, "amount": money("40.00")}
    answer = mapping.read_capture(good(taken), capture("40.00"))

    assert said(answer) == SUCCEEDED
    assert isinstance(answer, Verdict)
    assert answer.reference == "5O1"


GIVEN_STATES: list[tuple[dict[str, Any], SAID]] = [
    ({}, SUCCEEDED),
    ({"custom_id": None}, SUCCEEDED),
    ({"status": "PENDING"}, (Outcome.PENDING, None)),
    ({"status": "FAILED"}, (Outcome.DECLINED, Reason.PROCESSING_ERROR)),
    ({"status": "CANCELLED"}, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
    ({"status": "BRAND_NEW"}, UNUSABLE),
    ({"amount": money("99.98")}, MISMATCH),
]


@pytest.mark.parametrize(("fields", "expected"), GIVEN_STATES)
def test_states_of_a_refund(fields: dict[str, Any], expected: SAID) -> None:
    """Told by the answer or found in the order, a refund says the same."""
    given = {**GIVEN, **fields}
    other = payment(id="2", custom_id="att_refund2", invoice_id="att_refund2")
    body = order(unit={"payments": {"captures": [payment()], "refunds": [other, given]}})

    assert said(mapping.read_refund(good(given), refund())) == expected
    assert said(mapping.find_refund(good(body, 200), refund())) == expected


def test_a_refund_goes_by_its_own_id() -> None:
    """There may be several of one charge."""
    answer = mapping.read_refund(good(GIVEN), refund())

    assert isinstance(answer, Verdict)
    assert answer.reference == "1JU"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"custom_id": "att_refund2"}, MISMATCH),
        ({"custom_id": None, "invoice_id": None}, UNUSABLE),
        ({"id": None}, UNUSABLE),
    ],
)
def test_an_answer_about_another_refund(fields: dict[str, Any], expected: SAID) -> None:
    """Nothing is believed to be ours that does not say so."""
    assert said(mapping.read_refund(good({**GIVEN, **fields}), refund())) == expected


def test_a_refund_that_is_not_there() -> None:
    """An order that lists none of ours has none; another order says nothing."""
    assert mapping.find_refund(good(paid(), 200), refund()) == Absent("200 90957")
    assert said(mapping.find_refund(good(paid() | {"id": "5O2"}, 200), refund())) == UNUSABLE
