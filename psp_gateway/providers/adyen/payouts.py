"""Payouts at Adyen: transfers out of a balance account, by the published Transfers v4.

A transfer to a balance account stays on the platform; one to a transfer instrument goes to a bank,
which may refuse it, or send it back days after it was booked.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Verdict, alarm, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import InvalidDestination, Refusal, inexpressible
from psp_gateway.domain.payout import Destination, Payout, PspAccount
from psp_gateway.domain.reasons import Reason
from psp_gateway.payout_ports import Terms
from psp_gateway.providers.adyen import units
from psp_gateway.providers.adyen.client import AdyenClient, Response, Result
from psp_gateway.providers.adyen.mapping import read_failure, text

API_BASE = "https://balanceplatform-api-test.adyen.com/btl"
PATH = "v4"
# The pages of Adyen differ, 7 or 31 days: the shorter is planned with.
TERMS = Terms(key_retention=timedelta(days=7), can_find=True)

# TransferData.status; what is not here, or is of transfers that are no payouts, is not understood.
STATUSES: Mapping[str, Outcome] = {
    "approvalPending": Outcome.PENDING,
    "pendingApproval": Outcome.PENDING,
    "pendingExecution": Outcome.PENDING,
    "pending": Outcome.PENDING,
    "received": Outcome.PENDING,
    "authorised": Outcome.PENDING,
    "bookingPending": Outcome.PENDING,
    "bankTransferPending": Outcome.PENDING,
    "internalTransferPending": Outcome.PENDING,
    "booked": Outcome.SUCCEEDED,
    "refused": Outcome.DECLINED,
    "rejected": Outcome.DECLINED,
    "cancelled": Outcome.DECLINED,
    "expired": Outcome.DECLINED,
    "failed": Outcome.DECLINED,
    "returned": Outcome.DECLINED,
}
_PAYEE = Reason.PAYMENT_METHOD_INVALID
_TROUBLE = Reason.PROCESSING_ERROR
# TransferData.reason, those that a transfer to an account can have; another is PSP_CANCELLED.
REASONS: Mapping[str, Reason] = {
    "accountHierarchyNotActive": Reason.PSP_REQUEST_INVALID,
    "amountLimitExceeded": Reason.PSP_REQUEST_INVALID,
    "approvalExpired": Reason.PSP_CANCELLED,
    "balanceAccountTemporarilyBlockedByTransactionRule": Reason.PSP_REQUEST_INVALID,
    "cancelled": Reason.PSP_CANCELLED,
    "counterpartyAccountBlocked": _PAYEE,
    "counterpartyAccountClosed": _PAYEE,
    "counterpartyAccountNotFound": _PAYEE,
    "counterpartyAddressRequired": _PAYEE,
    "counterpartyBankTimedOut": _TROUBLE,
    "counterpartyBankUnavailable": _TROUBLE,
    "declined": Reason.PSP_CANCELLED,
    "declinedByTransactionRule": Reason.PSP_REQUEST_INVALID,
    "directDebitNotSupported": Reason.PSP_REQUEST_INVALID,
    "error": _TROUBLE,
    "fraud": Reason.SUSPECTED_FRAUD,
    "internalTimeout": _TROUBLE,
    "invalidAccount": _PAYEE,
    "invalidAmount": Reason.PSP_REQUEST_INVALID,
    "invalidToAccount": _PAYEE,
    "notEnoughBalance": Reason.INSUFFICIENT_FUNDS,
    "refusedByCounterpartyBank": _PAYEE,
    "refusedByCustomer": Reason.PSP_CANCELLED,
    "routeNotFound": _PAYEE,
    "transactionNotPermitted": Reason.PSP_REQUEST_INVALID,
    "transferInstrumentDoesNotExist": _PAYEE,
    "unableToRouteTransaction": _PAYEE,
    "withdrawalAmountExceeded": Reason.PSP_REQUEST_INVALID,
    "withdrawalCountExceeded": Reason.PSP_REQUEST_INVALID,
}

_BALANCE_ACCOUNT = re.compile(r"BA[0-9A-Za-z]{1,60}", re.ASCII)
_INSTRUMENT = re.compile(r"SE[0-9A-Za-z]{1,60}", re.ASCII)
_CLOCKS_DIFFER = timedelta(minutes=5)
_SEEN_FOR = timedelta(days=150)  # of a list: at most six months


class AdyenPayouts:
    """`payout_ports.PayOut` at Adyen.

    Args:
        client: of the Transfers API.
        balance_account: whose money it is.
    """

    def __init__(self, client: AdyenClient, *, balance_account: str) -> None:
        self._client = client
        self._account = balance_account

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut.terms`."""
        return TERMS

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut.refusal`."""
        to = destination.to
        if not isinstance(to, PspAccount) or not _party(to.account.reveal()):
            why = "Adyen pays to balance accounts, BA…, and transfer instruments, SE…"
            return InvalidDestination("account", why)
        try:
            units.to_minor(amount)
        except units.Inexpressible:
            return inexpressible("adyen", amount)
        return None

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut.send_payout`."""
        to = destination.to
        content = {
            "amount": units.to_wire(payout.amount),
            "balanceAccountId": self._account,
            **_party(to.account.reveal() if isinstance(to, PspAccount) else ""),
            "reference": payout.attempt_id,
            **({"description": destination.text} if destination.text else {}),
        }
        return _read(await self._client.post("/transfers", content, key=key), payout)

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut.find_payout`; by its id, else by our reference."""
        if payout.psp_reference:
            return _read(await self._client.get(f"/transfers/{payout.psp_reference}"), payout)
        since = payout.created_at - _CLOCKS_DIFFER
        query = {
            "balanceAccountId": self._account,
            "reference": payout.attempt_id,
            "createdSince": since.isoformat(timespec="seconds"),
            "createdUntil": (since + _SEEN_FOR).isoformat(timespec="seconds"),
            "limit": 100,
        }
        result = await self._client.get(f"/transfers?{urlencode(query)}")
        if not isinstance(result, Response) or result.status != 200:
            return read_failure(result)
        listed = (result.body or {}).get("data")
        if not isinstance(listed, list):
            return unusable(result.trace)
        ours = [one for one in listed if text(one, "reference") == payout.attempt_id]
        if len(ours) > 1:  # under one key there can be but one
            return alarm(result.trace, Reason.AMOUNT_MISMATCH, psp_code="several")
        return transfer_answer(ours[0], payout, result.trace) if ours else Absent(result.trace)


