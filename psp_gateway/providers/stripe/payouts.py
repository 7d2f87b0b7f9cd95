"""Payouts at Stripe: transfers to connected accounts, docs.stripe.com/api/transfers.

The money is on the account when Stripe answers, and back when the transfer is reversed.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Verdict, alarm, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import InvalidDestination, Refusal, inexpressible
from psp_gateway.domain.payout import Destination, Payout, PspAccount
from psp_gateway.domain.reasons import Reason
from psp_gateway.payout_ports import Terms
from psp_gateway.providers.stripe import units
from psp_gateway.providers.stripe.client import Response, Result, StripeClient
from psp_gateway.providers.stripe.mapping import read_failure
from psp_gateway.webhook_body import text

# At least, says docs.stripe.com/api/idempotent_requests.
TERMS = Terms(key_retention=timedelta(hours=24), can_find=True)
# docs.stripe.com/error-codes, those that a transfer can have; another is PSP_REQUEST_INVALID.
REFUSALS: Mapping[str, Reason] = {
    "account_closed": Reason.PAYMENT_METHOD_INVALID,
    "account_invalid": Reason.PAYMENT_METHOD_INVALID,
    "account_country_invalid_address": Reason.PAYMENT_METHOD_INVALID,
    "amount_too_large": Reason.PSP_REQUEST_INVALID,
    "amount_too_small": Reason.PSP_REQUEST_INVALID,
    "balance_insufficient": Reason.INSUFFICIENT_FUNDS,
    "insufficient_capabilities_for_transfer": Reason.PAYMENT_METHOD_INVALID,
    "platform_account_required": Reason.PSP_REQUEST_INVALID,
    "resource_missing": Reason.PAYMENT_METHOD_INVALID,
    "transfers_not_allowed": Reason.PAYMENT_METHOD_INVALID,
}

_ACCOUNT = re.compile(r"acct_[A-Za-z0-9_]{1,64}", re.ASCII)
_PAGE_SIZE = 100
_PAGES_MAX = 10  # of one payout's transfers: it has few


class StripePayouts:
    """`payout_ports.PayOut` at Stripe.

    Args:
        client: open.
    """

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut.terms`."""
        return TERMS

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut.refusal`."""
        to = destination.to
        if not isinstance(to, PspAccount) or _ACCOUNT.fullmatch(to.account.reveal()) is None:
            return InvalidDestination("account", "Stripe pays to connected accounts, acct_…")
        try:
            units.to_minor(amount)
        except units.Inexpressible:
            return inexpressible("stripe", amount)
        return None

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut.send_payout`."""
        to = destination.to
        fields: dict[str, object] = {
            "amount": units.to_minor(payout.amount),
            "currency": payout.amount.currency.lower(),
            "destination": to.account.reveal() if isinstance(to, PspAccount) else "",
            "transfer_group": payout.payout_id,
            "metadata": {
                "attempt_id": payout.attempt_id,
                "payout_id": payout.payout_id,
                "client_id": payout.client_id,
            },
        }
        if destination.text:
            fields["description"] = destination.text
        return _read(await self._client.post("/transfers", fields, key=key), payout)

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut.find_payout`; by its id, else among those of its group."""
        if payout.psp_reference:
            return _read(await self._client.get(f"/transfers/{payout.psp_reference}"), payout)
        fields: dict[str, object] = {"transfer_group": payout.payout_id, "limit": _PAGE_SIZE}
        for _ in range(_PAGES_MAX):
            result = await self._client.get("/transfers", fields)
            listed = result.body.get("data") if isinstance(result, Response) and result.body else 0
            if not isinstance(listed, list) or not isinstance(result, Response):
                return _failure(result)
            for one in listed:
                if text(one, "metadata", "attempt_id") == payout.attempt_id:
                    return transfer_answer(one, payout, result.trace)
            more = (result.body or {}).get("has_more")
            if more is False:
                return Absent(result.trace)
            last = text(listed[-1], "id") if listed else ""
            if more is not True or not last:
                return unusable(result.trace)
            fields["starting_after"] = last
        return unusable("too many pages")


def transfer_answer(transfer: Mapping[str, Any], payout: Payout, trace: str) -> Answer:
    """Tell what a Transfer says of the money, if it is the one that was asked for."""
    reference = text(transfer, "id")
    if transfer.get("object") != "transfer" or not reference:
        return unusable(trace)
    ours = text(transfer, "metadata", "attempt_id") == payout.attempt_id
    is_known = payout.psp_reference in ("", reference)
    if not ours or not is_known or not _agrees(transfer, payout):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference)
    amount, back = transfer.get("amount"), transfer.get("amount_reversed")
    if back == 0 and transfer.get("reversed") is False:
        return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)
    if back == amount and transfer.get("reversed") is True:
        reason = Reason.PSP_CANCELLED
        return Verdict(
            Outcome.DECLINED, reference=reference, reason=reason, psp_code="reversed", trace=trace
        )
    # A part of it was taken back, by hand: a person must look.
    return alarm(trace, Reason.AMOUNT_MISMATCH, psp_code="amount_reversed", reference=reference)


def _read(result: Result, payout: Payout) -> Answer:
    if isinstance(result, Response) and result.status == 200 and result.body is not None:
        return transfer_answer(result.body, payout, result.trace)
    return _failure(result)


def _failure(result: Result) -> Verdict:
    verdict = read_failure(result)
    if verdict.outcome is not Outcome.DECLINED:
        return verdict
    if not verdict.about_request:  # a card's decline is no answer to a transfer
        return unusable(verdict.trace, psp_code=verdict.psp_code)
    return replace(verdict, reason=REFUSALS.get(verdict.psp_code, Reason.PSP_REQUEST_INVALID))


def _agrees(transfer: Mapping[str, Any], payout: Payout) -> bool:
    amount = transfer.get("amount")
    is_same = type(amount) is int and amount == units.to_minor(payout.amount)
    return is_same and transfer.get("currency") == payout.amount.currency.lower()
