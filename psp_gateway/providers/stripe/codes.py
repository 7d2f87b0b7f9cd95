"""Stripe's words for why money did not come, and ours: pure tables.

Cards: https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes.

Bank debits by ACH: https://docs.stripe.com/declines/network-codes, which names the return codes of
the network that each stands for. Of accounts that Stripe itself has blocked:
https://docs.stripe.com/payments/ach-direct-debit/blocked-bank-accounts. The rest are values of
`last_payment_error.code` of a PaymentIntent in Stripe's OpenAPI description
(github.com/stripe/openapi). Of SEPA Stripe publishes no table: what of those values speaks of it is
here, and nothing is guessed.
"""

from collections.abc import Mapping

from psp_gateway.domain.reasons import Reason

_CARDS: Mapping[str, Reason] = {
    "authentication_required": Reason.AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": Reason.AUTHENTICATION_REQUIRED,
    "authentication_not_handled": Reason.AUTHENTICATION_REQUIRED,
    "mobile_device_authentication_required": Reason.AUTHENTICATION_REQUIRED,
    "card_not_supported": Reason.PAYMENT_METHOD_INVALID,
    "currency_not_supported": Reason.PAYMENT_METHOD_INVALID,
    "invalid_account": Reason.PAYMENT_METHOD_INVALID,
    "new_account_information_available": Reason.PAYMENT_METHOD_INVALID,
    "incorrect_number": Reason.PAYMENT_METHOD_INVALID,
    "invalid_number": Reason.PAYMENT_METHOD_INVALID,
    "expired_card": Reason.CARD_EXPIRED,
    "invalid_expiry_month": Reason.CARD_EXPIRED,
    "invalid_expiry_year": Reason.CARD_EXPIRED,
    "fraudulent": Reason.SUSPECTED_FRAUD,
    "merchant_blacklist": Reason.SUSPECTED_FRAUD,
    "card_velocity_exceeded": Reason.INSUFFICIENT_FUNDS,
    "insufficient_funds": Reason.INSUFFICIENT_FUNDS,
    "withdrawal_count_limit_exceeded": Reason.INSUFFICIENT_FUNDS,
    "incorrect_cvc": Reason.INCORRECT_SECURITY_CODE,
    "invalid_cvc": Reason.INCORRECT_SECURITY_CODE,
    "lost_card": Reason.CARD_LOST_OR_STOLEN,
    "stolen_card": Reason.CARD_LOST_OR_STOLEN,
    "pickup_card": Reason.CARD_LOST_OR_STOLEN,
    "issuer_not_available": Reason.PROCESSING_ERROR,
    "processing_error": Reason.PROCESSING_ERROR,
    "reenter_transaction": Reason.PROCESSING_ERROR,
    "try_again_later": Reason.PROCESSING_ERROR,
}

# Said with 402 when a debit is asked for of an account that Stripe has blocked: nothing was sent to
# the bank.
BLOCKED_DEBIT = frozenset({"bank_account_unusable", "payment_method_bank_account_blocked"})

_DEBITS: Mapping[str, Reason] = {
    "bank_account_closed": Reason.PAYMENT_METHOD_INVALID,  # R02
    "bank_account_frozen": Reason.PAYMENT_METHOD_INVALID,  # R16
    "bank_account_invalid_details": Reason.PAYMENT_METHOD_INVALID,  # R03, R04
    "bank_account_restricted": Reason.PAYMENT_METHOD_INVALID,  # R20
    "bank_account_unverified": Reason.PAYMENT_METHOD_INVALID,
    "debit_not_authorized": Reason.PAYMENT_METHOD_INVALID,  # R05, R07, R08, R10, R11, R29, R31
    "no_account": Reason.PAYMENT_METHOD_INVALID,
    "payment_intent_mandate_invalid": Reason.PAYMENT_METHOD_INVALID,
    "payment_method_provider_timeout": Reason.PROCESSING_ERROR,
    "recipient_deceased": Reason.PAYMENT_METHOD_INVALID,  # R15
    "sepa_unsupported_account": Reason.PAYMENT_METHOD_INVALID,
    **dict.fromkeys(BLOCKED_DEBIT, Reason.PAYMENT_METHOD_INVALID),
}

# R01 and R09 are insufficient_funds, as of cards. A code that is not here is CARD_DECLINED, which
# is DEBIT_RETURNED of a debit.
DECLINES: Mapping[str, Reason] = {**_CARDS, **_DEBITS}


def decline_reason(code: str) -> Reason:
    """Normalise a decline code, or an error code when there is none."""
    return DECLINES.get(code, Reason.CARD_DECLINED)