def transfer_answer(transfer: Mapping[str, Any], payout: Payout, trace: str) -> Answer:
    """Tell what a transfer says of the money, if it is the one that was asked for."""
    reference, status = text(transfer, "id"), text(transfer, "status")
    outcome = STATUSES.get(status)
    if not reference:
        return unusable(trace, psp_code=status)
    is_known = payout.psp_reference in ("", reference)
    is_ours = text(transfer, "reference") == payout.attempt_id
    leaves = transfer.get("direction") in (None, "outgoing")
    if not (is_known and is_ours and leaves and _agrees(transfer.get("amount"), payout)):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference)
    if outcome is None:
        return alarm(trace, Reason.NO_USABLE_ANSWER, psp_code=status, reference=reference)
    if outcome is not Outcome.DECLINED:
        return Verdict(outcome, reference=reference, trace=trace)
    why = text(transfer, "reason")
    return Verdict(
        outcome,
        reference=reference,
        reason=REASONS.get(why, Reason.PSP_CANCELLED),
        psp_code=why or status,
        trace=trace,
    )


def _party(account: str) -> dict[str, object]:
    """Write the other side of a transfer; empty when it is none that Adyen knows."""
    if _BALANCE_ACCOUNT.fullmatch(account):
        return {"category": "internal", "counterparty": {"balanceAccountId": account}}
    if _INSTRUMENT.fullmatch(account):
        counterparty = {"transferInstrumentId": account}
        return {"category": "bank", "counterparty": counterparty, "priority": "regular"}
    return {}


def _read(result: Result, payout: Payout) -> Answer:
    if isinstance(result, Response) and result.status in (200, 202) and result.body is not None:
        return transfer_answer(result.body, payout, result.trace)
    return read_failure(result)


def _agrees(amount: object, payout: Payout) -> bool:
    if not isinstance(amount, Mapping):
        return False
    value, asked = amount.get("value"), units.to_minor(payout.amount)
    is_same = type(value) is int and value == asked
    return is_same and amount.get("currency") == payout.amount.currency
