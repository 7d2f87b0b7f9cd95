"""What Stripe's answers mean; total over whatever may come."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.psp.v1 import error_reason_pb2

from chassis.errors import PaymeshError
from psp_gateway.domain import errors
from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome
from psp_gateway.domain.reasons import MESSAGES, Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.stripe import mapping
from psp_gateway.providers.stripe.client import Response, Result
from tests.unit.psp_gateway.test_take_further import new_capture, new_charge, new_refund, new_void

REASONS = error_reason_pb2.PspError.Reason


def confirmed() -> Attempt:
    """Make a charge whose object is known."""
    return replace(new_charge(), psp_reference="pi_1")


def refund() -> Attempt:
    """Make a refund of it."""
    return replace(new_refund(), charge_reference="pi_1")


def intent(**fields: Any) -> dict[str, Any]:
    """Make a PaymentIntent that succeeded."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 9999,
        "amount_received": 9999,
        "currency": "usd",
        "status": "succeeded",
        **fields,
    }


def response(status: int, body: Any, **fields: Any) -> Response:
    """Make an answer."""
    known = {"request_id": "req_1", "is_replay": False, "should_retry": None, **fields}
    return Response(status=status, body=body, **known)


def error(status: int, **fields: Any) -> Response:
    """Make an error as Stripe tells it."""
    return response(status, {"error": fields})


