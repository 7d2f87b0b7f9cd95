"""Disputes, as docs.stripe.com/disputes and docs.stripe.com/testing#disputes tell them. Pure.

In test mode the words of the evidence decide: `winning_evidence`, `losing_evidence` and, for an
inquiry, `escalate_inquiry_evidence`; any other leaves it under review.
"""

from collections.abc import Mapping
from dataclasses import replace

from devstack.sandbox.stripe.attempts import NewId
from devstack.sandbox.stripe.changes import Answer, Change
from devstack.sandbox.stripe.errors import StripeError, invalid
from devstack.sandbox.stripe.form import Tree
from devstack.sandbox.stripe.objects import Charge, Dispute, StoredFile
from devstack.sandbox.stripe.shelf import Shelf

TEXTS = frozenset(
    {
        *("access_activity_log", "billing_address", "cancellation_policy_disclosure"),
        *("cancellation_rebuttal", "customer_email_address", "customer_name"),
        *("customer_purchase_ip", "duplicate_charge_explanation", "duplicate_charge_id"),
        *("product_description", "refund_policy_disclosure", "refund_refusal_explanation"),
        *("service_date", "shipping_address", "shipping_carrier", "shipping_date"),
        *("shipping_tracking_number", "uncategorized_text"),
    }
)
FILES = frozenset(
    {
        *("cancellation_policy", "customer_communication", "customer_signature"),
        *("duplicate_charge_documentation", "receipt", "refund_policy"),
        *("service_documentation", "shipping_documentation", "uncategorized_file"),
    }
)
REASONS = frozenset(
    {
        *("bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated"),
        *("debit_not_authorized", "duplicate", "fraudulent", "general"),
        *("incorrect_account_details", "insufficient_funds", "product_not_received"),
        *("product_unacceptable", "subscription_canceled", "unrecognized", "noncompliant"),
    }
)
DUE_S = 9 * 86_400.0
_OPEN = frozenset({"needs_response", "warning_needs_response"})
_PURPOSE = "dispute_evidence"
_SUFFIXES = (".pdf", ".jpg", ".jpeg", ".png")


def opened(
    charge: Charge, reason: str, new_id: NewId, now: float, *, is_inquiry: bool = False
) -> Change:
    """Let a buyer dispute a charge; a chargeback takes the money, an inquiry does not yet."""
    dispute = Dispute(
        id=new_id("dp_"),
        payment_intent=charge.payment_intent,
        charge=charge.id,
        amount=charge.amount_captured,
        currency=charge.currency,
        status="warning_needs_response" if is_inquiry else "needs_response",
        reason=reason,
        created=int(now),
        due_by=int(now + DUE_S),
        owner=charge.metadata,
    )
    created = "charge.dispute.created"
    if is_inquiry:
        return _change("dispute_opened", dispute, (created,))
    return _withdrawn(dispute, (created,))


def step(dispute: Dispute, status: str) -> Change:
    """Let the bank bring a dispute to a status.

    Raises:
        ValueError: it cannot.
    """
    moved = replace(dispute, status=status)
    closed = "charge.dispute.closed"
    match status:
        case "won" if not dispute.is_withdrawn:
            return _change("dispute_won", moved, (closed,))
        case "won":
            moves = (*dispute.moves, dispute.amount)
            events = ("charge.dispute.funds_reinstated", closed)
            given_back = replace(moved, moves=moves)
            return _change("dispute_reinstated", given_back, events, amount=dispute.amount)
        case "lost" if dispute.status.startswith("warning_"):
            return _withdrawn(moved, (closed,))
        case "lost" | "warning_closed":
            return _change("dispute_lost", moved, (closed,))
        case "needs_response":
            return _withdrawn(moved, ("charge.dispute.updated",))
        case "under_review" | "warning_under_review":
            return _change("dispute_evidence", moved, ("charge.dispute.updated",))
    raise ValueError(f"step: {status} is none of Stripe's, or not to be reached so")


def update(dispute: Dispute, given: Tree, shelf: Shelf, now: float, *, submit: bool) -> Change:
    """Take evidence, and hand it in when `submit`.

    Raises:
        StripeError: the dispute takes none, or a file is not there.
    """
    _check_open(dispute, now)
    evidence: dict[str, str] = {**dispute.evidence}
    for name, value in given.items():
        if isinstance(value, dict):
            raise invalid(f"Invalid string: evidence[{name}]", param=f"evidence[{name}]")
        if name in FILES:
            _check_file(shelf, value, name)
        evidence[name] = value
    if not submit:
        return _change("dispute_evidence", replace(dispute, evidence=evidence), ())
    handed_in = replace(dispute, evidence=evidence, submissions=dispute.submissions + 1)
    return step(handed_in, _next_status(handed_in, evidence))


def close(dispute: Dispute) -> Change:
    """Give a dispute up: it is lost.

    Raises:
        StripeError: it is over.
    """
    if dispute.status not in _OPEN:
        raise _refused("This dispute is already closed.")
    return step(dispute, "lost")


def upload(given: Mapping[str, str], new_id: NewId, now: float) -> Change:
    """Take a file.

    Raises:
        StripeError: Stripe takes no such file.
    """
    if given.get("purpose") != _PURPOSE:
        raise invalid(f"Invalid purpose: must be one of {_PURPOSE}", param="purpose")
    name = given.get("name", "")
    if not name.lower().endswith(_SUFFIXES):
        raise invalid("Unsupported file type.", param="file")
    file = StoredFile(new_id("file_"), _PURPOSE, name, int(given["size"]), int(now))
    return Change("file", file.id, "", 0, "", {}, Answer(200, file), file=file)


def _next_status(dispute: Dispute, evidence: Mapping[str, str]) -> str:
    words = " ".join(evidence.values())
    is_inquiry = dispute.status.startswith("warning_")
    if "winning_evidence" in words:
        return "warning_closed" if is_inquiry else "won"
    if "losing_evidence" in words:
        return "lost"
    if is_inquiry and "escalate_inquiry_evidence" in words:
        return "needs_response"
    return "warning_under_review" if is_inquiry else "under_review"


def _check_open(dispute: Dispute, now: float) -> None:
    if dispute.status not in _OPEN:
        raise _refused("This dispute is already closed, or evidence was submitted.")
    if now > dispute.due_by:
        raise _refused("The deadline for evidence has passed.")


def _check_file(shelf: Shelf, reference: str, name: str) -> None:
    if shelf.files.find(reference) is None:
        raise invalid(f"No such file upload: '{reference}'", param=f"evidence[{name}]")


def _withdrawn(dispute: Dispute, events: tuple[str, ...]) -> Change:
    taken = replace(dispute, moves=(*dispute.moves, -dispute.amount))
    told = (*events, "charge.dispute.funds_withdrawn")
    return _change("dispute_withdrawn", taken, told, amount=dispute.amount)


def _change(kind: str, dispute: Dispute, events: tuple[str, ...], *, amount: int = 0) -> Change:
    return Change(
        kind=kind,
        reference=dispute.id,
        payment_reference=dispute.payment_intent,
        amount=amount,
        currency=dispute.currency,
        metadata=dispute.owner,
        answer=Answer(200, dispute),
        dispute=dispute,
        events=events,
    )


def _refused(message: str) -> StripeError:
    return StripeError(400, "invalid_request_error", message, executed=True)
