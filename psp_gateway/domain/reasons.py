"""Why an attempt was declined or is not known: the words of the contract, and a sentence for each.

The sentences are ours: a PSP's own may repeat the token.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A value of `PspError.Reason` that an attempt can have."""

    CARD_DECLINED = "CARD_DECLINED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_LOST_OR_STOLEN = "CARD_LOST_OR_STOLEN"
    INCORRECT_SECURITY_CODE = "INCORRECT_SECURITY_CODE"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    AUTHENTICATION_REQUIRED = "AUTHENTICATION_REQUIRED"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    PAYMENT_METHOD_INVALID = "PAYMENT_METHOD_INVALID"
    PSP_REQUEST_INVALID = "PSP_REQUEST_INVALID"
    PSP_CANCELLED = "PSP_CANCELLED"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    NO_USABLE_ANSWER = "NO_USABLE_ANSWER"
    PSP_RATE_LIMITED = "PSP_RATE_LIMITED"
    PSP_UNREACHABLE = "PSP_UNREACHABLE"
    KEY_TOO_OLD = "KEY_TOO_OLD"
    AUTHORIZATION_EXPIRED = "AUTHORIZATION_EXPIRED"
    ALREADY_CAPTURED = "ALREADY_CAPTURED"
    PSP_CIRCUIT_OPEN = "PSP_CIRCUIT_OPEN"
    PSP_BUSY = "PSP_BUSY"
    DO_NOT_RETRY = "DO_NOT_RETRY"
    AUTHENTICATION_ABANDONED = "AUTHENTICATION_ABANDONED"
    PAGE_EXPIRED = "PAGE_EXPIRED"
    RESOLVED_BY_HAND = "RESOLVED_BY_HAND"
    DEBIT_RETURNED = "DEBIT_RETURNED"
    CAPTURED_ONCE = "CAPTURED_ONCE"


MESSAGES: dict[Reason, str] = {
    Reason.CARD_DECLINED: "The issuer declined the card.",
    Reason.INSUFFICIENT_FUNDS: "The issuer says that there is not enough money.",
    Reason.CARD_EXPIRED: "The card has expired.",
    Reason.CARD_LOST_OR_STOLEN: "The card was reported lost or stolen.",
    Reason.INCORRECT_SECURITY_CODE: "The security code is wrong.",
    Reason.PROCESSING_ERROR: "The issuer or the network had trouble; try again later.",
    Reason.AUTHENTICATION_REQUIRED: "The buyer must authenticate.",
    Reason.SUSPECTED_FRAUD: "The PSP suspects fraud.",
    Reason.PAYMENT_METHOD_INVALID: "The PSP cannot charge this payment token.",
    Reason.PSP_REQUEST_INVALID: "The PSP refused the request as wrong.",
    Reason.PSP_CANCELLED: "The PSP cancelled it.",
    Reason.AMOUNT_MISMATCH: "The PSP's answer differs in amount or currency from what was asked.",
    Reason.NO_USABLE_ANSWER: "The PSP gave no answer that can be understood.",
    Reason.PSP_RATE_LIMITED: "The PSP asked to slow down.",
    Reason.PSP_UNREACHABLE: "The PSP could not be reached.",
    Reason.KEY_TOO_OLD: "Too old to be sent again; it is only looked up.",
    Reason.AUTHORIZATION_EXPIRED: "The PSP has let go of the amount; it was held for too long.",
    Reason.ALREADY_CAPTURED: "The amount was captured; it can only be refunded.",
    Reason.PSP_CIRCUIT_OPEN: "The PSP is in trouble and was not asked.",
    Reason.PSP_BUSY: "Too much is asked of the PSP already; nothing was sent.",
    Reason.AUTHENTICATION_ABANDONED: "The buyer did not authenticate in time.",
    Reason.PAGE_EXPIRED: "The buyer did not pay on the page before it closed.",
    Reason.RESOLVED_BY_HAND: "The PSP did not tell; two persons found that it did not happen.",
    Reason.DEBIT_RETURNED: "The buyer's bank did not pay the debit.",
    Reason.CAPTURED_ONCE: "This payment is captured once; capture what is wanted as the final one.",
    Reason.DO_NOT_RETRY: "The PSP or the issuer says that it must not be tried again.",
}
