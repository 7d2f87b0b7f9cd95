"""What Stripe's disputes mean; total over whatever may come."""

import asyncio
import re
from datetime import UTC, datetime
from email.parser import BytesParser
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway import multipart
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Reason, Stage, Standing, Status
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.multipart import Part
from psp_gateway.providers.stripe.client import Response, StripeClient
from psp_gateway.providers.stripe.disputes import (
    REASONS,
    STATUSES,
    StripeDisputes,
    read_dispute,
)
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.test_adyen_disputes import made
from tests.unit.psp_gateway.wire import answer, scripted


def body(**fields: Any) -> dict[str, Any]:
    """Make a dispute as Stripe shows it."""
    return {
        "id": "DSP1",
        "object": "dispute",
        "amount": 9999,
        "balance_transactions": [{"amount": -9999, "fee": 1500}],
        "charge": "ch_1",
        "created": 1_700_000_000,
        "currency": "usd",
        "evidence_details": {"due_by": 1_700_600_000, "submission_count": 1},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }


def response(content: Any, status: int = 200) -> Response:
    """Make an answer."""
    return Response(status, content, "req_1", is_replay=False, should_retry=None)


def test_a_dispute_is_read_whole() -> None:
    """Each field that is followed, in our units and words."""
    assert read_dispute(response(body()), "DSP1") == Standing(
        reference="DSP1",
        amount=Money.parse("99.99", "USD"),
        stage=Stage.CHARGEBACK,
        status=Status.NEEDS_RESPONSE,
        is_money_withdrawn=True,
        reason=Reason.FRAUD,
        psp_code="fraudulent",
        evidence_due_at=datetime.fromtimestamp(1_700_600_000, UTC),
        opened_at=datetime.fromtimestamp(1_700_000_000, UTC),
        charge_references=("pi_1", "ch_1"),
        submissions=1,
        trace="200 req_1",
    )


def test_every_published_status_and_reason_is_known() -> None:
    """Those that Stripe's own SDK names, and charge_refunded of before."""
    source = _source(stripe.Dispute)
    (statuses,) = re.findall(r'Literal\[([^\]]*"warning_closed"[^\]]*)\]', source)
    (reasons,) = re.findall(r"Reason given by cardholder.*?Learn more", source, re.DOTALL)

    assert set(re.findall(r'"(\w+)"', statuses)) | {"charge_refunded"} == STATUSES.keys()
    assert set(re.findall(r"`(\w+)`", reasons)) == REASONS.keys()


def _source(kind: type) -> str:
    module = __import__(kind.__module__, fromlist=["_"])
    with open(str(module.__file__), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize(
    ("moves", "is_withdrawn"),
    [([], False), ([-9999], True), ([-9999, 9999], False), ([-9999, 9999, -9999], True)],
)
def test_money_is_gone_while_more_was_taken_than_given(
    moves: list[int],
    is_withdrawn: bool,
) -> None:
    """An inquiry takes none, a win gives it back."""
    found = read_dispute(
        response(body(balance_transactions=[{"amount": amount} for amount in moves])), "DSP1"
    )

    assert isinstance(found, Standing)
    assert found.is_money_withdrawn is is_withdrawn


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "DSP2"},
        {"object": "charge"},
        {"status": "reopened"},
        {"amount": 0},
        {"amount": "9999"},
        {"currency": "zzz"},
        {"balance_transactions": None},
        {"balance_transactions": [{"amount": None}]},
    ],
)
def test_what_cannot_be_understood_is_unknown(wrong: dict[str, Any]) -> None:
    """A status that is not in the table among it."""
    found = read_dispute(response(body(**wrong)), "DSP1")

    assert isinstance(found, Verdict)
    assert found.outcome is Outcome.UNKNOWN


def test_an_unknown_reason_is_other() -> None:
    """Stripe may add some; its own code stays."""
    found = read_dispute(response(body(reason="new_one")), "DSP1")

    assert isinstance(found, Standing)
    assert (found.reason, found.psp_code) == (Reason.OTHER, "new_one")


