"""Attempts at PayPal whose order is known, what PayPal answers of them, and what that says."""

from dataclasses import replace
from typing import Any

from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.client import Response
from tests.unit.psp_gateway.paypal import error, payment
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)

SAID = tuple[Outcome, Reason | None]
MISMATCH = (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)
UNUSABLE = (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)
SUCCEEDED = (Outcome.SUCCEEDED, None)
GONE = error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def charge() -> Attempt:
    """Make a charge whose order is known."""
    return replace(new_charge(), psp_reference="5O1")


def hold() -> Attempt:
    """Make an authorization whose order is known."""
    return replace(new_hold(), psp_reference="5O1")


def capture(amount: str = "99.99") -> Attempt:
    """Make a capture of what it holds."""
    return replace(new_capture(amount), charge_reference="5O1")


def void() -> Attempt:
    """Make a void of what it holds."""
    return replace(new_void(), charge_reference="5O1")


def refund() -> Attempt:
    """Make a refund of the charge."""
    return replace(new_refund(), charge_reference="5O1")


def good(body: Any, status: int = 201) -> Response:
    """Make an answer."""
    return Response(status, body, "90957")


def said(answer: Answer) -> SAID:
    """Name what a verdict says."""
    assert isinstance(answer, Verdict)
    return answer.outcome, answer.reason


OURS = payment(invoice_id="att_capture1")


GIVEN = payment(id="1JU", custom_id="att_refund1", invoice_id="att_refund1")
