"""Stripe's published test tokens and what each brings about.

From docs.stripe.com/testing. An unknown token succeeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a card is refused, as Stripe tells it."""

    code: str
    decline_code: str
    message: str
    param: str | None = None


_SEVERAL = frozenset({"amex", "discover", "mastercard", "visa"})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a payment method does when it is charged.

    Args:
        decline: the refusal; after authentication when that is asked for too.
        authenticates: whether 3-D Secure is asked for when the buyer is there.
        settle_s: seconds of the sandbox's clock until a slow method is decided; None: at once.
        settles: whether it is ever decided.
        refund: what becomes of its refunds.
        dispute: why its charges are disputed at once; empty when they are not.
        asks_first: whether the dispute begins as an inquiry.
        method: Stripe's type of the payment method.
        brand, last4: of a card.
        wallet: Stripe's type of the wallet that the card is in; empty for none.
        share: what of the amount it pays, or lets be held: one of so many parts, rounded down.
    """

    decline: Decline | None = None
    authenticates: bool = False
    settle_s: float | None = None
    settles: bool = True
    refund: str = "succeeds"
    dispute: str = ""
    asks_first: bool = False
    method: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    wallet: str = ""
    share: int = 1

    @property
    def takes_several(self) -> bool:
        """Whether what is held is captured several times: docs.stripe.com/payments/multicapture."""
        return self.method == "card" and self.brand in _SEVERAL


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


GENERIC = _declined("generic_decline")
INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
_PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
_VELOCITY = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount "
    "limit.",
)

# Written with and without the brand in Stripe's own pages: pm_card_visa_chargeDeclined too.
_DECLINES = {
    "chargeDeclined": (GENERIC, "0002"),
    "chargeDeclinedInsufficientFunds": (INSUFFICIENT_FUNDS, "9995"),
    "chargeDeclinedLostCard": (_declined("lost_card"), "9987"),
    "chargeDeclinedStolenCard": (_declined("stolen_card"), "9979"),
    "chargeDeclinedExpiredCard": (
        Decline("expired_card", "expired_card", "Your card has expired.", "exp_month"),
        "0069",
    ),
    "chargeDeclinedIncorrectCvc": (
        Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "cvc"),
        "0127",
    ),
    "chargeDeclinedProcessingError": (_PROCESSING_ERROR, "0119"),
    "chargeDeclinedIncorrectNumber": (
        Decline("incorrect_number", "incorrect_number", "Your card number is incorrect.", "number"),
        "4241",
    ),
    "chargeDeclinedFraudulent": (_declined("fraudulent"), "0019"),
    "chargeDeclinedVelocityLimitExceeded": (_VELOCITY, "6975"),
    "chargeCustomerFail": (GENERIC, "0341"),
    "radarBlock": (_declined("fraudulent"), "0019"),
}
_BRANDS = {
    "visa": ("visa", "4242"),
    "visa_debit": ("visa", "5556"),
    "mastercard": ("mastercard", "4444"),
    "mastercard_debit": ("mastercard", "8210"),
    "mastercard_prepaid": ("mastercard", "5100"),
    "amex": ("amex", "8431"),
    "discover": ("discover", "1117"),
    "diners": ("diners", "0004"),
    "jcb": ("jcb", "0505"),
    "unionpay": ("unionpay", "0005"),
}
_AUTHENTICATED = {
    "threeDSecure2Required": (None, "3220"),
    "threeDSecureRequired": (None, "0027"),
    "threeDSecureRequiredChargeDeclined": (GENERIC, "1629"),
    "authenticationRequired": (None, "3184"),
    "authenticationRequiredOnSetup": (None, "3155"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": (INSUFFICIENT_FUNDS, "8260"),
}
_BANK_SETTLE_S = 60.0
_BANK_FUNDS = Decline(
    "payment_intent_payment_attempt_failed",
    "insufficient_funds",
    "The customer's account has insufficient funds to cover this payment.",
)
_BANK = "us_bank_account"


_SEPA = "sepa_debit"
# docs.stripe.com/payments/sepa-debit: five business days, give or take.
_SEPA_SETTLE_S = 5 * 86_400.0
DEBITS = frozenset({_BANK, _SEPA})


def _bank_refusal(code: str, message: str) -> Decline:
    return Decline("payment_intent_payment_attempt_failed", code, message)


def _wallets() -> dict[str, Behaviour]:
    """Make cards in wallets. Stripe's SDKs make their payment methods in a browser or a telephone,
    and it publishes none: these names are the sandbox's own.
    """
    table = {}
    for name in ("apple_pay", "google_pay"):
        table[f"pm_{name}"] = Behaviour(wallet=name)
        table[f"pm_{name}_chargeDeclined"] = Behaviour(decline=GENERIC, wallet=name)
    return table


def _table() -> dict[str, Behaviour]:
    table = {
        f"pm_card_{name}": Behaviour(brand=brand, last4=last4)
        for name, (brand, last4) in _BRANDS.items()
    }
    for name, (decline, last4) in _DECLINES.items():
        behaviour = Behaviour(decline=decline, last4=last4)
        table[f"pm_card_{name}"] = table[f"pm_card_visa_{name}"] = behaviour
    for name, (decline_after, last4) in _AUTHENTICATED.items():
        behaviour = Behaviour(decline=decline_after, authenticates=True, last4=last4)
        table[f"pm_card_{name}"] = behaviour
    table["pm_card_threeDSecureOptional"] = Behaviour(last4="3055")
    table["pm_card_pendingRefund"] = Behaviour(refund="pends", last4="7726")
    table["pm_card_refundFail"] = Behaviour(refund="fails", last4="5126")
    # docs.stripe.com/testing#disputes
    table["pm_card_createDispute"] = Behaviour(dispute="fraudulent", last4="0259")
    table["pm_card_createDisputeProductNotReceived"] = Behaviour(
        dispute="product_not_received", last4="2685"
    )
    table["pm_card_createDisputeInquiry"] = Behaviour(
        dispute="fraudulent", asks_first=True, last4="1976"
    )
    # Stripe publishes no card that pays a part of what is asked; the name is the sandbox's own.
    table["pm_card_partial"] = Behaviour(share=2)
    table.update(_wallets())
    table["pm_usBankAccount_success"] = Behaviour(
        settle_s=_BANK_SETTLE_S, method=_BANK, last4="6789"
    )
    table["pm_usBankAccount_insufficientFunds"] = Behaviour(
        decline=_BANK_FUNDS, settle_s=_BANK_SETTLE_S, method=_BANK, last4="2227"
    )
    for name, code, message in (
        ("accountClosed", "bank_account_closed", "The customer's bank account has been closed."),
        ("noAccount", "no_account", "The customer's bank account could not be located."),
        ("debitNotAuthorized", "debit_not_authorized", "The customer has not authorized it."),
    ):
        table[f"pm_usBankAccount_{name}"] = Behaviour(
            decline=_bank_refusal(code, message),
            settle_s=_BANK_SETTLE_S,
            method=_BANK,
            last4="1113",
        )
    table["pm_usBankAccount_dispute"] = Behaviour(
        dispute="bank_cannot_process", settle_s=_BANK_SETTLE_S, method=_BANK, last4="1227"
    )
    # Stripe publishes IBANs for SEPA, and no payment methods; these names are the sandbox's own.
    table["sepa_debit_fails"] = Behaviour(
        decline=_bank_refusal("", "The customer's bank did not pay."),
        settle_s=_SEPA_SETTLE_S,
        method=_SEPA,
        last4="3002",
    )
    table["sepa_debit_disputed"] = Behaviour(
        dispute="debit_not_authorized", settle_s=_SEPA_SETTLE_S, method=_SEPA, last4="3005"
    )
    table["pm_usBankAccount_processing"] = Behaviour(
        settle_s=0.0, settles=False, method=_BANK, last4="1116"
    )
    return table


TOKENS: Mapping[str, Behaviour] = MappingProxyType(_table())
_ORDINARY = Behaviour()


# What an unknown token is, by the only type that the intent takes.
_UNKNOWN: Mapping[tuple[str, ...], Behaviour] = MappingProxyType(
    {
        (_BANK,): Behaviour(settle_s=_BANK_SETTLE_S, method=_BANK, last4="6789"),
        (_SEPA,): Behaviour(settle_s=_SEPA_SETTLE_S, method=_SEPA, last4="3000"),
    }
)


def behaviour_of(token: str, types: tuple[str, ...] = ("card",)) -> Behaviour:
    """Tell what a payment method does; an unknown one succeeds, a bank's after a while.

    Args:
        token: the payment method.
        types: what its intent takes.
    """
    return TOKENS.get(token) or _UNKNOWN.get(types, _ORDINARY)
