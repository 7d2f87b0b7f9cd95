"""What each call may carry: parameters read, checked and named, before anything executes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devstack.sandbox.stripe.currencies import check_amount, checked_currency
from devstack.sandbox.stripe.errors import invalid
from devstack.sandbox.stripe.parameters import Parameters, Window

ECHOED = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
_CONFIRM = frozenset(
    {
        "capture_method",
        "error_on_requires_action",
        "mandate_data",
        "off_session",
        "payment_method",
        "payment_method_options",
        "receipt_email",
        "return_url",
        "setup_future_usage",
        "use_stripe_sdk",
    }
)
_LIST = frozenset({"created", "ending_before", "limit", "starting_after"})
KNOWN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "create": _CONFIRM
        | {"amount", "automatic_payment_methods", "confirm", "confirmation_method", "currency"}
        | {"customer", "metadata", "payment_method_types", *ECHOED},
        "confirm": _CONFIRM | {"expand"},
        "capture": frozenset({"amount_to_capture", "final_capture", "metadata"}),
        "cancel": frozenset({"cancellation_reason"}),
        "create_session": frozenset(
            {"cancel_url", "client_reference_id", "customer_email", "expires_at", "line_items"}
            | {"locale", "metadata", "mode", "payment_intent_data", "payment_method_options"}
            | {"success_url"}
        ),
        "expire_session": frozenset(),
        "retrieve_session": frozenset(),
        "refund": frozenset({"amount", "charge", "metadata", "payment_intent", "reason"}),
        "update_dispute": frozenset({"evidence", "metadata", "submit"}),
        "close_dispute": frozenset(),
        "upload": frozenset({"digest", "name", "purpose", "size"}),
        "retrieve_dispute": frozenset(),
        "payout": frozenset(
            {"amount", "currency", "description", "destination", "metadata", "transfer_group"}
        ),
        "retrieve_payout": frozenset(),
        "list_payouts": _LIST | {"destination", "transfer_group"},
        "retrieve": frozenset({"client_secret", "expand"}),
        "retrieve_refund": frozenset(),
        "retrieve_charge": frozenset(),
        "list": _LIST | {"customer"},
        "list_refunds": _LIST | {"charge", "payment_intent"},
        "list_charges": _LIST | {"payment_intent"},
    }
)
_CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
_CANCEL_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
_REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """How to confirm a PaymentIntent. `off_session`: the buyer is not there to authenticate;
    `has_mandate`: he has let his bank be debited; `wants_several`: captures, where the card has it.
    """

    payment_method: str | None = None
    return_url: str | None = None
    capture_method: str | None = None
    off_session: bool = False
    error_on_requires_action: bool = False
    has_mandate: bool = False
    wants_several: bool = False
    echoed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A PaymentIntent to make; `confirm` says how when it is confirmed at once."""

    amount: int
    currency: str
    how: ConfirmRequest
    confirm: bool
    metadata: Mapping[str, str]
    payment_method_types: tuple[str, ...]
    automatic_methods: bool
    confirmation_method: str
    customer: str | None


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """How much of an authorization to take; None: all. The rest stays held unless `is_final`."""

    amount: int | None
    metadata: Mapping[str, str]
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to give back; amount None: what is left."""

    payment_intent: str | None
    charge: str | None
    amount: int | None
    metadata: Mapping[str, str]
    reason: str | None


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which part of a list; the filters are None when not asked for."""

    window: Window
    customer: str | None
    payment_intent: str | None
    charge: str | None


def read_create(given: Parameters) -> CreateRequest:
    """Read `POST /v1/payment_intents`.

    Raises:
        StripeError: a parameter is wrong, missing or unknown.
    """
    amount = given.integer("amount", required=True)
    currency = checked_currency(given.required("currency"))
    check_amount(amount, currency)
    automatic = given.branch("automatic_payment_methods", {"enabled", "allow_redirects"})
    how = read_confirm(given)
    confirm = given.flag("confirm")
    if how.return_url and not confirm:
        message = "The parameter `return_url` cannot be passed when creating a PaymentIntent unless"
        raise invalid(f"{message} `confirm` is set to true.", param="return_url")
    return CreateRequest(
        amount=amount,
        currency=currency,
        how=how,
        confirm=confirm,
        metadata=given.metadata(),
        payment_method_types=given.texts("payment_method_types") or ("card",),
        automatic_methods=automatic.get("enabled") == "true",
        confirmation_method=given.one_of("confirmation_method", ("automatic", "manual"))
        or "automatic",
        customer=given.text("customer"),
    )


def read_confirm(given: Parameters) -> ConfirmRequest:
    """Read `POST /v1/payment_intents/{id}/confirm`, or the same within a create."""
    echoed = {name: text for name in ECHOED if (text := given.text(name)) is not None}
    return ConfirmRequest(
        wants_several=read_several(given),
        payment_method=given.text("payment_method"),
        return_url=given.text("return_url"),
        capture_method=given.one_of("capture_method", _CAPTURE_METHODS),
        off_session=given.flag("off_session"),
        has_mandate=bool(given.branch("mandate_data", {"customer_acceptance"})),
        error_on_requires_action=given.flag("error_on_requires_action"),
        echoed=echoed,
    )


def read_several(given: Parameters) -> bool:
    """Read whether what a card holds is to be captured several times."""
    card = given.branch("payment_method_options", {"card"}).get("card")
    wanted = card.get("request_multicapture") if isinstance(card, dict) else None
    if wanted not in (None, "if_available", "never"):
        raise invalid("Invalid request_multicapture: must be one of if_available, never")
    return wanted == "if_available"


def read_expand(given: Parameters) -> bool:
    """Read whether an intent is to come with its charge.

    Raises:
        StripeError: something else is to be expanded.
    """
    asked = given.texts("expand")
    for name in asked:
        if name != "latest_charge":
            raise invalid(f"This property cannot be expanded ({name}).", param="expand")
    return bool(asked)


def read_capture(given: Parameters, currency: str) -> CaptureRequest:
    """Read `POST /v1/payment_intents/{id}/capture`."""
    amount = given.optional_integer("amount_to_capture")
    if amount is not None:
        check_amount(amount, currency, "amount_to_capture")
    is_final = given.text("final_capture") is None or given.flag("final_capture")
    return CaptureRequest(amount, given.metadata(), is_final)


def read_cancel(given: Parameters) -> str | None:
    """Read the reason out of `POST /v1/payment_intents/{id}/cancel`."""
    return given.one_of("cancellation_reason", _CANCEL_REASONS)


def read_refund(given: Parameters) -> RefundRequest:
    """Read `POST /v1/refunds`."""
    request = RefundRequest(
        payment_intent=given.text("payment_intent"),
        charge=given.text("charge"),
        amount=given.optional_integer("amount"),
        metadata=given.metadata(),
        reason=given.one_of("reason", _REFUND_REASONS),
    )
    if request.payment_intent is None and request.charge is None:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    if request.amount is not None and request.amount < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, code="parameter_invalid_integer", param="amount")
    return request


def read_list(given: Parameters) -> ListRequest:
    """Read the query of a list."""
    filters = ("customer", "payment_intent", "charge")
    return ListRequest(given.window(), *(given.text(name) for name in filters))
