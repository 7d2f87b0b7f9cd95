"""Adyen's webhooks: docs.adyen.com/development-resources/webhooks/webhook-types.

A payment cannot be asked about at Adyen, so a standard notification carries the verdict. Its
signature covers the references, the amount, the code and `success`, and nothing else: `reason`,
`eventDate` and `additionalData` may be anybody's and decide nothing. Of REPORT_AVAILABLE only the
file's name (`reference`) is to be believed; the address in `reason` is shown where it is one of
Adyen's hosts, and never followed.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.adyen.event_codes import subject, verdict
from psp_gateway.providers.adyen.reports import report_address
from psp_gateway.providers.adyen.signature import Signatures
from psp_gateway.webhook_body import attempt_id, from_iso, inside, parse, required, text

_PSP = "adyen"
_MINOR = re.compile(r"[0-9]{1,18}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PLATFORM_SUBJECTS: Mapping[str, Subject] = {
    "balancePlatform.report.": Subject.REPORT,
    "balancePlatform.dispute.": Subject.DISPUTE,
}
_TRANSFER = "balancePlatform.transfer."
_OUT_OF_THE_PLATFORM = frozenset({"bank", "card"})


class AdyenWebhooks:
    """`ports.Webhooks` of Adyen: the standard notifications, and those of the platforms.

    A verdict says nothing of whether the amount is the one asked for: whoever applies it compares
    `amount_minor` and `currency` with the attempt first.

    An event belongs to the attempt whose `psp_reference` is its `reference`; by `attempt_id` only
    where there is none, since a payment link may be paid at the second try, and then both the
    refusal and the payment carry the reference of the one attempt.

    Args:
        keys: see `Signatures`, as also what is raised.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._signatures = Signatures(keys)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """See `ports.Webhooks.read_webhook`; `now` bounds nothing, since Adyen signs no time and
        repeats an event for a month: `event_id` tells the repetitions.

        One item that is not Adyen's spoils all.
        """
        signature = headers.get("hmacsignature", "")
        try:
            content = parse(body)
        except UnreadableWebhook:
            self._signatures.check_body(signature, body)
            raise
        if "notificationItems" in content:
            return self._standard(content["notificationItems"])
        self._signatures.check_body(signature, body)
        return [_platform_event(content, body)]

    def _standard(self, wrapped: object) -> Sequence[PspEvent]:
        """Check every item before the first is read."""
        found = wrapped if isinstance(wrapped, list) else []
        items = [inside(one, "NotificationRequestItem") for one in found]
        if not items:
            raise BadSignature("There is no item, and so no signature.")
        for item in items:
            self._signatures.check_item(item if isinstance(item, dict) else {})
        return [_event(item) for item in items]


def _event(item: object) -> PspEvent:
    reference, code = required(item, "pspReference"), required(item, "eventCode")
    success = _success(inside(item, "success"))
    return PspEvent(
        psp=_PSP,
        # Adyen: repetitions have the same code and reference; a refusal that was mended has them
        # too, with another success.
        event_id=_digest(reference, code, success),
        event_type=code,
        subject=subject(code),
        reference=reference,
        charge_reference=text(item, "originalReference"),
        attempt_id=attempt_id(text(item, "merchantReference")),
        verdict=verdict(code, reference, is_success=success),
        occurred_at=from_iso(text(item, "eventDate")),
        told_code=_reason_code(item),
        told_due_at=from_iso(text(item, "additionalData", "defensePeriodEndsAt")),
        report_url=_report_url(code, item),
        amount_minor=_minor(inside(item, "amount", "value")),
        currency=_currency(text(item, "amount", "currency")),
    )


def _report_url(code: str, item: object) -> str:
    return report_address(inside(item, "reason")) if subject(code) is Subject.REPORT else ""


def _reason_code(item: object) -> str:
    """Read why the scheme disputes, which Adyen's own samples write with a space before it."""
    names = ("chargebackReasonCode", "rfiReasonCode")
    found = (text(item, "additionalData", name).strip() for name in names)
    return next(filter(None, found), "")


def _platform_event(content: Mapping[str, object], body: bytes) -> PspEvent:
    kind = required(content, "type")
    # A report of a platform is known by its file, as the standard ones are.
    reference = text(content, "data", "fileName") or text(content, "data", "id")
    return PspEvent(
        psp=_PSP,
        event_id=_platform_event_id(content, kind, reference, body),
        event_type=kind,
        subject=_platform_subject(kind, content),
        reference=reference,
        attempt_id=attempt_id(text(content, "data", "reference")),
        occurred_at=from_iso(text(content, "timestamp")),
        amount_minor=_minor(inside(content, "data", "amount", "value")),
        currency=_currency(text(content, "data", "amount", "currency")),
        report_url=report_address(inside(content, "data", "downloadUrl")),
    )


def _platform_event_id(
    content: Mapping[str, object], kind: str, reference: str, body: bytes
) -> str:
    """Tell a transfer's events apart by Adyen's number of them, and others by their bytes."""
    number = inside(content, "data", "sequenceNumber")
    if not reference or not isinstance(number, int):
        return hashlib.sha256(body).hexdigest()
    return _digest(kind, reference, number)


def _platform_subject(kind: str, content: Mapping[str, object]) -> Subject:
    """Call a transfer a payout when it leaves the platform, or was ordered by us; such a one can be
    asked about.
    """
    if kind.startswith(_TRANSFER):
        is_ours = bool(attempt_id(text(content, "data", "reference")))
        leaves = is_ours or text(content, "data", "category") in _OUT_OF_THE_PLATFORM
        is_outgoing = text(content, "data", "direction") != "incoming"
        return Subject.PAYOUT if leaves and is_outgoing else Subject.OTHER
    found = (known for start, known in _PLATFORM_SUBJECTS.items() if kind.startswith(start))
    return next(found, Subject.OTHER)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _success(found: object) -> bool:
    if found is True or found == "true":
        return True
    if found is False or found == "false":
        return False
    raise UnreadableWebhook("success is neither true nor false.")


def _minor(value: object) -> int | None:
    """Read an amount, which Adyen's own samples write as a number and as a text."""
    written = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(written) if _MINOR.fullmatch(written) else None


def _currency(written: str) -> str:
    return written if _CURRENCY.fullmatch(written) else ""
