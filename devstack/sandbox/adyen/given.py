"""What Adyen is sent, checked, and how it turns a request away.

Shape of errors: `ServiceError` of Checkout v71. Codes: docs.adyen.com/development-resources/
error-codes, as far as its description and examples do not have them.
"""

from dataclasses import dataclass
from typing import Any

from chassis.money import UnknownCurrency, currency_decimals
from devstack.sandbox.jsonwire.messages import Answer, Json, Refused

TRANSIENT = {"transient-error": "true"}


def failure(status: int, code: str, message: str, kind: str = "validation") -> Answer:
    """Make an error's answer."""
    body = {"status": status, "errorCode": code, "message": message, "errorType": kind}
    return Answer(status, body)


def invalid(code: str, message: str) -> Refused:
    """Make the refusal of a request that does not validate."""
    return Refused(failure(422, code, message))


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount on Adyen's wire: minor units as Adyen counts them."""

    value: int
    currency: str


def account_of(given: Json) -> str:
    """Read the merchant account.

    Raises:
        Refused: there is none.
    """
    account = given.get("merchantAccount")
    if not isinstance(account, str) or not account:
        raise invalid("901", "Invalid Merchant Account")
    return account


def reference_of(given: Json) -> str:
    """Read the caller's reference, which must be there.

    Raises:
        Refused: it is not.
    """
    reference = text_of(given, "reference")
    if not reference:
        raise invalid("130", "Reference Missing")
    return reference


def amount_of(given: Json) -> Amount:
    """Read the amount, which must be there; it is above zero.

    Raises:
        Refused: it is not, or in no currency.
    """
    amount = given.get("amount")
    if not isinstance(amount, dict):
        raise invalid("100", "No amount specified")
    value, currency = amount.get("value"), amount.get("currency")
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise invalid("137", "Invalid amount specified")
    if not isinstance(currency, str) or not _is_known(currency):
        raise invalid("138", "Unsupported currency specified")
    return Amount(value, currency)


def token_of(given: Json) -> str:
    """Read the stored payment method, or the test card that stands for one.

    Raises:
        Refused: there is neither.
    """
    method = given.get("paymentMethod")
    fields = method if isinstance(method, dict) else {}
    stored = fields.get("storedPaymentMethodId") or given.get("storedPaymentMethodId")
    if isinstance(stored, str) and stored:
        return stored
    card = fields.get("encryptedCardNumber")
    if isinstance(card, str) and card.startswith("test_"):
        return card.removeprefix("test_")
    raise invalid("14_004", "Missing payment method details")


def metadata_of(given: Json, reference: str) -> dict[str, str]:
    """Collect the caller's own ids: its metadata, and its reference as that of the attempt."""
    own = given.get("metadata")
    pairs = own.items() if isinstance(own, dict) else ()
    metadata = {key: value for key, value in pairs if isinstance(value, str)}
    return {**metadata, "attempt_id": reference} if reference else metadata


def text_of(given: Json, name: str) -> str:
    """Read an optional text.

    Raises:
        Refused: it is something else.
    """
    value: Any = given.get(name, "")
    if not isinstance(value, str):
        raise invalid("702", f"Invalid value for {name}")
    return value


def _is_known(currency: str) -> bool:
    try:
        currency_decimals(currency)
    except UnknownCurrency:
        return False
    return True