@given(st.integers(100, 599), json_values)
def test_reading_never_fails(status: int, content: Any) -> None:
    """Whatever comes back; only a whole dispute is one."""
    for found in (content, body(evidence_details=content), body(balance_transactions=content)):
        heard = read_dispute(response(found if isinstance(found, dict) else None, status), "DSP1")
        assert isinstance(heard, Standing | Verdict)
    for silent in (NotSent(), NoAnswer()):
        assert isinstance(read_dispute(silent, "DSP1"), Verdict)


PDF = File("receipt", "a.pdf", "application/pdf", b"%PDF-1.7\r\n--\r\n")
ERROR = {"error": {"type": "invalid_request_error", "message": "canary"}}


def submitted(*answers: bytes) -> tuple[Any, list[Any]]:
    """Hand evidence in at a Stripe that answers so."""

    async def ask() -> tuple[Any, list[Any]]:
        script = iter(answers)
        async with scripted(lambda _: next(script)) as wire:
            client = StripeClient(wire.url, "sk_test_1", timeout_s=30.0)
            await client.open()
            found = await StripeDisputes(client, client).submit_evidence(
                made(),
                Evidence({"uncategorized_text": "We sent it."}, (PDF,)),
                key="dsp_1:r:submit:1",
                is_again=False,
            )
            await client.close()
        return found, wire.requests

    return asyncio.run(ask())


def test_files_go_first_and_are_named_in_the_evidence() -> None:
    """Each request under a key of its own."""
    file = {"id": "file_1", "object": "file"}
    found, requests = submitted(answer(file), answer(body(status="under_review")))

    assert isinstance(found, Standing)
    assert [request.line.split()[1] for request in requests] == ["/v1/files", "/v1/disputes/DSP1"]
    headers = [{k.lower(): v for k, v in request.headers.items()} for request in requests]
    assert [each["idempotency-key"] for each in headers] == [
        "dsp_1:r:submit:1:file:0",
        "dsp_1:r:submit:1",
    ]
    assert "evidence%5Breceipt%5D=file_1" in requests[1].body
    assert "submit=true" in requests[1].body


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([answer(ERROR, status=400)], Outcome.DECLINED),
        ([answer({}, status=500)], Outcome.TRANSIENT),
        ([answer({"id": "file_1", "object": "charge"})], Outcome.TRANSIENT),
        ([b""], Outcome.TRANSIENT),
        ([answer({"id": "file_1", "object": "file"}), b""], Outcome.UNKNOWN),
        (
            [answer({"id": "file_1", "object": "file"}), answer(ERROR, status=400)],
            Outcome.DECLINED,
        ),
    ],
)
def test_a_file_alone_is_no_answer_to_a_dispute(answers: list[bytes], outcome: Outcome) -> None:
    """Only the evidence itself can be of unknown end; Stripe's sentence is in no verdict."""
    found, _ = submitted(*answers)

    assert isinstance(found, Verdict)
    assert found.outcome is outcome
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence({"uncategorized_text": "x" * 150_001}),
        Evidence({}, (PDF, PDF)),
        Evidence({}, (File("receipt", "a.txt", "text/plain", b"x"),)),
    ],
)
def test_what_stripe_is_known_not_to_take_is_refused(evidence: Evidence) -> None:
    """Before anything is sent."""
    client = StripeClient("http://127.0.0.1:1", "sk_test_1")

    assert StripeDisputes(client, client).refusal(made(), evidence) is not None


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_multipart_is_read_as_it_was_written(content: bytes, value: bytes) -> None:
    """By a reader that is not ours; the same parts make the same bytes."""
    parts = [Part("purpose", value), Part("file", content, "a.pdf", "application/pdf")]
    encoded, kind = multipart.encode(parts)

    boundary = kind.partition("boundary=")[2].encode()
    assert len(boundary) <= 70
    sections = encoded.split(b"--" + boundary)
    assert sections[-1] == b"--\r\n"
    read = [section[2:-2].partition(b"\r\n\r\n") for section in sections[1:-1]]
    assert [each[2] for each in read] == [value, content]
    headers = BytesParser().parsebytes(read[1][0])
    assert headers.get_filename() == "a.pdf"
    assert headers.get_content_type() == "application/pdf"
    assert multipart.encode(parts) == (encoded, kind)
