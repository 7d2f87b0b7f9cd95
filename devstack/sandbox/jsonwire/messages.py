"""What goes in and out of a JSON face: calls, answers, refusals, changes and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]

# Kinds by which money, or a hold on it, moved, or surely will: `received` is a modification that
# the PSP has taken in and carries out later.
MOVING = frozenset(
    {"charge", "authorization", "capture", "refund", "void", "received", "payout_received"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came, before anything is believed of it.

    Args:
        operation: one of the face's.
        target: the id in the path, or the reference that a list is asked by; "" when it has none.
        body: the bytes of it.
        credentials: what the PSP's header of them holds; "" without.
        key: the idempotency key; None without.
        prefer: the Prefer header.
    """

    operation: str
    target: str = ""
    body: bytes = b""
    credentials: str = ""
    key: str | None = None
    prefer: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that can be given again.

    Args:
        body: a JSON object; None for an empty body.
        subject: the id of the thing it shows, for PSPs that replay its latest state.
    """

    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


class Refused(Exception):
    """The call was turned away; nothing happened and nothing is kept under its key."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook's body, as the PSP writes it, before it is signed and sent.

    Args:
        event_type: the PSP's own name of it.
        at: when it came about, in Unix seconds of the sandbox's clock.
    """

    psp: str
    event_type: str
    body: Json
    at: float


class Thing(Protocol):
    """An object of a PSP: a frozen dataclass of plain JSON values.

    `name` is the caller's own reference, by which it can be found too; "" for none. `settles_at` is
    when something is due to become of it, in Unix seconds; None for never.
    """

    @property
    def id(self) -> str:
        """The PSP's id."""

    @property
    def name(self) -> str:
        """The caller's own reference."""

    @property
    def settles_at(self) -> float | None:
        """When it is due."""


@dataclass(frozen=True, slots=True)
class Change:
    """An effect, whole: the fact for the record, the new objects, the answer and the webhooks.

    Args:
        kind: of the line in the record.
        reference, payment_reference: the PSP's ids of what moved and of its payment.
        amount: minor units; 0 when nothing moved.
        metadata: the caller's own ids.
        answer: None when nobody asked.
        things: the objects as they are now.
        events: the webhooks' types and bodies.
        is_kept: whether the answer is given again under the call's key.
    """

    kind: str
    reference: str = ""
    payment_reference: str = ""
    amount: int = 0
    currency: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    things: tuple[Thing, ...] = ()
    events: tuple[tuple[str, Json], ...] = ()
    is_kept: bool = True
