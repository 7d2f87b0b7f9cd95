"""Disputes at PayPal: developer.paypal.com/docs/api/customer-disputes/v1.

A dispute can be read at any time. What is written answers with links alone, so it is read after.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Absent, Verdict, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, Reason, Stage, Standing, Status
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.domain.reasons import Reason as ErrorReason
from psp_gateway.multipart import Part
from psp_gateway.providers.paypal.client import PayPalClient, Response, Result
from psp_gateway.providers.paypal.failures import failure, is_not_found
from psp_gateway.providers.paypal.units import Inexpressible, from_wire
from psp_gateway.webhook_body import from_iso, inside, text

# As published: `status`, `dispute_outcome.outcome_code`, `dispute_life_cycle_stage` and `reason`.
STATUSES: Mapping[str, Status] = {
    "OPEN": Status.NEEDS_RESPONSE,
    "WAITING_FOR_SELLER_RESPONSE": Status.NEEDS_RESPONSE,
    "WAITING_FOR_BUYER_RESPONSE": Status.UNDER_REVIEW,
    "UNDER_REVIEW": Status.UNDER_REVIEW,
    "OTHER": Status.UNDER_REVIEW,
}
RESOLVED = "RESOLVED"
OUTCOMES: Mapping[str, Status] = {
    "RESOLVED_BUYER_FAVOUR": Status.LOST,
    "RESOLVED_SELLER_FAVOUR": Status.WON,
    "RESOLVED_WITH_PAYOUT": Status.CLOSED,  # PayPal itself paid one of the two
    "CANCELED_BY_BUYER": Status.WON,
    "ACCEPTED": Status.ACCEPTED,
    "DENIED": Status.WON,
    "NONE": Status.CLOSED,  # another dispute took its place
}
STAGES: Mapping[str, Stage] = {
    "INQUIRY": Stage.INQUIRY,
    "CHARGEBACK": Stage.CHARGEBACK,
    "PRE_ARBITRATION": Stage.PRE_ARBITRATION,
    "ARBITRATION": Stage.PRE_ARBITRATION,
}
REASONS: Mapping[str, Reason] = {
    "MERCHANDISE_OR_SERVICE_NOT_RECEIVED": Reason.NOT_RECEIVED,
    "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED": Reason.NOT_AS_DESCRIBED,
    "UNAUTHORISED": Reason.FRAUD,
    "CREDIT_NOT_PROCESSED": Reason.CREDIT_NOT_PROCESSED,
    "DUPLICATE_TRANSACTION": Reason.DUPLICATE,
    "INCORRECT_AMOUNT": Reason.PROCESSING_ERROR,
    "PAYMENT_BY_OTHER_MEANS": Reason.DUPLICATE,
    "CANCELED_RECURRING_BILLING": Reason.CANCELLED,
    "PROBLEM_WITH_REMITTANCE": Reason.PROCESSING_ERROR,
    "OTHER": Reason.OTHER,
}
# `evidence_type`, by what a document is to us, unless the caller names one of PayPal's.
TYPES: Mapping[str, str] = {
    "cancellation_policy": "COPY_OF_CONTRACT",
    "customer_communication": "CONFIRMATION_OF_RESOLUTION",
    "customer_signature": "PROOF_OF_DELIVERY_SIGNATURE",
    "duplicate_charge_documentation": "DETAILS_OF_PURCHASE",
    "receipt": "PROOF_OF_RECEIPT_COPY",
    "refund_policy": "RETURN_POLICY",
    "service_documentation": "PROOF_FOR_SOFTWARE_OR_SERVICE_DELIVERED",
    "shipping_documentation": "PROOF_OF_SHIPMENT_POSTAGE",
    "uncategorized_file": "OTHER",
}

_DISPUTES = "/v1/customer/disputes"
_LOST = frozenset({Status.LOST, Status.ACCEPTED})
_NOTES_MAX = 2_000
_TRACKING = "shipping_tracking_number"
_CARRIER = "shipping_carrier"
# developer.paypal.com/docs/disputes/integration-guide/#documents, of up to 10 MB each.
_SUFFIXES = {
    "application/pdf": "pdf",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
}


class PayPalDisputes:
    """`dispute_ports.ReadDisputes` and `AnswerDisputes` at PayPal."""

    def __init__(self, client: PayPalClient) -> None:
        self._client = client

    async def read_dispute(self, reference: str) -> Heard:
        """See `dispute_ports.ReadDisputes.read_dispute`."""
        result = await self._client.get(f"{_DISPUTES}/{reference}")
        return Absent(_trace(result)) if is_not_found(result) else read_dispute(result, reference)

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """See `dispute_ports.AnswerDisputes.refusal`."""
        if any(file.content_type not in _SUFFIXES for file in evidence.files):
            return "files", "PayPal takes PDF, JPEG, PNG, GIF and plain text"
        if len(_notes(evidence.texts)) > _NOTES_MAX:
            return "texts", f"together they are longer than {_NOTES_MAX} characters"
        return None

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """See `dispute_ports.AnswerDisputes.submit_evidence`."""
        files = [
            Part(f"file{place + 1}", file.content, _name(file, place), file.content_type)
            for place, file in enumerate(evidence.files)
        ]
        content = json.dumps({"evidences": _evidences(evidence)}).encode()
        parts = [Part("input", content, content_type="application/json"), *files]
        path = f"{_DISPUTES}/{dispute.psp_reference}/provide-evidence"
        return await self._answered(dispute, await self._client.post_form(path, parts, key=key))

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """See `dispute_ports.AnswerDisputes.accept_dispute`; the buyer gets all of it back."""
        path = f"{_DISPUTES}/{dispute.psp_reference}/accept-claim"
        content = {"note": "Refunded.", "accept_claim_type": "REFUND"}
        return await self._answered(dispute, await self._client.post(path, content, key=key))

    async def _answered(self, dispute: Dispute, result: Result) -> Heard:
        if not isinstance(result, Response) or result.status != 200 or result.body is None:
            return _refused(result) or failure(result)
        standing = await self.read_dispute(dispute.psp_reference)
        if isinstance(standing, Standing):
            return standing
        return Verdict(Outcome.SUCCEEDED, trace=result.trace)


def _refused(result: Result) -> Verdict | None:
    """Read the refusal of an action that cannot be performed, as published for 422: its issues are
    published for no call about disputes, so that none is in a table.
    """
    body = result.body if isinstance(result, Response) and result.status == 422 else None
    if text(body, "name") != "UNPROCESSABLE_ENTITY":
        return None
    return Verdict(
        Outcome.DECLINED,
        reason=ErrorReason.PSP_REQUEST_INVALID,
        psp_code=text(body, "details", 0, "issue") or "UNPROCESSABLE_ENTITY",
        about_request=True,
        trace=_trace(result),
    )


def read_dispute(result: Result, reference: str) -> Heard:
    """Read the dispute that was asked for, or why there is none."""
    if not isinstance(result, Response) or result.status != 200:
        return failure(result)
    standing = _standing(result.body or {}, result.trace)
    if standing is None or standing.reference != reference:
        return unusable(result.trace)
    return standing


def _standing(found: Mapping[str, Any], trace: str) -> Standing | None:
    stage = STAGES.get(text(found, "dispute_life_cycle_stage"))
    status = STATUSES.get(text(found, "status"))
    if text(found, "status") == RESOLVED:
        status = OUTCOMES.get(text(found, "dispute_outcome", "outcome_code"))
    if stage is None or status is None:
        return None
    try:
        amount = from_wire(found.get("dispute_amount"))
    except Inexpressible:
        return None
    code = text(found, "reason")
    return Standing(
        reference=text(found, "dispute_id"),
        amount=amount,
        stage=stage,
        status=status,
        is_money_withdrawn=_is_withdrawn(found, status),
        reason=REASONS.get(code, Reason.OTHER),
        psp_code=code,
        evidence_due_at=from_iso(text(found, "seller_response_due_date")),
        opened_at=from_iso(text(found, "create_time")),
        charge_references=_charge_references(found),
        submissions=_submissions(found),
        may_reopen=True,
        trace=trace,
    )


def _is_withdrawn(found: Mapping[str, Any], status: Status) -> bool:
    """Tell by the last movement of ours; where none is told, a loss has taken it."""
    moves = [
        (text(move, "initiated_time"), text(move, "type"))
        for move in _listed(found, "money_movements")
        if text(move, "affected_party") == "SELLER"
    ]
    return sorted(moves)[-1][1] == "DEBIT" if moves else status in _LOST


def _submissions(found: Mapping[str, Any]) -> int:
    sources = [text(evidence, "source") for evidence in _listed(found, "evidences")]
    return sources.count("SUBMITTED_BY_SELLER")


def _charge_references(found: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("seller_transaction_id", "custom", "invoice_number")
    disputed = _listed(found, "disputed_transactions")
    return tuple(filter(None, (text(one, name) for one in disputed for name in names)))


def _listed(found: Mapping[str, Any], name: str) -> Sequence[object]:
    listed = inside(found, name)
    return listed if isinstance(listed, list) else ()


def _evidences(evidence: Evidence) -> list[dict[str, Any]]:
    """Write evidence by PayPal's types: a parcel's number, documents, and the rest as a note."""
    written: list[dict[str, Any]] = []
    if _TRACKING in evidence.texts:
        parcel = {"carrier_name": "OTHER", "tracking_number": evidence.texts[_TRACKING]}
        if _CARRIER in evidence.texts:
            parcel["carrier_name_other"] = evidence.texts[_CARRIER]
        info = {"tracking_info": [parcel]}
        written.append({"evidence_type": "PROOF_OF_FULFILLMENT", "evidence_info": info})
    for place, file in enumerate(evidence.files):
        kind = file.psp_type or TYPES.get(file.kind, "OTHER")
        written.append({"evidence_type": kind, "documents": [{"name": _name(file, place)}]})
    notes = _notes(evidence.texts)
    if notes:
        written.append({"evidence_type": "OTHER", "notes": notes})
    return written


def _notes(texts: Mapping[str, str]) -> str:
    kept = [name for name in sorted(texts) if name not in (_TRACKING, _CARRIER)]
    return "\n".join(f"{name.replace('_', ' ')}: {texts[name]}" for name in kept)


def _name(file: File, place: int) -> str:
    """Name a document as PayPal's pattern has it: one point, and no two alike."""
    stem = file.name.rpartition(".")[0] or file.name
    return f"{place + 1}-{stem.replace('.', '-')}.{_SUFFIXES[file.content_type]}"


def _trace(result: Result) -> str:
    return result.trace if isinstance(result, Response) else ""
