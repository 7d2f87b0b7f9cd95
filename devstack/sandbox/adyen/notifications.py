"""Adyen's webhooks, before they are signed: `NotificationRequest` of Webhooks v1."""

from datetime import UTC, datetime

from devstack.sandbox.adyen.things import Dispute, Modification, Payment, Transfer
from devstack.sandbox.jsonwire.messages import Json

BRAND = "visa"


def moment(at: float) -> str:
    """Write a time as Adyen does, with its offset from UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def of_payment(payment: Payment, now: float, *, success: bool, reason: str = "") -> Json:
    """Make AUTHORISATION."""
    item = _item("AUTHORISATION", payment.id, payment.account, now, success=success, reason=reason)
    item["merchantReference"] = payment.name
    item["amount"] = {"currency": payment.currency, "value": payment.authorised or payment.amount}
    if success:
        item["operations"] = ["CANCEL", "CAPTURE", "REFUND"]
    return _wrapped(item)


def of_modification(
    code: str,
    modification: Modification,
    payment_name: str,
    now: float,
    *,
    success: bool,
    reason: str = "",
    extra: Json | None = None,
) -> Json:
    """Make CAPTURE, CAPTURE_FAILED, CANCELLATION, REFUND and their like."""
    item = _item(code, modification.id, modification.account, now, success=success, reason=reason)
    item["merchantReference"] = modification.name or payment_name
    item["originalReference"] = modification.payment
    item["amount"] = {"currency": modification.currency, "value": modification.amount}
    item["additionalData"] = {**item["additionalData"], **(extra or {})}
    return _wrapped(item)


def of_dispute(code: str, dispute: Dispute, now: float) -> Json:
    """Make CHARGEBACK and its like; what begins a dispute says until when it can be defended, and
    what ends one does not name the payment: so do the examples of Webhooks-v1.
    """
    item = _item(code, dispute.id, dispute.account, now, success=True, reason="Other Fraud")
    item["merchantReference"] = dispute.payment_name
    item["amount"] = {"currency": dispute.currency, "value": dispute.amount}
    if code in ("NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "REQUEST_FOR_INFORMATION"):
        item["originalReference"] = dispute.payment
        item["additionalData"] = {
            "chargebackReasonCode": dispute.reason,
            "chargebackSchemeCode": BRAND,
            "defensePeriodEndsAt": moment(dispute.due),
        }
    return _wrapped(item)


def of_transfer(transfer: Transfer, data: Json, now: float) -> Json:
    """Make balancePlatform.transfer.updated."""
    return {
        "data": {**data, "sequenceNumber": 1 if transfer.settles_at else 2},
        "environment": "test",
        "timestamp": moment(now),
        "type": "balancePlatform.transfer.updated",
    }


def _item(
    code: str, reference: str, account: str, now: float, *, success: bool, reason: str
) -> Json:
    return {
        "additionalData": {},
        "eventCode": code,
        "eventDate": moment(now),
        "merchantAccountCode": account,
        "paymentMethod": BRAND,
        "pspReference": reference,
        "reason": reason,
        "success": "true" if success else "false",
    }


def _wrapped(item: Json) -> Json:
    return {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
