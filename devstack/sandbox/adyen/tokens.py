"""What becomes of a payment, by its stored payment method. Unknown ones succeed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# docs.adyen.com/development-resources/refusal-reasons
REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "2": "Refused",
        "3": "Referral",
        "4": "Acquirer Error",
        "5": "Blocked Card",
        "6": "Expired Card",
        "7": "Invalid Amount",
        "8": "Invalid Card Number",
        "9": "Issuer Unavailable",
        "10": "Not supported",
        "11": "3D Not Authenticated",
        "12": "Not enough balance",
        "14": "Acquirer Fraud",
        "15": "Cancelled",
        "16": "Shopper Cancelled",
        "17": "Invalid Pin",
        "18": "Pin tries exceeded",
        "19": "Pin validation not possible",
        "20": "FRAUD",
        "21": "Not Submitted",
        "22": "FRAUD-CANCELLED",
        "23": "Transaction Not Permitted",
        "24": "CVC Declined",
        "25": "Restricted Card",
        "26": "Revocation Of Auth",
        "27": "Declined Non Generic",
        "28": "Withdrawal amount exceeded",
        "29": "Withdrawal count exceeded",
        "31": "Issuer Suspected Fraud",
        "32": "AVS Declined",
        "33": "Card requires online pin",
        "34": "No checking account available on Card",
        "35": "No savings account available on Card",
        "36": "Mobile pin required",
        "37": "Contactless fallback",
        "38": "Authentication required",
        "39": "RReq not received from DS",
        "40": "Current AID is in Penalty Box",
        "41": "CVM Required Restart Payment",
        "42": "3DS Authentication Error",
        "46": "Transaction blocked by Adyen to prevent excessive retry fees",
    }
)
_REFUSED = "adyen_refused_"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a payment method does.

    Args:
        refusal_code: a key of REFUSALS; "" when it is not refused.
        is_error: whether the refusal is told as an error.
        is_redirect: whether the buyer must authenticate first.
        pending_s: for how long it is pending first, in seconds of the sandbox's clock; None when
            it is not.
        is_partial: whether only half of the amount is authorised.
        breaks: "io" for an exception after the request was sent to the acquirer, "connection" for
            no connection to it; "" for none.
        is_charged: with "io", whether the payment was made all the same.
    """

    refusal_code: str = ""
    is_error: bool = False
    is_redirect: bool = False
    pending_s: float | None = None
    is_partial: bool = False
    breaks: str = ""
    is_charged: bool = False


_PENDING_S = 60.0
_TABLE: Mapping[str, Behaviour] = MappingProxyType(
    {
        "adyen_redirect": Behaviour(is_redirect=True),
        "adyen_redirect_refused": Behaviour(is_redirect=True, refusal_code="2"),
        "adyen_pending": Behaviour(pending_s=_PENDING_S),
        "adyen_pending_refused": Behaviour(pending_s=_PENDING_S, refusal_code="2"),
        "adyen_error": Behaviour(refusal_code="4", is_error=True),
        "adyen_partial": Behaviour(is_partial=True),
        "adyen_ioexception": Behaviour(breaks="io"),
        "adyen_ioexception_charged": Behaviour(breaks="io", is_charged=True),
        "adyen_no_connection": Behaviour(breaks="connection"),
    }
)

# Of these the payment succeeds, and what is done to it later does not.
CAPTURE_REFUSED = "adyen_capture_refused"
CAPTURE_FAILS = "adyen_capture_fails"
REFUND_REFUSED = "adyen_refund_refused"
REFUND_FAILS = "adyen_refund_fails"


def behaviour_of(token: str) -> Behaviour:
    """Tell what a stored payment method does."""
    code = token.removeprefix(_REFUSED)
    if code != token and code in REFUSALS:
        return Behaviour(refusal_code=code)
    return _TABLE.get(token, Behaviour())
