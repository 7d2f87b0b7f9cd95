"""What PayPal's disputes mean; total over whatever may come."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Reason, Stage, Standing, Status
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.paypal.client import Response
from psp_gateway.providers.paypal.disputes import (
    OUTCOMES,
    REASONS,
    RESOLVED,
    STAGES,
    STATUSES,
    TYPES,
    PayPalDisputes,
    read_dispute,
)
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.paypal import calls_of, money, opened, script_of
from tests.unit.psp_gateway.test_adyen_disputes import made
from tests.unit.psp_gateway.wire import answer, scripted

# The enums of Customer Disputes v1 as PayPal publishes them.
PUBLISHED_STATUSES = (
    "OPEN WAITING_FOR_BUYER_RESPONSE WAITING_FOR_SELLER_RESPONSE UNDER_REVIEW RESOLVED OTHER"
)
PUBLISHED_OUTCOMES = """
RESOLVED_BUYER_FAVOUR RESOLVED_SELLER_FAVOUR RESOLVED_WITH_PAYOUT CANCELED_BY_BUYER ACCEPTED DENIED
NONE
"""
PUBLISHED_STAGES = "INQUIRY CHARGEBACK PRE_ARBITRATION ARBITRATION"
PUBLISHED_REASONS = """
MERCHANDISE_OR_SERVICE_NOT_RECEIVED MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED UNAUTHORISED
CREDIT_NOT_PROCESSED DUPLICATE_TRANSACTION INCORRECT_AMOUNT PAYMENT_BY_OTHER_MEANS
CANCELED_RECURRING_BILLING PROBLEM_WITH_REMITTANCE OTHER
"""
FILE_KINDS = """
cancellation_policy customer_communication customer_signature duplicate_charge_documentation receipt
refund_policy service_documentation shipping_documentation uncategorized_file
"""


def body(**fields: Any) -> dict[str, Any]:
    """Make a dispute as PayPal shows it."""
    return {
        "dispute_id": "DSP1",
        "create_time": "2026-11-01T10:00:00.000Z",
        "disputed_transactions": [{"seller_transaction_id": "3C6", "custom": "att_1"}],
        "reason": "UNAUTHORISED",
        "status": "WAITING_FOR_SELLER_RESPONSE",
        "dispute_amount": money(),
        "dispute_life_cycle_stage": "CHARGEBACK",
        "seller_response_due_date": "2026-11-11T10:00:00.000Z",
        **fields,
    }


def read(**fields: Any) -> Any:
    """Read a dispute."""
    return read_dispute(Response(200, body(**fields), "d1"), "DSP1")


def test_a_dispute_is_read_whole() -> None:
    """Each field that is followed, in our units and words."""
    assert read() == Standing(
        reference="DSP1",
        amount=Money.parse("99.99", "USD"),
        stage=Stage.CHARGEBACK,
        status=Status.NEEDS_RESPONSE,
        is_money_withdrawn=False,
        reason=Reason.FRAUD,
        psp_code="UNAUTHORISED",
        evidence_due_at=datetime(2026, 11, 11, 10, tzinfo=UTC),
        opened_at=datetime(2026, 11, 1, 10, tzinfo=UTC),
        charge_references=("3C6", "att_1"),
        submissions=0,
        may_reopen=True,
        trace="200 d1",
    )


def test_every_published_word_is_known() -> None:
    """Statuses, outcomes, stages and reasons, none missing and none invented."""
    assert STATUSES.keys() | {RESOLVED} == set(PUBLISHED_STATUSES.split())
    assert OUTCOMES.keys() == set(PUBLISHED_OUTCOMES.split())
    assert STAGES.keys() == set(PUBLISHED_STAGES.split())
    assert REASONS.keys() == set(PUBLISHED_REASONS.split())
    assert TYPES.keys() == set(FILE_KINDS.split())


@pytest.mark.parametrize(("code", "status"), sorted(OUTCOMES.items()))
def test_the_outcome_says_who_won(code: str, status: Status) -> None:
    """Where no movement is told, a loss has taken the money."""
    found = read(status=RESOLVED, dispute_outcome={"outcome_code": code})

    assert found.status is status
    assert found.is_money_withdrawn is (status in (Status.LOST, Status.ACCEPTED))


def test_the_last_movement_of_ours_counts() -> None:
    """Whatever the order in which they are listed, and whoever else's money moved."""

    def moved(at: str, kind: str, party: str = "SELLER") -> dict[str, str]:
        return {"initiated_time": at, "type": kind, "affected_party": party}

    held = moved("2026-11-01T10:00:00Z", "DEBIT")
    back = moved("2026-11-03T10:00:00Z", "CREDIT")
    buyers = moved("2026-11-04T10:00:00Z", "DEBIT", "BUYER")

    assert read(money_movements=[held]).is_money_withdrawn
    assert not read(money_movements=[back, held, buyers]).is_money_withdrawn


