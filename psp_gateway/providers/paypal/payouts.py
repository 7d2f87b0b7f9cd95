"""Payouts at PayPal, by the published Payouts v1: a batch of one item, whose own name is the key.

PayPal refuses a `sender_batch_id` that was used in the last 30 days, and links to the original
payout; the link is followed. It pays once for one, whatever else became of the requests.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chassis.money import Money
from psp_gateway.domain.answer import Answer, Verdict, alarm, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import InvalidDestination, Refusal, inexpressible
from psp_gateway.domain.payout import Destination, Payout, PspAccount
from psp_gateway.domain.reasons import Reason
from psp_gateway.payout_ports import Terms
from psp_gateway.providers.paypal import units
from psp_gateway.providers.paypal.client import PayPalClient, Response, Result
from psp_gateway.providers.paypal.failures import after_sending, failure
from psp_gateway.webhook_body import inside, text

TERMS = Terms(key_retention=timedelta(days=30), can_find=False)

# batch_enum; what is under way, and what is done, is told by the item.
BATCHES: Mapping[str, Outcome] = {
    "PENDING": Outcome.PENDING,
    "PROCESSING": Outcome.PENDING,
    "SUCCESS": Outcome.PENDING,
    "DENIED": Outcome.DECLINED,
    "CANCELED": Outcome.DECLINED,
}
# transaction_enum; UNCLAIMED: the receiver has no account yet, and 30 days to make one.
ITEMS: Mapping[str, Outcome] = {
    "PENDING": Outcome.PENDING,
    "ONHOLD": Outcome.PENDING,
    "UNCLAIMED": Outcome.PENDING,
    "SUCCESS": Outcome.SUCCEEDED,
    "FAILED": Outcome.DECLINED,
    "BLOCKED": Outcome.DECLINED,
    "RETURNED": Outcome.DECLINED,
    "REFUNDED": Outcome.DECLINED,
    "REVERSED": Outcome.DECLINED,
}
_PAYEE = """
CURRENCY_NOT_SUPPORTED_FOR_RECEIVER INVALID_EMAIL RECEIVER_ACCOUNT_LOCKED
RECEIVER_COUNTRY_NOT_ALLOWED RECEIVER_REFUSED RECEIVER_STATE_RESTRICTED RECEIVER_UNCONFIRMED
RECEIVER_UNREGISTERED RECEIVING_LIMIT_EXCEEDED UNCONFIRMED_EMAIL
"""
_OURS = """
ACCOUNT_RESTRICTED ACCOUNT_UNCONFIRMED_EMAIL CLOSED_MARKET CURRENCY_COMPLIANCE DUPLICATE_ITEM
NON_HOLDING_CURRENCY POS_LIMIT_EXCEEDED SELF_PAY_NOT_ALLOWED SENDER_ACCOUNT_LOCKED
SENDER_ACCOUNT_UNVERIFIED SPENDING_LIMIT_EXCEEDED STATE_RESTRICTED TRANSACTION_LIMIT_EXCEEDED
USER_COUNTRY_NOT_ALLOWED ZERO_AMOUNT
"""
# developer.paypal.com/docs/payouts/standard/reference/errors: why an item failed; another is
# PSP_CANCELLED.
REASONS: Mapping[str, Reason] = {
    **dict.fromkeys(_PAYEE.split(), Reason.PAYMENT_METHOD_INVALID),
    **dict.fromkeys(_OURS.split(), Reason.PSP_REQUEST_INVALID),
    "INSUFFICIENT_FUNDS": Reason.INSUFFICIENT_FUNDS,
    "NEGATIVE_BALANCE": Reason.INSUFFICIENT_FUNDS,
    "INTERNAL_ERROR": Reason.PROCESSING_ERROR,
    "REGULATORY_BLOCKED": Reason.DO_NOT_RETRY,
    "RISK_DECLINE": Reason.SUSPECTED_FRAUD,
}
# Names of errors by which PayPal takes no batch in.
REFUSALS: Mapping[str, Reason] = {
    "AUTHORIZATION_ERROR": Reason.PSP_REQUEST_INVALID,
    "INSUFFICIENT_FUNDS": Reason.INSUFFICIENT_FUNDS,
    "INVALID_REQUEST": Reason.PSP_REQUEST_INVALID,
    "MALFORMED_REQUEST_ERROR": Reason.PSP_REQUEST_INVALID,
    "NOT_AUTHORIZED": Reason.PSP_REQUEST_INVALID,
    "SENDER_EMAIL_UNCONFIRMED": Reason.PSP_REQUEST_INVALID,
    "VALIDATION_ERROR": Reason.PSP_REQUEST_INVALID,
}

_PATH = "/v1/payments/payouts"
_REFUSED = frozenset({400, 403, 422})
_PAYER_ID = re.compile(r"[2-9A-HJ-NP-Z]{13}", re.ASCII)
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,62}", re.ASCII)
_BATCH_ID = re.compile(r"[0-9A-Za-z]{1,30}", re.ASCII)
_CODE = re.compile(r"[A-Z0-9_]{1,100}", re.ASCII)
_ITEM_NAME_MAX = 63


class PayPalPayouts:
    """`payout_ports.PayOut` at PayPal.

    Args:
        client: open.
    """

    def __init__(self, client: PayPalClient) -> None:
        self._client = client

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut.terms`."""
        return TERMS

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut.refusal`."""
        to = destination.to
        if not isinstance(to, PspAccount) or not _receiver(to.account.reveal()):
            return InvalidDestination("account", "PayPal pays to payer ids and e-mail addresses")
        try:
            units.to_wire(amount)
        except units.Inexpressible:
            return inexpressible("paypal", amount)
        return None

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut.send_payout`; one that PayPal has is read instead."""
        to = destination.to
        amount = units.to_wire(payout.amount)
        item = {
            **_receiver(to.account.reveal() if isinstance(to, PspAccount) else ""),
            "amount": {"currency": amount["currency_code"], "value": amount["value"]},
            "sender_item_id": item_name(payout.attempt_id),
            **({"note": destination.text} if destination.text else {}),
        }
        header = {"sender_batch_id": payout.attempt_id}
        body = {"sender_batch_header": header, "items": [item]}
        result = await self._client.post(_PATH, body, key=key)
        original = _original(result)
        if original:
            return after_sending(_read(await self._client.get(f"{_PATH}/{original}"), payout))
        return _read(result, payout)

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut.find_payout`."""
        return _read(await self._client.get(f"{_PATH}/{payout.psp_reference}"), payout)


