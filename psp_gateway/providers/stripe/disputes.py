"""Disputes at Stripe: docs.stripe.com/api/disputes and docs.stripe.com/disputes/responding.

A dispute can be read at any time, and every answer to it is the dispute as it then stands.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Absent, Verdict, unusable
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.dispute import Dispute, Reason, Stage, Standing, Status
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.http_client import NotSent
from psp_gateway.providers.stripe.client import Response, Result, StripeClient
from psp_gateway.providers.stripe.mapping import read_failure
from psp_gateway.providers.stripe.units import Inexpressible, to_money
from psp_gateway.webhook_body import from_seconds, inside, text

# docs.stripe.com/api/disputes/object#dispute_object-status; charge_refunded is of older versions.
# What is won or lost may have been so on appeal: see `Dispute.taken`.
STATUSES: Mapping[str, tuple[Stage, Status]] = {
    "warning_needs_response": (Stage.INQUIRY, Status.NEEDS_RESPONSE),
    "warning_under_review": (Stage.INQUIRY, Status.UNDER_REVIEW),
    "warning_closed": (Stage.INQUIRY, Status.CLOSED),
    "prevented": (Stage.INQUIRY, Status.CLOSED),
    "needs_response": (Stage.CHARGEBACK, Status.NEEDS_RESPONSE),
    "under_review": (Stage.CHARGEBACK, Status.UNDER_REVIEW),
    "charge_refunded": (Stage.CHARGEBACK, Status.CLOSED),
    "appeal_needs_response": (Stage.PRE_ARBITRATION, Status.NEEDS_RESPONSE),
    "appeal_under_review": (Stage.PRE_ARBITRATION, Status.UNDER_REVIEW),
    "won": (Stage.CHARGEBACK, Status.WON),
    "lost": (Stage.CHARGEBACK, Status.LOST),
}
# docs.stripe.com/disputes/categories; one that is not here is OTHER.
REASONS: Mapping[str, Reason] = {
    "bank_cannot_process": Reason.PROCESSING_ERROR,
    "check_returned": Reason.PROCESSING_ERROR,
    "credit_not_processed": Reason.CREDIT_NOT_PROCESSED,
    "customer_initiated": Reason.OTHER,
    "debit_not_authorized": Reason.FRAUD,
    "duplicate": Reason.DUPLICATE,
    "fraudulent": Reason.FRAUD,
    "general": Reason.OTHER,
    "incorrect_account_details": Reason.PROCESSING_ERROR,
    "insufficient_funds": Reason.PROCESSING_ERROR,
    "noncompliant": Reason.OTHER,
    "product_not_received": Reason.NOT_RECEIVED,
    "product_unacceptable": Reason.NOT_AS_DESCRIBED,
    "subscription_canceled": Reason.CANCELLED,
    "unrecognized": Reason.FRAUD,
}

# docs.stripe.com/file-upload: of purpose dispute_evidence.
_CONTENT_TYPES = frozenset({"application/pdf", "image/jpeg", "image/png"})
_TEXTS_MAX = 150_000  # characters, all fields together


class StripeDisputes:
    """`dispute_ports.ReadDisputes` and `AnswerDisputes` at Stripe.

    Args:
        client: of the API.
        files: of the host that takes files.
    """

    def __init__(self, client: StripeClient, files: StripeClient) -> None:
        self._client = client
        self._files = files

    async def read_dispute(self, reference: str) -> Heard:
        """See `dispute_ports.ReadDisputes.read_dispute`."""
        result = await self._client.get(f"/disputes/{reference}")
        if isinstance(result, Response) and result.status == 404:
            return Absent(result.trace)
        return read_dispute(result, reference)

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """See `dispute_ports.AnswerDisputes.refusal`."""
        if sum(map(len, evidence.texts.values())) > _TEXTS_MAX:
            return "texts", f"together they are longer than {_TEXTS_MAX} characters"
        kinds = [file.kind for file in evidence.files]
        if len(kinds) != len(set(kinds)):
            return "files", "Stripe takes one of a kind"
        if any(file.content_type not in _CONTENT_TYPES for file in evidence.files):
            return "files", "Stripe takes PDF, JPEG and PNG"
        return None

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """See `dispute_ports.AnswerDisputes.submit_evidence`; the files go first."""
        given: dict[str, object] = dict(evidence.texts)
        for place, file in enumerate(evidence.files):
            uploaded = await self._upload(file, f"{key}:file:{place}")
            if isinstance(uploaded, Verdict):
                return uploaded
            given[file.kind] = uploaded
        reference = dispute.psp_reference
        fields = {"evidence": given, "submit": "true"}
        return read_dispute(
            await self._client.post(f"/disputes/{reference}", fields, key=key), reference
        )

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """See `dispute_ports.AnswerDisputes.accept_dispute`."""
        reference = dispute.psp_reference
        result = await self._client.post(f"/disputes/{reference}/close", {}, key=key)
        return read_dispute(result, reference)

    async def _upload(self, file: File, key: str) -> str | Verdict:
        """Bring a file to Stripe; a file that is there, and of no dispute, has done nothing."""
        result = await self._files.upload(
            "dispute_evidence", file.name, file.content_type, file.content, key=key
        )
        body = result.body if isinstance(result, Response) and result.status == 200 else None
        reference = text(body, "id")
        if reference and text(body, "object") == "file":
            return reference
        failure = read_failure(result)
        is_no = failure.outcome is Outcome.DECLINED
        return Verdict(
            Outcome.DECLINED if is_no else Outcome.TRANSIENT,
            Delivery.NOT_SENT if isinstance(result, NotSent) else Delivery.ANSWERED,
            reason=failure.reason,
            psp_code=failure.psp_code,
            is_replay=failure.is_replay,
            is_alarm=failure.is_alarm,
            about_request=True,
            trace=failure.trace,
        )


def read_dispute(result: Result, reference: str) -> Heard:
    """Read the dispute that was asked for, or why there is none."""
    is_whole = isinstance(result, Response) and result.status == 200
    if not isinstance(result, Response) or not is_whole:
        return read_failure(result)
    standing = _standing(result.body or {}, result.trace)
    if standing is None or standing.reference != reference:
        return unusable(result.trace)
    return standing


def _standing(found: Mapping[str, Any], trace: str) -> Standing | None:
    reference, code = text(found, "id"), text(found, "reason")
    known = STATUSES.get(text(found, "status"))
    moved = _moved(found)
    amount, currency = found.get("amount"), text(found, "currency").upper()
    if text(found, "object") != "dispute" or known is None or moved is None:
        return None
    if type(amount) is not int or amount <= 0:
        return None
    try:
        disputed = to_money(amount, currency)
    except Inexpressible:
        return None
    stage, status = known
    return Standing(
        reference=reference,
        amount=disputed,
        stage=stage,
        status=status,
        is_money_withdrawn=moved < 0,
        reason=REASONS.get(code, Reason.OTHER),
        psp_code=code,
        evidence_due_at=_due_at(found),
        opened_at=from_seconds(found.get("created")),
        charge_references=_charge_references(found),
        submissions=_submissions(found),
        trace=trace,
    )


def _moved(found: Mapping[str, Any]) -> int | None:
    """Sum what the dispute took from the balance and gave back; fees are not in it."""
    moves = found.get("balance_transactions")
    if not isinstance(moves, list):
        return None
    amounts = [inside(move, "amount") for move in moves]
    whole = [amount for amount in amounts if type(amount) is int]
    return sum(whole) if len(whole) == len(amounts) else None


def _due_at(found: Mapping[str, Any]) -> datetime | None:
    """Read until when; 0, which is long past, where the bank takes no evidence at all."""
    return from_seconds(inside(found, "evidence_details", "due_by"))


def _submissions(found: Mapping[str, Any]) -> int | None:
    count = inside(found, "evidence_details", "submission_count")
    return count if type(count) is int else None


def _charge_references(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the charge; Stripe writes an id as such or, expanded, as the object that has it."""
    names = [
        text(found, name, "id") if isinstance(found.get(name), dict) else text(found, name)
        for name in ("payment_intent", "charge")
    ]
    return tuple(filter(None, names))
