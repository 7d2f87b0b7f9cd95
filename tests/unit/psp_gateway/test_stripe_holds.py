"""What Stripe's answers mean for what is held, captured and let go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Verdict
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.stripe import mapping
from tests.builders import NOW
from tests.unit.psp_gateway.test_stripe_mapping import confirmed, error, intent, outcome
from tests.unit.psp_gateway.test_take_further import new_capture, new_void

SUCCESS = (Outcome.SUCCEEDED, None)
MISMATCH = (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)
UNUSABLE = (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)
FIVE_DAYS = NOW + timedelta(days=5)
INVALID = "invalid_request_error"


def hold() -> Attempt:
    """Make an authorization whose object is known."""
    return replace(confirmed(), kind=Kind.AUTHORIZATION)


def part() -> Attempt:
    """Make a capture of 40.00 of it."""
    return replace(new_capture("40.00"), charge_reference="pi_1")


def void() -> Attempt:
    """Make a void of it."""
    return replace(new_void(), charge_reference="pi_1")


def held(**fields: Any) -> dict[str, Any]:
    """Make a PaymentIntent that holds its amount."""
    known = {"status": "requires_capture", "amount_received": 0, "amount_capturable": 9999}
    return intent(**{**known, **fields})


def is_alarm(answer: Answer) -> bool:
    """Whether a person must look."""
    assert isinstance(answer, Verdict)
    return answer.is_alarm


def with_charge(capture_before: object) -> dict[str, Any]:
    """Make a PaymentIntent that holds its amount and has its charge with it."""
    card = {"capture_before": capture_before}
    return held(latest_charge={"payment_method_details": {"type": "card", "card": card}})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, SUCCESS),
        ({"amount_capturable": 5000}, MISMATCH),
        ({"amount": 9998}, MISMATCH),
        ({"currency": "eur"}, MISMATCH),
        ({"id": "pi_2"}, UNUSABLE),
        ({"status": "canceled"}, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        ({"status": "processing"}, (Outcome.PENDING, None)),
        ({"status": "requires_action"}, (Outcome.ACTION_REQUIRED, None)),
    ],
    ids=str,
)
def test_states_of_what_is_to_be_held(
    fields: dict[str, Any], expected: tuple[Outcome, Reason | None]
) -> None:
    """It is held when all that was asked for can be captured."""
    assert outcome(mapping.intent_answer(held(**fields), hold(), "")) == expected


def test_held_and_charged_are_never_taken_for_each_other() -> None:
    """What was to be charged and is held only, and the reverse, is for a person to look at."""
    held_only = mapping.intent_answer(held(), confirmed(), "")
    charged = mapping.intent_answer(intent(), hold(), "")

    assert (outcome(held_only), is_alarm(held_only)) == (UNUSABLE, True)
    assert (outcome(charged), is_alarm(charged)) == (UNUSABLE, True)


@pytest.mark.parametrize(
    ("found", "until"),
    [
        (with_charge(int(FIVE_DAYS.timestamp())), FIVE_DAYS),
        (held(latest_charge="ch_1"), NOW + timedelta(days=7)),
        (held(), NOW + timedelta(days=7)),
        *(
            (with_charge(odd), NOW + timedelta(days=7))
            for odd in (None, 0, -1, True, "soon", 10**30, 1.5, [])
        ),
        (held(latest_charge={"payment_method_details": ["card"]}), NOW + timedelta(days=7)),
    ],
    ids=str,
)
def test_the_end_of_a_hold_is_the_networks_word(found: dict[str, Any], until: datetime) -> None:
    """Stripe's `capture_before` when it is a time, else seven days from the attempt."""
    answer = mapping.intent_answer(found, hold(), "")

    assert isinstance(answer, Verdict)
    assert answer.expires_at == until.astimezone(UTC)


