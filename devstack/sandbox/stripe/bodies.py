"""The JSON that Stripe's callers read, made of the sandbox's objects."""

import hashlib
import json
from typing import Any

from devstack.sandbox.stripe.changes import Answer, Page
from devstack.sandbox.stripe.objects import (
    Charge,
    Dispute,
    Intent,
    Refund,
    Session,
    StoredFile,
    Transfer,
)
from devstack.sandbox.stripe.tokens import behaviour_of

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def encode(answer: Answer, base_url: str, off_by: int = 0) -> bytes:
    """Write an answer's body.

    Args:
        answer: what to write.
        base_url: where the sandbox is reached, for the 3-D Secure page.
        off_by: minor units added to the amounts, for the fault that lies about them.
    """
    body = body_of(answer, base_url)
    for name in ("amount", "amount_received", "amount_total"):
        if off_by and body.get(name):
            body[name] += off_by
    if answer.error is None:
        return _encode(body).encode()
    error = dict(answer.error)
    if body:
        error["payment_intent"] = body
    return _encode({"error": error}).encode()


def body_of(answer: Answer, base_url: str) -> dict[str, Any]:
    """Make the JSON object of an answer's subject."""
    body: dict[str, Any] = {}
    if answer.subject is not None:
        body = _body(answer.subject, base_url)
    if answer.charge is not None:
        body["latest_charge"] = _charge(answer.charge)
    return body


def client_secret(intent: Intent) -> str:
    """Derive the secret a browser would hold; always the same for an intent."""
    return f"{intent.id}_secret_{hashlib.blake2b(intent.id.encode(), digest_size=12).hexdigest()}"


def challenge_url(intent: Intent, base_url: str) -> str:
    """Tell where the buyer authenticates."""
    return f"{base_url}/stripe/3ds/{intent.id}"


def page_url(session: Session, base_url: str) -> str:
    """Tell where the buyer pays."""
    return f"{base_url}/stripe/checkout/{session.id}"


def _body(
    thing: Intent | Charge | Refund | Session | Dispute | StoredFile | Transfer | Page,
    base_url: str,
) -> dict[str, Any]:
    if isinstance(thing, Intent):
        return _intent(thing, base_url)
    if isinstance(thing, Charge):
        return _charge(thing)
    if isinstance(thing, Refund):
        return _refund(thing)
    if isinstance(thing, Dispute):
        return _dispute(thing)
    if isinstance(thing, StoredFile):
        return _file(thing)
    if isinstance(thing, Session):
        return _session(thing, base_url)
    if isinstance(thing, Transfer):
        return _transfer(thing)
    return {
        "object": "list",
        "url": thing.url,
        "has_more": thing.has_more,
        "data": [_body(item, base_url) for item in thing.items],
    }


def _intent(intent: Intent, base_url: str) -> dict[str, Any]:
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"enabled": True} if intent.automatic_methods else None,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": client_secret(intent),
        "confirmation_method": intent.confirmation_method,
        "created": intent.created,
        "currency": intent.currency,
        "customer": intent.customer,
        "description": None,
        "last_payment_error": intent.last_payment_error,
        "latest_charge": intent.latest_charge,
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent, base_url),
        "on_behalf_of": None,
        "payment_method": intent.payment_method,
        "payment_method_options": {},
        "payment_method_types": intent.payment_method_types,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": None,
        **intent.echoed,
    }


def _next_action(intent: Intent, base_url: str) -> dict[str, Any] | None:
    if intent.status != "requires_action":
        return None
    url = challenge_url(intent, base_url)
    if intent.return_url:
        redirect = {"return_url": intent.return_url, "url": url}
        return {"type": "redirect_to_url", "redirect_to_url": redirect}
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
    }


