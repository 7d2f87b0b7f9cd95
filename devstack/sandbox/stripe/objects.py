"""The objects, as values: a change makes a new one, so an answer once given can be given
again word for word.

Every field is JSON as it stands: the record keeps whole objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
ChargeStatus = Literal["pending", "succeeded", "failed"]
RefundStatus = Literal["pending", "succeeded", "failed"]
SessionStatus = Literal["open", "complete", "expired"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent.

    Invariants: `amount_received <= amount`; it is above zero only once something was captured.

    Args:
        amount, amount_received, amount_capturable: minor units.
        created, canceled_at: Unix seconds.
        settles_at: when a slow payment method is decided, by the sandbox's clock.
        echoed: parameters that only come back.
        wants_several: whether it is captured several times where the card has it.
    """

    id: str
    amount: int
    currency: str
    status: IntentStatus
    created: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    capture_method: str = "automatic"
    confirmation_method: str = "automatic"
    payment_method: str | None = None
    payment_method_types: tuple[str, ...] = ("card",)
    automatic_methods: bool = False
    customer: str | None = None
    return_url: str | None = None
    latest_charge: str | None = None
    amount_received: int = 0
    amount_capturable: int = 0
    last_payment_error: Mapping[str, Any] | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    settles_at: float | None = None
    echoed: Mapping[str, str] = field(default_factory=dict)
    wants_several: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """One try to take the money of an intent.

    Args:
        capture_before: of a held one, the Unix second in which the PSP lets go.
        takes_several: whether it can be captured several times.

    Invariants: `amount_captured <= amount`; `amount_refunded <= amount_captured` unless the
    over-refund switch was on.
    """

    id: str
    payment_intent: str
    amount: int
    currency: str
    status: ChargeStatus
    created: int
    payment_method: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    captured: bool = False
    amount_captured: int = 0
    amount_refunded: int = 0
    failure_code: str | None = None
    failure_message: str | None = None
    decline_code: str | None = None
    capture_before: int | None = None
    takes_several: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back from a charge.

    Args:
        settles_at: when it is decided, by the sandbox's clock; None once it is.
        settles_as: what it becomes then.
    """

    id: str
    payment_intent: str
    charge: str
    amount: int
    currency: str
    status: RefundStatus
    created: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    failure_reason: str | None = None
    settles_at: float | None = None
    settles_as: RefundStatus = "succeeded"


@dataclass(frozen=True, slots=True)
class Session:
    """A Checkout Session: a page on which a buyer pays.

    Args:
        payment_intent: made when the buyer first tries to pay; None before.
        intent_metadata, capture_method, wants_several: of the PaymentIntent to be made.
        settles_at: when the page closes by itself, by the sandbox's clock; None once it is over.
    """

    id: str
    amount: int
    currency: str
    status: SessionStatus
    created: int
    expires_at: int
    success_url: str
    cancel_url: str | None = None
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    intent_metadata: Mapping[str, str] = field(default_factory=dict)
    capture_method: str = "automatic"
    wants_several: bool = False
    client_reference_id: str | None = None
    customer_email: str | None = None
    locale: str | None = None
    payment_intent: str | None = None
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A buyer who takes a charge back through his bank.

    Args:
        due_by: until when evidence is taken, in Unix seconds.
        moves: what it took from the balance, below zero, and gave back.
        evidence: texts, and ids of files, by name.
        owner: the metadata of the charge, for the record; no part of the dispute.
    """

    id: str
    payment_intent: str
    charge: str
    amount: int
    currency: str
    status: str
    reason: str
    created: int
    due_by: int
    moves: tuple[int, ...] = ()
    submissions: int = 0
    evidence: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    owner: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_withdrawn(self) -> bool:
        """Whether the money is gone."""
        return sum(self.moves) < 0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded; its content is not kept."""

    id: str
    purpose: str
    filename: str
    size: int
    created: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money moved to a connected account.

    Args:
        amount_reversed: what was taken back; all of it, or nothing.
        settles_at: when it is taken back, by the sandbox's clock; None when it is not.
    """

    id: str
    amount: int
    currency: str
    destination: str
    created: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    transfer_group: str | None = None
    description: str | None = None
    amount_reversed: int = 0
    settles_at: float | None = None


Thing = TypeVar("Thing", Intent, Charge, Refund, Session, Dispute, StoredFile, Transfer)


_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind))
    for kind in (Intent, Charge, Refund, Session, Dispute, StoredFile, Transfer)
}


def dump(
    thing: Intent | Charge | Refund | Session | Dispute | StoredFile | Transfer,
) -> dict[str, Any]:
    """Make the JSON object that `load` reads."""
    return {name: getattr(thing, name) for name in _NAMES[type(thing)]}


def load(kind: type[Thing], content: Mapping[str, Any]) -> Thing:
    """Read an object back from the record."""
    if kind is Intent:
        methods = tuple(content["payment_method_types"])
        return kind(**{**content, "payment_method_types": methods})
    if kind is Dispute:
        return kind(**{**content, "moves": tuple(content["moves"])})
    return kind(**content)
