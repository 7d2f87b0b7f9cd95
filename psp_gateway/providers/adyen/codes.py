"""Adyen's own words: refusal reasons and result codes, to the gateway's.

Sources: https://docs.adyen.com/development-resources/refusal-reasons and
https://docs.adyen.com/online-payments/build-your-integration/payment-result-codes.
"""

from enum import Enum, auto

from psp_gateway.domain.reasons import Reason

_DECLINED = Reason.CARD_DECLINED

# By refusalReasonCode. What is not here is a decline without more.
REFUSALS: dict[str, Reason] = {
    "2": _DECLINED,  # Refused
    "3": _DECLINED,  # Referral
    "4": Reason.PROCESSING_ERROR,  # Acquirer Error
    "5": Reason.CARD_LOST_OR_STOLEN,  # Blocked Card
    "6": Reason.CARD_EXPIRED,
    "7": Reason.PSP_REQUEST_INVALID,  # Invalid Amount
    "8": Reason.PAYMENT_METHOD_INVALID,  # Invalid Card Number
    "9": Reason.PROCESSING_ERROR,  # Issuer Unavailable
    "10": Reason.PAYMENT_METHOD_INVALID,  # Not supported
    "11": Reason.AUTHENTICATION_REQUIRED,  # 3D Not Authenticated
    "12": Reason.INSUFFICIENT_FUNDS,
    "14": Reason.SUSPECTED_FRAUD,  # Acquirer Fraud
    "15": Reason.PSP_CANCELLED,
    "16": Reason.PSP_CANCELLED,  # Shopper Cancelled
    "17": _DECLINED,  # Invalid Pin
    "18": _DECLINED,  # Pin tries exceeded
    "19": _DECLINED,  # Pin validation not possible
    "20": Reason.SUSPECTED_FRAUD,
    "21": Reason.PROCESSING_ERROR,  # Not Submitted
    "22": Reason.SUSPECTED_FRAUD,  # FRAUD-CANCELLED
    "23": Reason.PAYMENT_METHOD_INVALID,  # Transaction Not Permitted
    "24": Reason.INCORRECT_SECURITY_CODE,
    "25": Reason.PAYMENT_METHOD_INVALID,  # Restricted Card
    "26": Reason.DO_NOT_RETRY,  # Revocation Of Auth
    "27": _DECLINED,  # Declined Non Generic
    "28": Reason.INSUFFICIENT_FUNDS,  # Withdrawal amount exceeded
    "29": _DECLINED,  # Withdrawal count exceeded
    "31": Reason.SUSPECTED_FRAUD,  # Issuer Suspected Fraud
    "32": _DECLINED,  # AVS Declined
    "33": Reason.AUTHENTICATION_REQUIRED,  # Card requires online pin
    "34": Reason.PAYMENT_METHOD_INVALID,  # No checking account available on Card
    "35": Reason.PAYMENT_METHOD_INVALID,  # No savings account available on Card
    "36": Reason.AUTHENTICATION_REQUIRED,  # Mobile pin required
    "37": _DECLINED,  # Contactless fallback
    "38": Reason.AUTHENTICATION_REQUIRED,
    "39": Reason.PROCESSING_ERROR,  # RReq not received from DS
    "40": _DECLINED,  # Current AID is in Penalty Box
    "41": _DECLINED,  # CVM Required Restart Payment
    "42": Reason.AUTHENTICATION_REQUIRED,  # 3DS Authentication Error
    "46": Reason.DO_NOT_RETRY,  # blocked by Adyen against excessive retries
}

# Trouble between Adyen and the issuer, not a no of the issuer's: another acquirer may get through.
MAY_GO_ELSEWHERE = frozenset({"4", "9", "21"})


class Meaning(Enum):
    """What a resultCode says."""

    AUTHORISED = auto()
    PARTLY = auto()
    REFUSED = auto()
    WAITS = auto()
    NEEDS_BUYER = auto()


RESULTS: dict[str, Meaning] = {
    "Authorised": Meaning.AUTHORISED,
    "Success": Meaning.AUTHORISED,
    "PartiallyAuthorised": Meaning.PARTLY,
    "Refused": Meaning.REFUSED,
    "Error": Meaning.REFUSED,
    "Cancelled": Meaning.REFUSED,
    "Pending": Meaning.WAITS,
    "Received": Meaning.WAITS,
    "PresentToShopper": Meaning.WAITS,
    "RedirectShopper": Meaning.NEEDS_BUYER,
    "IdentifyShopper": Meaning.NEEDS_BUYER,
    "ChallengeShopper": Meaning.NEEDS_BUYER,
    # Of authentication without authorisation, which is not asked for: a person must look.
    "AuthenticationFinished": Meaning.PARTLY,
    "AuthenticationNotRequired": Meaning.PARTLY,
}

IN_PROGRESS = "704"  # the request is being processed, or was