def item_name(attempt_id: str) -> str:
    """Name an item by its attempt, in PayPal's 63 characters; always the same."""
    if len(attempt_id) <= _ITEM_NAME_MAX:
        return attempt_id
    return str(uuid5(NAMESPACE_URL, f"paymesh:{attempt_id}"))


def batch_answer(batch: Mapping[str, Any], payout: Payout, trace: str) -> Answer:
    """Tell what a batch says of the money, if it is the one that was asked for."""
    header = inside(batch, "batch_header")
    reference, status = text(header, "payout_batch_id"), text(header, "batch_status")
    if _BATCH_ID.fullmatch(reference) is None:
        return unusable(trace, psp_code=status)
    is_known = payout.psp_reference in ("", reference)
    name = text(header, "sender_batch_header", "sender_batch_id")
    items = batch.get("items", [])
    if not is_known or name != payout.attempt_id or not _is_ours(items, payout):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference)
    item = items[0] if items else {}
    outcome = BATCHES.get(status)
    if outcome is Outcome.PENDING and items:
        status = text(item, "transaction_status") or status
        outcome = ITEMS.get(status)
    if outcome is None:
        return alarm(trace, Reason.NO_USABLE_ANSWER, psp_code=status, reference=reference)
    if outcome is not Outcome.DECLINED:
        return Verdict(outcome, reference=reference, trace=trace)
    why = _code(text(item, "errors", "name"))
    is_blocked = status == "BLOCKED"
    other = Reason.DO_NOT_RETRY if is_blocked else Reason.PSP_CANCELLED
    reason = REASONS.get(why, other)
    return Verdict(outcome, reference=reference, reason=reason, psp_code=why or status, trace=trace)


def _is_ours(items: object, payout: Payout) -> bool:
    """Whether a batch has our item alone; when it has just been taken in none is told."""
    if not isinstance(items, list) or len(items) > 1:
        return False
    for item in items:
        amount = inside(item, "payout_item", "amount")
        wire = {
            "currency_code": inside(amount, "currency"),
            "value": inside(amount, "value"),
        }
        name = text(item, "payout_item", "sender_item_id")
        if name != item_name(payout.attempt_id) or not units.is_same(wire, payout.amount):
            return False
    return True


def _receiver(account: str) -> dict[str, str]:
    """Write whom an item is for; empty when it is nobody that PayPal knows."""
    if _PAYER_ID.fullmatch(account):
        return {"recipient_type": "PAYPAL_ID", "receiver": account}
    if _EMAIL.fullmatch(account):
        return {"recipient_type": "EMAIL", "receiver": account}
    return {}


def _original(result: Result) -> str:
    """Read the id of the batch that a refused duplicate links to; empty when there is none."""
    if not isinstance(result, Response) or result.status not in (400, 409, 422):
        return ""
    details, links = inside(result.body, "details"), inside(result.body, "links")
    fields = [text(one, "field") for one in (details if isinstance(details, list) else [])]
    if not any(field.lower().endswith("sender_batch_id") for field in fields):
        return ""
    for link in links if isinstance(links, list) else []:
        path, _, found = text(link, "href").rpartition("/")
        if path.endswith(_PATH) and _BATCH_ID.fullmatch(found):
            return found
    return ""


def _read(result: Result, payout: Payout) -> Answer:
    if not isinstance(result, Response):
        return failure(result)
    if result.status in (200, 201) and result.body is not None:
        return batch_answer(result.body, payout, result.trace)
    name = text(result.body, "name")
    code = _code(text(result.body, "details", 0, "issue")) or _code(name)
    if result.status in _REFUSED and name in REFUSALS:
        return Verdict(
            Outcome.DECLINED,
            reason=REFUSALS[name],
            psp_code=code,
            about_request=True,
            trace=result.trace,
        )
    verdict = failure(result)
    if verdict.outcome in (Outcome.DECLINED, Outcome.ACTION_REQUIRED) and not verdict.about_request:
        return unusable(verdict.trace, psp_code=code)  # of a payment, and no payout
    return replace(verdict, psp_code=code, redirect_url="")


def _code(found: str) -> str:
    """Read a code; about payouts PayPal writes sentences too, which may repeat the receiver."""
    return found if _CODE.fullmatch(found) else ""