def _charge(charge: Charge) -> dict[str, Any]:
    failed = charge.status == "failed"
    behaviour = behaviour_of(charge.payment_method)
    detail: dict[str, Any] = {
        "brand": behaviour.brand,
        "last4": behaviour.last4,
        "funding": "credit",
    }
    if behaviour.wallet:
        detail["wallet"] = {"type": behaviour.wallet, "dynamic_last4": None}
    if charge.capture_before is not None and behaviour.method == "card":
        detail["capture_before"] = charge.capture_before
        status = "available" if charge.takes_several else "unavailable"
        detail["multicapture"] = {"status": status}
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "balance_transaction": None,
        "captured": charge.captured,
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "livemode": False,
        "metadata": charge.metadata,
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": charge.decline_code,
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": charge.status == "succeeded",
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method,
        "payment_method_details": {"type": behaviour.method, behaviour.method: detail},
        "receipt_email": None,
        "refunded": charge.captured and charge.amount_refunded >= charge.amount_captured,
        "status": charge.status,
        "transfer_group": None,
    }


def _refund(refund: Refund) -> dict[str, Any]:
    body = {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": None,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }
    if refund.failure_reason is not None:
        body["failure_reason"] = refund.failure_reason
    return body


def _dispute(dispute: Dispute) -> dict[str, Any]:
    is_inquiry = dispute.status.startswith("warning_")
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [_move(dispute, place) for place in range(len(dispute.moves))],
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": dispute.currency,
        "enhanced_eligibility_types": [],
        "evidence": dispute.evidence,
        "evidence_details": {
            "due_by": dispute.due_by,
            "enhanced_eligibility": {},
            "has_evidence": bool(dispute.evidence),
            "past_due": False,
            "submission_count": dispute.submissions,
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": dispute.metadata,
        "payment_intent": dispute.payment_intent,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": dispute.reason,
        "status": dispute.status,
    }


def _move(dispute: Dispute, place: int) -> dict[str, Any]:
    amount = dispute.moves[place]
    fee = 1500 if amount < 0 else 0
    return {
        "id": f"txn_{dispute.id.removeprefix('dp_')}_{place}",
        "object": "balance_transaction",
        "amount": amount,
        "currency": dispute.currency,
        "fee": fee,
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute.id,
        "status": "available",
        "type": "adjustment",
    }


def _file(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "created": file.created,
        "expires_at": None,
        "filename": file.filename,
        "links": {"object": "list", "data": [], "has_more": False, "url": "/v1/file_links"},
        "purpose": file.purpose,
        "size": file.size,
        "title": None,
        "type": file.filename.rpartition(".")[2],
        "url": None,
    }


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "id": transfer.id,
        "object": "transfer",
        "amount": transfer.amount,
        "amount_reversed": transfer.amount_reversed,
        "balance_transaction": f"txn_{transfer.id.removeprefix('tr_')}",
        "created": transfer.created,
        "currency": transfer.currency,
        "description": transfer.description,
        "destination": transfer.destination,
        "destination_payment": f"py_{transfer.id.removeprefix('tr_')}",
        "livemode": False,
        "metadata": transfer.metadata,
        "reversals": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/transfers/{transfer.id}/reversals",
        },
        "reversed": transfer.amount_reversed == transfer.amount,
        "source_transaction": None,
        "source_type": "card",
        "transfer_group": transfer.transfer_group,
    }


def _session(session: Session, base_url: str) -> dict[str, Any]:
    is_paid = session.status == "complete" and session.capture_method == "automatic"
    email = session.customer_email
    return {
        "id": session.id,
        "object": "checkout.session",
        "amount_subtotal": session.amount,
        "amount_total": session.amount,
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id,
        "created": session.created,
        "currency": session.currency,
        "customer": None,
        "customer_details": {"email": email} if email else None,
        "customer_email": email,
        "expires_at": session.expires_at,
        "livemode": False,
        "locale": session.locale,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": session.payment_intent if session.status == "complete" else None,
        "payment_method_types": ["card"],
        "payment_status": "paid" if is_paid else "unpaid",
        "status": session.status,
        "success_url": session.success_url,
        "ui_mode": "hosted",
        "url": page_url(session, base_url) if session.status == "open" else None,
    }
