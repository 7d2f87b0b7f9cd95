"""What PayPal is sent, checked, and how it turns a request away: `error` and `error_details`."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from devstack.sandbox.jsonwire.messages import Answer, Json, Refused

# developer.paypal.com/reference/currency-codes
_CURRENCIES = frozenset(
    {
        *("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS"),
        *("JPY", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD"),
    }
)
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_MAX = Decimal("9999999999")
_NAMES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: (
            "INVALID_REQUEST",
            "Request is not well-formed, syntactically incorrect, or violates schema.",
        ),
        401: (
            "AUTHENTICATION_FAILURE",
            "Authentication failed due to missing authorization header, or invalid "
            "authentication credentials.",
        ),
        404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
        409: (
            "RESOURCE_CONFLICT",
            "The server has detected a conflict while processing this request.",
        ),
        422: (
            "UNPROCESSABLE_ENTITY",
            "The requested action could not be performed, semantically incorrect, or failed "
            "business validation.",
        ),
        429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
        500: ("INTERNAL_SERVER_ERROR", "An internal server error has occurred."),
    }
)


def failure(
    status: int,
    issue: str = "",
    description: str = "",
    field: str = "",
    links: tuple[Json, ...] = (),
) -> Answer:
    """Make an error's answer; its debug_id is put in when it leaves."""
    name, message = _NAMES[status]
    body: Json = {"name": name, "message": message, "debug_id": "", "links": list(links)}
    if issue:
        detail = {"issue": issue, "description": description}
        body["details"] = [{**detail, "field": field} if field else detail]
    return Answer(status, body)


def refused(issue: str, description: str, field: str = "", status: int = 422) -> Refused:
    """Make a refusal with one issue."""
    return Refused(failure(status, issue, description, field))


def missing(field: str) -> Refused:
    """Make the refusal of a request that lacks a field."""
    return refused("MISSING_REQUIRED_PARAMETER", "A required field is missing.", field, 400)


def not_found() -> Refused:
    """Make the refusal of an id that is none."""
    text = "Specified resource ID does not exist. Please check the resource ID and try again."
    return refused("INVALID_RESOURCE_ID", text, status=404)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount: `value` times 10 to PayPal's decimals of the currency."""

    value: int
    currency: str


def decimals_of(currency: str) -> int:
    """Tell how many decimals PayPal writes."""
    return 0 if currency in _WHOLE else 2


def written(value: int, currency: str) -> str:
    """Write an amount as PayPal does."""
    return f"{Decimal(value).scaleb(-decimals_of(currency)):f}"


def amount_of(given: Json, field: str, code: str = "currency_code") -> Amount:
    """Read a `money` object; it is above zero.

    Args:
        given: the object.
        field: where it was, for errors.
        code: what its currency is called.

    Raises:
        Refused: it is none, or no such amount of the currency can be paid.
    """
    currency, text = given.get(code), given.get("value")
    if not isinstance(currency, str) or not isinstance(text, str):
        raise missing(f"{field}/{'value' if isinstance(currency, str) else code}")
    if currency not in _CURRENCIES:
        raise refused("INVALID_CURRENCY_CODE", "Currency code is invalid.", f"{field}/{code}")
    value = _number(text, f"{field}/value")
    if currency in _WHOLE and value != value.to_integral_value():
        text = "Currency does not support decimals."
        raise refused("DECIMALS_NOT_SUPPORTED", text, f"{field}/value")
    scaled = value.scaleb(decimals_of(currency))
    if scaled != scaled.to_integral_value():
        text = "If the currency supports decimals, only two decimal place precision is supported."
        raise refused("DECIMAL_PRECISION", text, f"{field}/value")
    if value <= 0:
        raise refused("CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero.", f"{field}/value")
    return Amount(int(scaled), currency)


def part_of(given: Json, whole: Amount) -> Amount:
    """Read an optional amount of a request; the whole when there is none.

    Raises:
        Refused: it cannot be read.
    """
    amount = given.get("amount")
    return whole if amount is None else amount_of(object_of(amount, "/amount"), "/amount")


def object_of(value: Any, field: str) -> Json:
    """Read a JSON object.

    Raises:
        Refused: it is none.
    """
    if value is None:
        raise missing(field)
    if not isinstance(value, dict):
        text = "The value of a field does not conform to the expected format."
        raise refused("INVALID_PARAMETER_SYNTAX", text, field, 400)
    return value


def texts_of(given: Json, *names: str) -> dict[str, str]:
    """Collect the texts that are there."""
    return {name: given[name] for name in names if isinstance(given.get(name), str)}


def ids_of(unit: Mapping[str, str]) -> dict[str, str]:
    """Make the metadata of the record: the custom_id is the attempt's id."""
    own = {name: unit[name] for name in ("reference_id", "invoice_id") if name in unit}
    return {**own, "attempt_id": unit["custom_id"]} if "custom_id" in unit else own


def _number(text: str, field: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > _MAX:
        message = "The value of a field does not conform to the expected format."
        raise refused("INVALID_PARAMETER_SYNTAX", message, field, 400)
    return value
