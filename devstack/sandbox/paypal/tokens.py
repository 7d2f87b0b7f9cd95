"""What becomes of a payment, by the vault id it is paid with. Unknown ones succeed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Issues of `422` and `orders.capture-422` and their descriptions, as published.
DECLINES: Mapping[str, str] = MappingProxyType(
    {
        "CARD_EXPIRED": "The card is expired",
        "COMPLIANCE_VIOLATION": "Transaction is declined due to compliance violation.",
        "INSTRUMENT_DECLINED": (
            "The instrument presented  was either declined by the processor or bank, or it can't "
            "be used for this payment."
        ),
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": (
            "You have exceeded the maximum number of payment attempts."
        ),
        "PAYEE_ACCOUNT_RESTRICTED": "The merchant account is restricted.",
        "PAYEE_BLOCKED_TRANSACTION": (
            "The Fraud settings for this seller are such that this payment cannot be executed."
        ),
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED": (
            "The payer account cannot be used for this transaction."
        ),
        "PAYER_CANNOT_PAY": (
            "Payer cannot pay for this transaction. Please contact the payer to find other ways "
            "to pay for this transaction."
        ),
        "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": (
            "Transaction failed. Redirect the payer to select another funding source."
        ),
        "TRANSACTION_REFUSED": "The request was refused.",
    }
)
ACTION_REQUIRED = "paypal_payer_action_required"
PENDING_S = 60.0

# Of these the payment succeeds, and what is done to it later does not, or not at once.
CAPTURE_REFUSED = "paypal_capture_refused"
REFUND_REFUSED = "paypal_refund_refused"
REFUND_PENDING = "paypal_refund_pending"
REFUND_FAILS = "paypal_refund_fails"

_PREFIX = "paypal_"
_PROCESSOR = "paypal_processor_"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a vault id does.

    Args:
        issue: a key of DECLINES, by which the call is refused; "" when it is not.
        response_code: the processor's, when the payment is made and declined; "" when it is not.
        is_pending: whether it is decided later.
        is_denied: how it is decided then.
    """

    issue: str = ""
    response_code: str = ""
    is_pending: bool = False
    is_denied: bool = False


def behaviour_of(token: str) -> Behaviour:
    """Tell what a vault id does: `paypal_instrument_declined`, `paypal_processor_5120`, …"""
    issue = token.removeprefix(_PREFIX).upper()
    if token.startswith(_PREFIX) and issue in DECLINES:
        return Behaviour(issue=issue)
    code = token.removeprefix(_PROCESSOR)
    if code != token and len(code) == 4:
        return Behaviour(response_code=code)
    if token in ("paypal_pending", "paypal_pending_denied"):
        return Behaviour(is_pending=True, is_denied=token.endswith("denied"))
    return Behaviour()
