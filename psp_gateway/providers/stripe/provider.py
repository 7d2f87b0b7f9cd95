"""Stripe behind the gateway's ports: a PaymentIntent is created, its id committed, then it is
confirmed by that id.
"""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from chassis.money import Money
from psp_gateway.calls import told
from psp_gateway.domain.answer import Absent, Answer, unusable
from psp_gateway.domain.attempt import Attempt, Kind, Method, Stage
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.providers.stripe import mapping, units
from psp_gateway.providers.stripe.client import Response, Result, StripeClient

NAME = "stripe"
KEY_RETENTION = timedelta(hours=24)  # at least, says docs.stripe.com/api/idempotent_requests
# Stripe's payment methods of banks, each of one currency: docs.stripe.com/payments/bank-debits.
DEBITS = {"EUR": "sepa_debit", "USD": "us_bank_account"}
# The buyer has given his mandate where the token was made, and Stripe wants to be told so: offline
# acceptance is the record of an authorization that was given before. It is required only
# the first time; whether it is read later is not told. See "Collect mandate acknowledgement" in
# docs.stripe.com/payments/ach-direct-debit/migrating-from-charges; the fields are those of
# `mandate_data` of a confirmation in Stripe's OpenAPI description.
_MANDATE = {"mandate_data": {"customer_acceptance": {"type": "offline"}}}
CAPABILITIES = Capabilities(
    psp=NAME,
    # Of a wallet Stripe's SDK makes a payment method of the type card: docs.stripe.com/apple-pay.
    methods=frozenset({Method.CARD, Method.WALLET, Method.BANK_DEBIT}),
    first_stage=Stage.CREATE,
    can_look_up=True,
    captures=Captures.SEVERAL,
    refunds=True,
    hosted_page=True,
    payouts=True,
    disputes=True,
    key_retention=dict.fromkeys(Stage, KEY_RETENTION),
    debit_currencies=frozenset(DEBITS),
)

# Our clock and Stripe's may differ by so much when objects are listed by time.
_CLOCKS_DIFFER = timedelta(minutes=5)
_PAGE_SIZE = 100
_PAGES_MAX = 100


class StripeProvider:
    """`ports.Provider` at Stripe.

    Args:
        client: open.
        return_url: where a buyer comes back to after 3-D Secure by redirect; empty for none.
    """

    def __init__(self, client: StripeClient, *, return_url: str = "") -> None:
        self._client = client
        self._confirmation = {"return_url": return_url} if return_url else {}

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
        """See `ports.Charge.create_charge`."""
        fields = {
            "amount": units.to_minor(attempt.amount),
            "currency": attempt.amount.currency.lower(),
            "payment_method": token,
            "payment_method_types": [_type_of(attempt)],
            "capture_method": "manual" if attempt.kind is Kind.AUTHORIZATION else "automatic",
            "metadata": _metadata(attempt),
            **mapping.several(attempt),
        }
        call = self._client.post("/payment_intents", fields, key=key)
        return await self._told("create", attempt, call, mapping.read_created)

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge.confirm_charge`."""
        path = f"/payment_intents/{attempt.psp_reference}/confirm"
        mandate = _MANDATE if attempt.method is Method.BANK_DEBIT else {}
        fields = {**self._confirmation, **_expansion(attempt), **mandate}
        call = self._client.post(path, fields, key=key)
        return await self._told("confirm", attempt, call, mapping.read_charge)

    async def cancel_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Abandon.cancel_charge`."""
        path = f"/payment_intents/{attempt.psp_reference}/cancel"
        call = self._client.post(path, {"cancellation_reason": "abandoned"}, key=key)
        return await self._told("cancel", attempt, call, mapping.read_charge)

    async def capture_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.capture_charge`."""
        path = f"/payment_intents/{attempt.charge_reference}/capture"
        fields: dict[str, Any] = {"amount_to_capture": units.to_minor(attempt.amount)}
        if attempt.is_one_of_several:
            # Stripe keeps no list of captures: what it writes down together with ours tells of it.
            written = {mapping.capture_name(attempt): str(units.to_minor(attempt.amount))}
            fields |= {"final_capture": str(attempt.is_final).lower(), "metadata": written}
        call = self._client.post(path, fields, key=key)
        return await self._told("capture", attempt, call, mapping.read_hold)

    async def void_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.void_charge`."""
        path = f"/payment_intents/{attempt.charge_reference}/cancel"
        call = self._client.post(path, {}, key=key)
        return await self._told("void", attempt, call, mapping.read_hold)

    async def refund_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Refund.refund_charge`."""
        fields = {
            "payment_intent": attempt.charge_reference,
            "amount": units.to_minor(attempt.amount),
            "metadata": _metadata(attempt),
        }
        call = self._client.post("/refunds", fields, key=key)
        return await self._told("refund", attempt, call, mapping.read_refund)

    async def read_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.read_charge`."""
        call = self._client.get(f"/payment_intents/{attempt.psp_reference}", _expansion(attempt))
        return await self._told("read", attempt, call, mapping.read_charge)

    async def read_hold(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.read_hold`."""
        call = self._client.get(f"/payment_intents/{attempt.charge_reference}")
        return await self._told("read", attempt, call, mapping.read_hold)

    async def find_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.find_charge`; by listing, since Stripe's search is stale."""
        since = attempt.created_at - _CLOCKS_DIFFER
        fields = {"created": {"gte": int(since.timestamp())}}
        return await self._find("/payment_intents", fields, attempt, is_refund=False)

    async def find_refund(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.find_refund`."""
        fields = {"payment_intent": attempt.charge_reference}
        return await self._find("/refunds", fields, attempt, is_refund=True)

    async def _find(
        self, path: str, fields: dict[str, Any], attempt: Attempt, *, is_refund: bool
    ) -> Answer:
        """Go through the pages, the newest first, until ours is found or nothing is left."""
        fields = {**fields, "limit": _PAGE_SIZE}
        for _ in range(_PAGES_MAX):
            page: list[Any] = []

            def read(result: Result, attempt: Attempt, page: list[Any] = page) -> Answer:
                body = result.body if isinstance(result, Response) else None
                if body is None or not isinstance(body.get("data"), list):
                    return mapping.read_failure(result)
                page.extend([body.get("has_more"), *body["data"]])
                trace = result.trace if isinstance(result, Response) else ""
                return mapping.find(body["data"], attempt, trace, is_refund=is_refund)

            call = self._client.get(path, fields)
            answer = await self._told("list", attempt, call, read)
            if not isinstance(answer, Absent) or len(page) < 2 or page[0] is not True:
                return answer
            last = page[-1].get("id") if isinstance(page[-1], dict) else None
            fields["starting_after"] = last
        return unusable("too many pages")

    async def _told(
        self, operation: str, attempt: Attempt, call: Awaitable[Result], read: Any
    ) -> Answer:
        return await told(NAME, operation, attempt, call, read)


def _expansion(attempt: Attempt) -> dict[str, list[str]]:
    """Ask for the charge of what is held: it alone tells until when."""
    return {"expand": ["latest_charge"]} if attempt.kind is Kind.AUTHORIZATION else {}


def _type_of(attempt: Attempt) -> str:
    is_debit = attempt.method is Method.BANK_DEBIT
    return DEBITS[attempt.amount.currency] if is_debit else "card"


def _metadata(attempt: Attempt) -> dict[str, str]:
    return {
        "payment_id": attempt.payment_id,
        "attempt_id": attempt.attempt_id,
        "client_id": attempt.client_id,
    }