@pytest.mark.parametrize(
    "wrong",
    [
        {"dispute_id": "DSP2"},
        {"status": "NEW_ONE"},
        {"status": RESOLVED},
        {"status": RESOLVED, "dispute_outcome": {"outcome_code": "NEW_ONE"}},
        {"dispute_life_cycle_stage": "NEW_ONE"},
        {"dispute_amount": None},
        {"dispute_amount": {"currency_code": "USD", "value": "0.00"}},
        {"dispute_amount": {"currency_code": "USD", "value": "1.001"}},
        {"dispute_amount": {"currency_code": "XXX", "value": "1.00"}},
    ],
)
def test_what_cannot_be_understood_is_unknown(wrong: dict[str, Any]) -> None:
    """A status, an outcome or a stage that is not in the tables among it."""
    found = read(**wrong)

    assert isinstance(found, Verdict)
    assert found.outcome is Outcome.UNKNOWN


@given(st.integers(100, 599), json_values)
def test_reading_never_fails(status: int, content: Any) -> None:
    """Whatever comes back; only a whole dispute is one."""
    for found in (content, body(money_movements=content), body(disputed_transactions=content)):
        response = Response(status, found if isinstance(found, dict) else None, "d1")
        assert isinstance(read_dispute(response, "DSP1"), Standing | Verdict)
    for silent in (NotSent(), NoAnswer()):
        assert isinstance(read_dispute(silent, "DSP1"), Verdict)


NO = Outcome.DECLINED
PDF = File("receipt", "a.b.pdf", "application/pdf", b"%PDF-1.7")


def submitted(*answers: bytes) -> tuple[Any, list[Any]]:
    """Hand evidence in at a PayPal that answers so."""

    async def ask() -> tuple[Any, list[Any]]:
        script = iter(answers)
        async with scripted(script_of(lambda _: next(script, b""))) as wire:
            async with opened(wire.url, timeout_s=30.0) as client:
                texts = {
                    "shipping_tracking_number": "1Z999",
                    "shipping_carrier": "Parcels",
                    "uncategorized_text": "We sent it.",
                }
                found = await PayPalDisputes(client).submit_evidence(
                    made(), Evidence(texts, (PDF,)), key="dsp_1:r:submit:1", is_again=False
                )
        return found, calls_of(wire)

    return asyncio.run(ask())


def test_evidence_is_written_by_paypals_types() -> None:
    """A parcel's number, documents with names of PayPal's pattern, and the rest as a note."""
    found, calls = submitted(answer({"links": []}), answer(body(status="UNDER_REVIEW")))

    assert found.status is Status.UNDER_REVIEW
    given = json.loads(calls[0].body.split("\r\n\r\n")[1].split("\r\n--")[0])
    assert given["evidences"] == [
        {
            "evidence_type": "PROOF_OF_FULFILLMENT",
            "evidence_info": {
                "tracking_info": [
                    {
                        "carrier_name": "OTHER",
                        "tracking_number": "1Z999",
                        "carrier_name_other": "Parcels",
                    }
                ]
            },
        },
        {"evidence_type": "PROOF_OF_RECEIPT_COPY", "documents": [{"name": "1-a-b.pdf"}]},
        {"evidence_type": "OTHER", "notes": "uncategorized text: We sent it."},
    ]
    assert 'filename="1-a-b.pdf"' in calls[0].body


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([answer({"links": []}), b""], Outcome.SUCCEEDED),
        ([answer({"links": []}), answer({}, status=500)], Outcome.SUCCEEDED),
        ([answer({"name": "INVALID_REQUEST", "message": "canary"}, status=400)], Outcome.DECLINED),
        ([answer({"name": "UNPROCESSABLE_ENTITY", "message": "canary"}, status=422)], NO),
        ([answer({"name": "SOMETHING_NEW"}, status=422)], Outcome.UNKNOWN),
        ([answer({"name": "INTERNAL_SERVER_ERROR"}, status=500)], Outcome.UNKNOWN),
        ([answer(b"<html>")], Outcome.UNKNOWN),
        ([b""], Outcome.UNKNOWN),
    ],
)
def test_what_was_taken_is_told_though_it_cannot_be_read(
    answers: list[bytes], outcome: Outcome
) -> None:
    """The look after it is none of the answer; PayPal's sentence is in no verdict."""
    found, _ = submitted(*answers)

    assert isinstance(found, Verdict)
    assert found.outcome is outcome
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence({"uncategorized_text": "x" * 2_000}),
        Evidence({}, (File("receipt", "a.tiff", "image/tiff", b"x"),)),
    ],
)
def test_what_paypal_is_known_not_to_take_is_refused(evidence: Evidence) -> None:
    """Before anything is sent."""

    async def refusal() -> tuple[str, str] | None:
        async with opened("http://127.0.0.1:1") as client:
            return PayPalDisputes(client).refusal(made(), evidence)

    assert asyncio.run(refusal()) is not None
