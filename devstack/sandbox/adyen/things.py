"""Adyen's objects. Frozen, of plain JSON values; amounts in Adyen's minor units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment.

    Args:
        id: Adyen's pspReference.
        name: the caller's reference.
        token: the stored payment method, which decides the outcome.
        state: redirect, passed, failed (the buyer's challenge), pending, authorised, refused or
            voided.
        authorised: how much of `amount` is; less after a partial authorisation.
        is_manual: whether it is captured by request.
        secret: what the redirectResult has to hold.
        captured, refunded: sums so far; `refunded <= captured <= authorised`, unless the sandbox
            was told to let refunds pass.
        settles_at: when a pending one is decided, or a delayed capture made.
    """

    id: str
    name: str
    account: str
    amount: int
    currency: str
    token: str
    state: str = "authorised"
    authorised: int = 0
    is_manual: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    return_url: str = ""
    secret: str = ""
    refusal_code: str = ""
    captured: int = 0
    refunded: int = 0
    capture_delay_s: float = 0.0
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Modification:
    """A capture, cancel, refund, reversal or technical cancel that was taken in.

    Args:
        payment: the pspReference it is about; "" when none was found.
        name: the caller's own reference of it; "" without.
        state: received, done, refused or failed (done first, undone later).
    """

    id: str
    name: str
    payment: str
    action: str
    account: str
    amount: int
    currency: str
    state: str = "received"
    metadata: Mapping[str, str] = field(default_factory=dict)
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A payment link; `given` is the request, which the answer repeats.

    `status` is active, completed or expired.
    """

    id: str
    name: str
    given: Mapping[str, object]
    status: str
    expires_at: float
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer out of a balance account; `given` is the request, which the answer repeats.

    `status` is authorised, booked, failed, refused or returned.
    """

    id: str
    name: str
    given: Mapping[str, object]
    status: str
    created: float
    reason: str = "approved"
    settles_at: float | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of a payment.

    Args:
        payment_name: the caller's reference of the payment.
        reason: the scheme's code.
        state: the eventCode that was told last.
        due: until when it can be defended, in Unix seconds.
        documents: the types that were supplied.
    """

    id: str
    payment: str
    payment_name: str
    account: str
    amount: int
    currency: str
    reason: str
    state: str
    due: float
    documents: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    settles_at: float | None = None
