"""Adyen behind the gateway's ports: one request charges, its key is all the look-up there is, and
what becomes of captures, cancels and refunds is told by webhooks.
"""

from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any

from chassis.money import Money
from psp_gateway.calls import told
from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Attempt, Kind, Method, Outcome, Stage
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.adyen import mapping, units
from psp_gateway.providers.adyen.client import AdyenClient, Result
from psp_gateway.return_address import with_attempt

NAME = "adyen"
# The pages of Adyen differ, 7 or 31 days: the shorter is planned with.
KEY_RETENTION = timedelta(days=7)
# Adyen's payment methods of banks, by their schemas SepaDirectDebitDetails and AchDetails.
DEBITS = {"EUR": "sepadirectdebit", "USD": "ach"}
CAPABILITIES = Capabilities(
    psp=NAME,
    methods=frozenset({Method.CARD, Method.BANK_DEBIT}),
    first_stage=Stage.CONFIRM,
    can_look_up=False,
    # Where the account has "multiple partial captures"; elsewhere a part lets go of the rest, says
    # CheckoutService v71 of POST /payments/{paymentPspReference}/captures.
    captures=Captures.SEVERAL,
    refunds=True,
    hosted_page=True,
    payouts=True,
    disputes=True,
    key_retention=dict.fromkeys(Stage, KEY_RETENTION),
    debit_currencies=frozenset(DEBITS),
)
# What a buyer may bring back, by the description of /payments/details.
_DETAILS = ("redirectResult", "threeDSResult", "payload", "MD", "PaRes")

_NOTHING_TO_ASK = Verdict(
    Outcome.UNKNOWN, reason=Reason.NO_USABLE_ANSWER, about_request=True, trace="no look-up"
)


class AdyenProvider:
    """`ports.Provider` at Adyen.

    Args:
        client: open.
        merchant_account: whom the money is for.
        return_url: where a buyer comes back to after 3-D Secure by redirect; empty for none.
    """

    def __init__(self, client: AdyenClient, *, merchant_account: str, return_url: str = "") -> None:
        self._client = client
        self._account = {"merchantAccount": merchant_account}
        self._return_url = return_url

    @property
    def capabilities(self) -> Capabilities:
        """See `ports.Provider.capabilities`."""
        return CAPABILITIES

    def takes(self, currency: str) -> bool:
        """See `ports.Provider.takes`."""
        return units.takes(currency)

    def can_express(self, amount: Money) -> bool:
        """See `ports.Provider.can_express`."""
        try:
            units.to_minor(amount)
        except units.Inexpressible:
            return False
        return True

    async def create_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge.create_charge`; there is no object to be made first."""
        return _NOTHING_TO_ASK

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge.confirm_charge`.

        A token is `<shopperReference>:<storedPaymentMethodId>`; without a colon the shopper is the
        client that asks.
        """
        shopper, colon, stored = token.partition(":")
        is_held = attempt.kind is Kind.AUTHORIZATION
        content = {
            **self._account,
            **self._return_to(attempt),
            "amount": units.to_wire(attempt.amount),
            "reference": attempt.attempt_id,
            "paymentMethod": {
                "type": _type_of(attempt),
                "storedPaymentMethodId": stored if colon else token,
            },
            "shopperReference": shopper if colon else attempt.client_id,
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "CardOnFile",
            "metadata": {"payment_id": attempt.payment_id, "client_id": attempt.client_id},
            # Said always: whether a charge is held must not hang on a setting of the account's.
            "additionalData": {"manualCapture": "true" if is_held else "false"},
            **({} if is_held else {"captureDelayHours": 0}),
        }
        call = self._client.post("/payments", content, key=key)
        return await self._told("confirm", attempt, call, mapping.read_charge)

    async def complete_charge(
        self, attempt: Attempt, *, details: Mapping[str, str], key: str
    ) -> Answer:
        """See `ports.Return.complete_charge`."""
        brought = {name: details[name] for name in _DETAILS if details.get(name)}
        call = self._client.post("/payments/details", {"details": brought}, key=key)
        return await self._told("complete", attempt, call, mapping.read_charge)

    async def cancel_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Abandon.cancel_charge`: by our own reference, which is all that is known of a
        charge that never answered. A webhook tells what came of it.
        """
        content = {
            **self._account,
            "paymentReference": attempt.attempt_id,
            "reference": attempt.attempt_id,
        }
        call = self._client.post("/cancels", content, key=key)
        return await self._told("cancel", attempt, call, _read_payments)

    async def capture_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.capture_charge`."""
        content = {"amount": units.to_wire(attempt.amount)}
        return await self._modify("capture", "captures", attempt, content, key, _read_payments)

    async def void_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.void_charge`."""
        return await self._modify("void", "cancels", attempt, {}, key, _read_payments)

    async def refund_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Refund.refund_charge`."""
        content = {"amount": units.to_wire(attempt.amount)}
        return await self._modify("refund", "refunds", attempt, content, key, _read_own)

    async def read_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`; Adyen cannot be asked."""
        return _NOTHING_TO_ASK

    async def read_hold(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`; Adyen cannot be asked."""
        return _NOTHING_TO_ASK

    async def find_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`; Adyen cannot be asked."""
        return _NOTHING_TO_ASK

    async def find_refund(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`; Adyen cannot be asked."""
        return _NOTHING_TO_ASK

    def _return_to(self, attempt: Attempt) -> dict[str, str]:
        """Tell Adyen where the buyer comes back to."""
        return {"returnUrl": with_attempt(self._return_url, attempt)} if self._return_url else {}

    async def _modify(
        self,
        operation: str,
        what: str,
        attempt: Attempt,
        content: Mapping[str, object],
        key: str,
        read: Any,
    ) -> Answer:
        path = f"/payments/{attempt.charge_reference}/{what}"
        asked = {**self._account, **content, "reference": attempt.attempt_id}
        return await self._told(operation, attempt, self._client.post(path, asked, key=key), read)

    async def _told(
        self, operation: str, attempt: Attempt, call: Awaitable[Result], read: Any
    ) -> Answer:
        return await told(NAME, operation, attempt, call, read)


def _type_of(attempt: Attempt) -> str:
    is_debit = attempt.method is Method.BANK_DEBIT
    return DEBITS[attempt.amount.currency] if is_debit else "scheme"


def _read_own(result: Result, attempt: Attempt) -> Answer:
    return mapping.read_modification(result, attempt, by_payment=False)


def _read_payments(result: Result, attempt: Attempt) -> Answer:
    return mapping.read_modification(result, attempt, by_payment=True)
