"""Adyen's webhooks: an HMAC in each item, over eight of its fields, and what the events say.

Source: https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures. Adyen cannot
be asked about a payment, so an event's verdict is its own; what the HMAC does not cover (dates,
reasons, the rest of additionalData) is a hint at most.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.adyen.mapping import text

_ATTEMPT = re.compile(r"att_[0-9a-z]{1,60}", re.ASCII)
_ITEMS_MAX = 100


@dataclass(frozen=True, slots=True)
class _Code:
    """What an eventCode is about; `succeeds` says what `success: true` means, None: nothing here.

    Attributes:
        by_payment: whether its object is known here by the payment it belongs to.
    """

    subject: Subject
    succeeds: Outcome | None = None
    by_payment: bool = False


_FAILS = Outcome.DECLINED
_CODES: dict[str, _Code] = {
    "AUTHORISATION": _Code(Subject.CHARGE, Outcome.SUCCEEDED),
    "CAPTURE": _Code(Subject.CAPTURE, Outcome.SUCCEEDED, by_payment=True),
    "CAPTURE_FAILED": _Code(Subject.CAPTURE, _FAILS, by_payment=True),
    "CANCELLATION": _Code(Subject.VOID, Outcome.SUCCEEDED, by_payment=True),
    "TECHNICAL_CANCEL": _Code(Subject.VOID, Outcome.SUCCEEDED, by_payment=True),
    "REFUND": _Code(Subject.REFUND, Outcome.SUCCEEDED),
    "REFUND_FAILED": _Code(Subject.REFUND, _FAILS),
    "REFUNDED_REVERSED": _Code(Subject.REFUND, _FAILS),
    "REPORT_AVAILABLE": _Code(Subject.REPORT),
}
_DISPUTES = (
    *("CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION", "SCHEME_ARBITRATION", "DISPUTE_"),
    *("REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_", "ISSUER_", "INFORMATION_SUPPLIED"),
)


class AdyenWebhooks:
    """`ports.Webhooks` of Adyen.

    Args:
        keys: of the webhook, in hexadecimal; several while one is rotated.

    Raises:
        ValueError: a key is not hexadecimal.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [bytes.fromhex(key) for key in keys]

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """See `ports.Webhooks.read_webhook`. Each item must be signed: one that is not makes the
        whole of it nobody's. Adyen's signatures have no time in them; what makes an event one is
        its object, code and success, so that a replay says nothing new.
        """
        if "notificationItems" not in (content := _object(body)):
            # Of platforms, as transfers: signed as a whole.
            self._verify(headers.get("hmacsignature", ""), body)
            return [_platform_event(content, body)]
        items = _items(content)
        for item in items:
            extra = item.get("additionalData")
            given = extra.get("hmacSignature") if isinstance(extra, Mapping) else None
            self._verify(given if isinstance(given, str) else "", _signed(item))
        return [_event(item) for item in items]

    def _verify(self, given: str, content: bytes) -> None:
        try:
            signature = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadSignature("the signature is no base64") from error
        expected = [hmac.new(key, content, hashlib.sha256).digest() for key in self._keys]
        if not any([hmac.compare_digest(one, signature) for one in expected]):  # noqa: C419 - all
            raise BadSignature("no signature is right")


def _object(body: bytes) -> Mapping[str, Any]:
    """Read the body, of which nothing is believed before its signature was."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, Mapping):
        raise BadSignature("it is no JSON object")
    return content


def _items(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    wrapped = content["notificationItems"]
    if not isinstance(wrapped, list) or not 0 < len(wrapped) <= _ITEMS_MAX:
        raise BadSignature("it has no items")
    items = [
        one.get("NotificationRequestItem") if isinstance(one, Mapping) else None for one in wrapped
    ]
    if not all(isinstance(item, Mapping) for item in items):
        raise BadSignature("an item is no object")
    return [item for item in items if isinstance(item, Mapping)]


def _signed(item: Mapping[str, Any]) -> bytes:
    """Write what is signed, as it came, nothing escaped; what is missing is empty."""
    amount = item.get("amount")
    amount = amount if isinstance(amount, Mapping) else {}
    values = (
        *(item.get(name) for name in ("pspReference", "originalReference")),
        *(item.get(name) for name in ("merchantAccountCode", "merchantReference")),
        *(amount.get(name) for name in ("value", "currency")),
        *(item.get(name) for name in ("eventCode", "success")),
    )
    return ":".join(_plain(value) for value in values).encode("utf-8", "surrogatepass")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _event(item: Mapping[str, Any]) -> PspEvent:
    reference, code, success = (text(item, n) for n in ("pspReference", "eventCode", "success"))
    success = success or _plain(item.get("success"))
    if not (reference and code):
        raise UnreadableWebhook("it is no event")
    known = _CODES.get(code) or _Code(_subject(code))
    original = text(item, "originalReference")
    ours = text(item, "merchantReference")
    amount = item.get("amount")
    value = amount.get("value") if isinstance(amount, Mapping) else None
    own = (original or reference) if known.by_payment else reference
    return PspEvent(
        psp="adyen",
        event_id=hashlib.sha256(f"{reference} {code} {success}".encode()).hexdigest(),
        event_type=code,
        subject=known.subject,
        reference=own,
        charge_reference=original,
        attempt_id=ours if _ATTEMPT.fullmatch(ours) else "",
        verdict=_verdict(known, own, code, is_success=success == "true"),
        amount_minor=value if type(value) is int else None,
        currency=text(amount, "currency"),
        occurred_at=_moment(item.get("eventDate")),
    )


def _subject(code: str) -> Subject:
    return Subject.DISPUTE if code.startswith(_DISPUTES) else Subject.OTHER


def _verdict(known: _Code, reference: str, code: str, *, is_success: bool) -> Verdict | None:
    if known.succeeds is None:
        return None
    if known.succeeds is Outcome.SUCCEEDED and is_success:
        return Verdict(Outcome.SUCCEEDED, reference=reference, trace="webhook")
    if known.succeeds is Outcome.DECLINED and not is_success:
        return None  # that something failed is not so
    is_charge = known.subject is Subject.CHARGE
    reason = Reason.CARD_DECLINED if is_charge else Reason.PROCESSING_ERROR
    return Verdict(
        Outcome.DECLINED, reference=reference, reason=reason, psp_code=code, trace="webhook"
    )


def _platform_event(content: Mapping[str, Any], body: bytes) -> PspEvent:
    kind, data = text(content, "type"), content.get("data")
    if not kind:
        raise UnreadableWebhook("it is no event")
    is_transfer = kind.startswith("balancePlatform.transfer")
    ours = text(data, "reference")
    return PspEvent(
        psp="adyen",
        event_id=hashlib.sha256(body).hexdigest(),
        event_type=kind,
        subject=Subject.PAYOUT if is_transfer else Subject.OTHER,
        reference=text(data, "id"),
        attempt_id=ours if _ATTEMPT.fullmatch(ours) else "",
        occurred_at=_moment(content.get("timestamp")),
    )


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
