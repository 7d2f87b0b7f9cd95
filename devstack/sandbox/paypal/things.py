"""PayPal's objects. Frozen, of plain JSON values; amounts times 10 to PayPal's own decimals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Order:
    """An order of one purchase unit.

    Args:
        name: its custom_id; "" without.
        intent: CAPTURE or AUTHORIZE.
        unit: the purchase unit's reference_id, custom_id and invoice_id, those that were given.
        status: as on PayPal's wire.
        source: card, paypal or token; "" while the buyer has chosen none.
        token: the vault id that decides the outcome.
        payment: the id of its capture or authorization; "" before.
    """

    id: str
    name: str
    intent: str
    amount: int
    currency: str
    created: float
    unit: Mapping[str, str] = field(default_factory=dict)
    status: str = "CREATED"
    source: str = ""
    token: str = ""
    return_url: str = ""
    cancel_url: str = ""
    payment: str = ""
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """Money that is held.

    Args:
        status: CREATED, PARTIALLY_CAPTURED, CAPTURED, VOIDED or DENIED.
        parent: the first authorization, when this is a reauthorization of it; its money is counted
            there.
        is_expired: whether it was let go by itself.
        settles_at: when it expires.
    """

    id: str
    order: str
    amount: int
    currency: str
    created: float
    unit: Mapping[str, str]
    token: str = ""
    status: str = "CREATED"
    captured: int = 0
    parent: str = ""
    response_code: str = ""
    is_reauthorized: bool = False
    is_expired: bool = False
    name: str = ""
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that was taken, or not: `status` is PENDING, COMPLETED, DECLINED, PARTIALLY_REFUNDED or
    REFUNDED; `reason` says why it is pending.
    """

    id: str
    order: str
    amount: int
    currency: str
    created: float
    unit: Mapping[str, str]
    token: str = ""
    status: str = "COMPLETED"
    reason: str = ""
    response_code: str = ""
    authorization: str = ""
    is_final: bool = True
    refunded: int = 0
    name: str = ""
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back; `status` is PENDING, COMPLETED or FAILED."""

    id: str
    capture: str
    order: str
    amount: int
    currency: str
    created: float
    unit: Mapping[str, str]
    status: str = "COMPLETED"
    name: str = ""
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Payouts that were asked for together; `name` is the sender_batch_id."""

    id: str
    name: str
    created: float
    header: Mapping[str, object]
    items: Sequence[str]
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A payout; `given` is the request's item, `status` its transaction_status."""

    id: str
    batch: str
    batch_name: str
    amount: int
    currency: str
    given: Mapping[str, object]
    status: str = "PENDING"
    name: str = ""
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A buyer who wants back what he paid.

    Args:
        status, stage, outcome, reason: as on PayPal's wire; no outcome before the end.
        moves: what the money did: DEBIT, taken from us, and CREDIT, given back.
        evidences: the types that were handed in.
    """

    id: str
    capture: str
    amount: int
    currency: str
    created: float
    reason: str
    unit: Mapping[str, str]
    status: str = "WAITING_FOR_SELLER_RESPONSE"
    stage: str = "CHARGEBACK"
    outcome: str = ""
    moves: Sequence[str] = ()
    evidences: Sequence[str] = ()
    name: str = ""
    settles_at: float | None = None