def test_what_is_charged_has_no_end() -> None:
    """Only a hold expires."""
    answer = mapping.intent_answer(intent(latest_charge="ch_1"), confirmed(), "")

    assert isinstance(answer, Verdict)
    assert answer.expires_at is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount_received": 4000}, SUCCESS),
        ({"amount_received": 9999}, MISMATCH),
        ({"amount_received": None}, MISMATCH),
        ({"amount_received": 4000, "currency": "eur"}, MISMATCH),
        ({"status": "processing"}, (Outcome.PENDING, None)),
        ({"status": "canceled"}, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (
            {"status": "canceled", "cancellation_reason": "requested_by_customer"},
            (Outcome.DECLINED, Reason.PSP_CANCELLED),
        ),
        (
            {"status": "canceled", "cancellation_reason": "automatic"},
            (Outcome.DECLINED, Reason.AUTHORIZATION_EXPIRED),
        ),
        (
            {"status": "canceled", "cancellation_reason": "expired"},
            (Outcome.DECLINED, Reason.AUTHORIZATION_EXPIRED),
        ),
        (
            {"status": "canceled", "cancellation_reason": []},
            (Outcome.DECLINED, Reason.PSP_CANCELLED),
        ),
        ({"status": "requires_payment_method"}, UNUSABLE),
        ({"status": "brand_new"}, UNUSABLE),
        ({"id": "pi_2"}, UNUSABLE),
        ({"object": "charge"}, UNUSABLE),
    ],
    ids=str,
)
def test_what_became_of_a_capture(
    fields: dict[str, Any], expected: tuple[Outcome, Reason | None]
) -> None:
    """It happened when exactly as much was received; what was let go of is never captured."""
    assert outcome(mapping.hold_answer(intent(**fields), part(), "")) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "canceled"}, SUCCESS),
        ({"status": "canceled", "cancellation_reason": "automatic"}, SUCCESS),
        ({"status": "canceled", "amount": 9998}, MISMATCH),
        ({"status": "canceled", "currency": "eur"}, MISMATCH),
        ({"status": "succeeded"}, (Outcome.DECLINED, Reason.ALREADY_CAPTURED)),
        ({"status": "processing"}, (Outcome.PENDING, None)),
        ({"status": "brand_new"}, UNUSABLE),
        ({"id": "pi_2", "status": "canceled"}, UNUSABLE),
    ],
    ids=str,
)
def test_what_became_of_a_void(
    fields: dict[str, Any], expected: tuple[Outcome, Reason | None]
) -> None:
    """It happened when the object is cancelled, by whomever; what was captured stays so."""
    assert outcome(mapping.hold_answer(intent(**fields), void(), "")) == expected


def test_what_is_held_still_is_absent() -> None:
    """Neither captured nor let go: the request may be sent."""
    for asked in (part(), void()):
        assert mapping.hold_answer(held(), asked, "200") == Absent("200")


def test_one_minor_unit_is_not_true() -> None:
    """JSON's `true` is no amount, though Python counts it as 1."""
    cent = replace(part(), amount=Money.parse("0.01", "USD"))

    assert outcome(mapping.hold_answer(intent(amount_received=True), cent, "")) == MISMATCH


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("payment_intent_unexpected_state", UNUSABLE),
        ("intent_invalid_state", UNUSABLE),
        ("charge_already_captured", UNUSABLE),
        ("charge_expired_for_capture", (Outcome.DECLINED, Reason.AUTHORIZATION_EXPIRED)),
        ("capture_charge_authorization_expired", (Outcome.DECLINED, Reason.AUTHORIZATION_EXPIRED)),
        ("amount_too_large", (Outcome.DECLINED, Reason.PSP_REQUEST_INVALID)),
    ],
)
def test_refusals_of_a_capture(code: str, expected: tuple[Outcome, Reason]) -> None:
    """What is said of the object's state is looked up; a no is said of this request alone."""
    answer = mapping.read_hold(error(400, type=INVALID, code=code), part())

    assert outcome(answer) == expected
    assert isinstance(answer, Verdict)
    assert answer.about_request == (expected[0] is Outcome.DECLINED)
