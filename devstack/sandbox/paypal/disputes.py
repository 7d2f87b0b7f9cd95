"""Disputes: Customer Disputes v1 of github.com/paypal/paypal-rest-api-specifications. Pure.

A capture is disputed by `/control/disputes`; a `step` then brings the dispute to a status, a stage
or an outcome of PayPal's. Accepted claims are refunded, as lost ones are.
"""

from dataclasses import replace
from typing import Any

from devstack.sandbox.jsonwire.messages import Answer, Change, Json
from devstack.sandbox.paypal import given as read
from devstack.sandbox.paypal.bodies import moment, money
from devstack.sandbox.paypal.orders import Desk
from devstack.sandbox.paypal.things import Capture, Dispute

DUE_S = 10 * 86_400.0
REASONS = frozenset(
    {
        *("MERCHANDISE_OR_SERVICE_NOT_RECEIVED", "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED"),
        *("UNAUTHORISED", "CREDIT_NOT_PROCESSED", "DUPLICATE_TRANSACTION", "INCORRECT_AMOUNT"),
        *("PAYMENT_BY_OTHER_MEANS", "CANCELED_RECURRING_BILLING", "PROBLEM_WITH_REMITTANCE"),
        "OTHER",
    }
)
_STATUSES = frozenset(
    {
        *("OPEN", "WAITING_FOR_BUYER_RESPONSE", "WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW"),
        "OTHER",
    }
)
_STAGES = frozenset({"INQUIRY", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION"})
_FOR_BUYER = frozenset({"RESOLVED_BUYER_FAVOUR", "ACCEPTED"})
_OUTCOMES = _FOR_BUYER | {
    *("RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "DENIED", "NONE"),
}


def opened(capture: Capture, reason: str, desk: Desk) -> Change:
    """Let a buyer dispute what he paid; PayPal holds the money.

    Raises:
        ValueError: the reason is none of PayPal's.
    """
    if reason not in REASONS:
        raise ValueError("reason: is none of PayPal's")
    dispute = Dispute(
        id=f"PP-D-{desk.new_id()[:8]}",
        capture=capture.id,
        amount=capture.amount,
        currency=capture.currency,
        created=desk.now,
        reason=reason,
        unit=capture.unit,
        moves=("DEBIT",),
    )
    return _told("dispute_withdrawn", dispute, "CREATED", desk, amount=dispute.amount)


def step(dispute: Dispute, word: str, desk: Desk) -> Change:
    """Bring a dispute to a status, a stage or an outcome.

    Raises:
        ValueError: it is none of PayPal's.
    """
    if word in _STATUSES:
        return _told("dispute_told", replace(dispute, status=word, outcome=""), "UPDATED", desk)
    if word in _STAGES:
        waiting = replace(dispute, stage=word, status="WAITING_FOR_SELLER_RESPONSE", outcome="")
        return _told("dispute_told", waiting, "UPDATED", desk)
    if word not in _OUTCOMES:
        raise ValueError("step: is none of PayPal's")
    ended = replace(dispute, status="RESOLVED", outcome=word)
    if word in _FOR_BUYER or dispute.moves[-1:] != ("DEBIT",):
        return _told("dispute_told", ended, "RESOLVED", desk)
    given_back = replace(ended, moves=(*dispute.moves, "CREDIT"))
    return _told("dispute_reinstated", given_back, "RESOLVED", desk, amount=dispute.amount)


def provide_evidence(dispute: Dispute, given: Json, desk: Desk) -> Change:
    """Take evidence in; `files` are the names of the documents that came along.

    Raises:
        Refused: the dispute takes none, or a document is missing.
    """
    if dispute.status != "WAITING_FOR_SELLER_RESPONSE":
        text = "The action cannot be performed in the dispute's present status."
        raise read.refused("INVALID_DISPUTE_STATUS", text)
    evidences = given.get("evidences")
    found = [one for one in evidences if isinstance(one, dict)] if evidences else []
    if not found or not all(isinstance(one.get("evidence_type"), str) for one in found):
        raise read.missing("/evidences")
    named = {d["name"] for one in found for d in one.get("documents", ())}
    if named - set(given.get("files", ())):
        raise read.missing("/evidences/documents")
    kinds = tuple(str(one["evidence_type"]) for one in found)
    handed_in = replace(dispute, status="UNDER_REVIEW", evidences=(*dispute.evidences, *kinds))
    change = _told("dispute_evidence", handed_in, "UPDATED", desk)
    return replace(change, answer=_links(dispute, desk))


def accept(dispute: Dispute, given: Json, desk: Desk) -> Change:
    """Take an acceptance: the buyer is refunded.

    Raises:
        Refused: the dispute is over.
    """
    if dispute.status == "RESOLVED":
        raise read.refused("DISPUTE_ALREADY_RESOLVED", "The dispute is resolved.")
    if given.get("accept_claim_type", "REFUND") != "REFUND":
        raise read.refused("INVALID_ACCEPT_CLAIM_TYPE", "The type is not allowed.")
    change = step(dispute, "ACCEPTED", desk)
    return replace(change, answer=_links(dispute, desk))


def body_of(dispute: Dispute, desk: Desk) -> Json:
    """Write a dispute as PayPal shows it."""
    custom = dispute.unit.get("custom_id", "")
    body: dict[str, Any] = {
        "dispute_id": dispute.id,
        "create_time": moment(dispute.created),
        "update_time": moment(desk.now),
        "disputed_transactions": [
            {
                "seller_transaction_id": dispute.capture,
                "custom": custom,
                "invoice_number": dispute.unit.get("invoice_id", ""),
                "gross_amount": money(dispute.amount, dispute.currency),
                "transaction_status": "COMPLETED",
            }
        ],
        "reason": dispute.reason,
        "status": dispute.status,
        "dispute_amount": money(dispute.amount, dispute.currency),
        "dispute_life_cycle_stage": dispute.stage,
        "dispute_channel": "INTERNAL",
        "money_movements": [
            {
                "affected_party": "SELLER",
                "amount": money(dispute.amount, dispute.currency),
                "initiated_time": moment(dispute.created + place),
                "type": kind,
                "reason": "DISPUTE_SETTLEMENT",
            }
            for place, kind in enumerate(dispute.moves)
        ],
        "seller_response_due_date": moment(dispute.created + DUE_S),
        "links": [desk.bodies.link("self", f"/v1/customer/disputes/{dispute.id}")],
    }
    if dispute.outcome:
        body["dispute_outcome"] = {"outcome_code": dispute.outcome}
    if dispute.evidences:
        body["evidences"] = [
            {"evidence_type": kind, "source": "SUBMITTED_BY_SELLER"} for kind in dispute.evidences
        ]
    return body


def _links(dispute: Dispute, desk: Desk) -> Answer:
    return Answer(200, {"links": [desk.bodies.link("self", f"/v1/customer/disputes/{dispute.id}")]})


def _told(kind: str, dispute: Dispute, event: str, desk: Desk, *, amount: int = 0) -> Change:
    event_type, event_id = f"CUSTOMER.DISPUTE.{event}", f"WH-{desk.new_id()}"
    body: Json = {
        "id": event_id,
        "event_version": "1.0",
        "create_time": moment(desk.now),
        "resource_type": "dispute",
        "event_type": event_type,
        "summary": f"Dispute {event.lower()}",
        "resource": body_of(dispute, desk),
        "links": [desk.bodies.link("self", f"/v1/notifications/webhooks-events/{event_id}")],
    }
    return Change(
        kind=kind,
        reference=dispute.id,
        payment_reference=dispute.capture,
        amount=amount,
        currency=dispute.currency,
        metadata=read.ids_of(dispute.unit),
        things=(dispute,),
        events=((event_type, body),),
    )