def outcome(answer: Answer) -> tuple[Outcome, Reason | None]:
    """Name what a verdict says."""
    assert isinstance(answer, Verdict)
    return answer.outcome, answer.reason


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (NotSent(), (Outcome.TRANSIENT, Reason.PSP_UNREACHABLE)),
        (NoAnswer(), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (response(200, None), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (response(302, None), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (error(500, type="api_error"), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (response(400, None), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (error(400, type="invalid_request_error"), (Outcome.DECLINED, Reason.PSP_REQUEST_INVALID)),
        (
            error(400, type="invalid_request_error", code="payment_intent_unexpected_state"),
            (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER),
        ),
        (
            error(400, type="invalid_request_error", param="payment_method"),
            (Outcome.DECLINED, Reason.PAYMENT_METHOD_INVALID),
        ),
        (error(400, type="idempotency_error"), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (error(409, type="idempotency_error"), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (error(409, type="invalid_request_error"), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (error(429, type="invalid_request_error"), (Outcome.TRANSIENT, Reason.PSP_RATE_LIMITED)),
        (error(401, type="invalid_request_error"), (Outcome.TRANSIENT, Reason.PSP_REQUEST_INVALID)),
        (error(403, type="invalid_request_error"), (Outcome.DECLINED, Reason.PSP_REQUEST_INVALID)),
        (error(402, type="card_error"), (Outcome.DECLINED, Reason.CARD_DECLINED)),
        (error(402, type="other"), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (
            error(402, type="invalid_request_error", code="bank_account_unusable"),
            (Outcome.DECLINED, Reason.PAYMENT_METHOD_INVALID),
        ),
        (
            error(402, type="card_error", code="card_declined", decline_code="never_heard_of"),
            (Outcome.DECLINED, Reason.CARD_DECLINED),
        ),
        (
            error(402, type="card_error", code="incorrect_cvc", decline_code="generic_decline"),
            (Outcome.DECLINED, Reason.INCORRECT_SECURITY_CODE),
        ),
    ],
)
def test_failures(result: Result, expected: tuple[Outcome, Reason]) -> None:
    """Only what Stripe documents as not executed is no; the rest is unknown."""
    assert outcome(mapping.read_charge(result, confirmed())) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (Outcome.SUCCEEDED, None)),
        ({"amount": 9998, "amount_received": 9998}, (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)),
        ({"amount_received": 5000}, (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)),
        ({"currency": "eur"}, (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)),
        ({"amount": True}, (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)),
        ({"id": "pi_2"}, (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        ({"status": "processing"}, (Outcome.PENDING, None)),
        ({"status": "requires_action"}, (Outcome.ACTION_REQUIRED, None)),
        ({"status": "canceled"}, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        ({"status": "requires_payment_method"}, (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (
            {
                "status": "requires_payment_method",
                "last_payment_error": {"decline_code": "lost_card"},
            },
            (Outcome.DECLINED, Reason.CARD_LOST_OR_STOLEN),
        ),
        ({"status": "brand_new"}, (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
    ],
)
def test_states_of_an_intent(fields: dict[str, Any], expected: tuple[Outcome, Reason]) -> None:
    """A state says what it says only of the object, amount and currency that were asked for."""
    assert outcome(mapping.intent_answer(intent(**fields), confirmed(), "")) == expected


def test_an_unconfirmed_intent_is_created() -> None:
    """A PaymentIntent that waits to be confirmed has moved nothing."""
    answer = mapping.intent_answer(intent(status="requires_confirmation"), confirmed(), "")

    assert answer == Created("pi_1")


def test_a_redirect_is_a_web_address() -> None:
    """Where a buyer is sent is http or https, and nothing else."""
    for url, expected in (("https://3ds.example/x", "https://3ds.example/x"), ("javascript:1", "")):
        action = {"redirect_to_url": {"url": url}}
        answer = mapping.intent_answer(
            intent(status="requires_action", next_action=action), confirmed(), ""
        )

        assert isinstance(answer, Verdict)
        assert answer.redirect_url == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", Outcome.SUCCEEDED),
        ("pending", Outcome.PENDING),
        ("requires_action", Outcome.PENDING),
        ("failed", Outcome.DECLINED),
        ("canceled", Outcome.DECLINED),
        ("brand_new", Outcome.UNKNOWN),
    ],
)
def test_states_of_a_refund(status: str, expected: Outcome) -> None:
    """A refund's state is read only of our charge's refund."""
    body = {"id": "re_1", "object": "refund", "amount": 9999, "currency": "usd"}
    ours = {**body, "status": status, "payment_intent": "pi_1"}
    other = {**ours, "payment_intent": "pi_2"}

    assert outcome(mapping.refund_answer(ours, refund(), ""))[0] is expected
    assert outcome(mapping.refund_answer(other, refund(), ""))[0] is Outcome.UNKNOWN


def test_ours_is_found_by_its_metadata() -> None:
    """Among listed objects only the one with our attempt id is ours."""
    listed = [None, {"metadata": None}, intent(id="pi_9", metadata={"attempt_id": "att_9"})]
    ours = intent(metadata={"attempt_id": "att_1"})

    assert mapping.find(listed, new_charge(), "", is_refund=False) == Absent()
    assert mapping.find([*listed, ours], new_charge(), "", is_refund=False) == Created("pi_1")


texts = st.sampled_from(
    ["", "card_error", "succeeded", "payment_intent", "refund", "pi_1", "usd", "failed", "x" * 300]
)
scalars = st.none() | st.booleans() | st.integers() | texts
names = st.sampled_from(
    ["error", "type", "code", "status", "id", "object", "amount", "currency", "payment_intent"]
)
bodies = st.dictionaries(names, st.recursive(scalars, lambda s: st.dictionaries(names, s)))


@given(
    status=st.sampled_from([100, 200, 201, 204, 301, 400, 401, 402, 403, 404, 409, 418, 429, 500]),
    body=st.none() | bodies,
    should_retry=st.sampled_from([None, True, False]),
    is_replay=st.booleans(),
)
def test_anything_reads_and_nothing_odd_is_definite(
    status: int, body: dict[str, Any] | None, should_retry: bool | None, is_replay: bool
) -> None:
    """Every answer has a meaning, a success has an object, and a 409 or 500 is never definite."""
    result = response(status, body, should_retry=should_retry, is_replay=is_replay)
    for answer in (
        mapping.read_created(result, new_charge()),
        mapping.read_charge(result, confirmed()),
        mapping.read_charge(result, replace(confirmed(), kind=Kind.AUTHORIZATION)),
        mapping.read_hold(result, replace(new_capture(), charge_reference="pi_1")),
        mapping.read_hold(result, replace(new_void(), charge_reference="pi_1")),
        mapping.read_refund(result, refund()),
    ):
        if isinstance(answer, Verdict) and answer.outcome is Outcome.SUCCEEDED:
            assert status == 200
            assert answer.reference
        if isinstance(answer, Verdict) and status in (200, 409, 500):
            assert answer.delivery is Delivery.ANSWERED
        if isinstance(answer, Verdict) and status in (409, 500):
            assert answer.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("insufficient_funds", Reason.INSUFFICIENT_FUNDS),  # R01, R09
        ("bank_account_closed", Reason.PAYMENT_METHOD_INVALID),  # R02
        ("bank_account_invalid_details", Reason.PAYMENT_METHOD_INVALID),  # R03, R04
        ("debit_not_authorized", Reason.PAYMENT_METHOD_INVALID),  # R05, R07, R08, R10, R11 …
        ("recipient_deceased", Reason.PAYMENT_METHOD_INVALID),  # R15
        ("bank_account_frozen", Reason.PAYMENT_METHOD_INVALID),  # R16
        ("bank_account_restricted", Reason.PAYMENT_METHOD_INVALID),  # R20
        ("sepa_unsupported_account", Reason.PAYMENT_METHOD_INVALID),
        ("refer_to_customer", Reason.CARD_DECLINED),  # a bank's no without a reason
    ],
)
def test_what_a_bank_says_of_a_debit(code: str, reason: Reason) -> None:
    """The codes that Stripe publishes, as the one of a decline or that of the error."""
    for told in ({"decline_code": code, "code": "card_declined"}, {"code": code}):
        failed = intent(status="requires_payment_method", last_payment_error=told)
        answer = mapping.read_charge(response(200, failed), confirmed())
        assert outcome(answer) == (Outcome.DECLINED, reason)


def test_reasons_are_those_of_the_contract() -> None:
    """Each reason is in the contract, each of the contract's is ours, and each has a sentence."""
    refusals = {
        kind.reason
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, PaymeshError)
        and kind.__module__ == errors.__name__
        and kind is not errors.Refusal
    }
    assert {*map(str, Reason), *refusals} == {*REASONS.keys()} - {"REASON_UNSPECIFIED"}
    assert set(MESSAGES) == set(Reason)
    assert set(mapping.DECLINES.values()) <= set(Reason)
