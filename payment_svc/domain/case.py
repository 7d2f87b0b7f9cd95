"""A case: something about a payment that a person should know of, with its history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CaseKind(StrEnum):
    """What it is about."""

    LATE_SUCCESS = "LATE_SUCCESS"  # a PSP has charged what was given up
    KEPT_CHARGE = "KEPT_CHARGE"  # a PSP has a charge still that was to be given back


class CaseStatus(StrEnum):
    """Whether anything is left to do."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """A line of a case's history; never changed.

    Attributes:
        kind: OPENED, BOOKED, GIVEN_BACK, GIVEN_UP, RELEASED, TROUBLE, STUCK, CLOSED.
        detail: a reason or a reference; never a secret.
    """

    sequence: int
    at: datetime
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands, with its history, the oldest first.

    Attributes:
        subject_id: what it is about: the attempt.
        amount: a decimal string of `currency`.
        resolution: how it ended: GIVEN_BACK, GIVEN_UP; empty while it is open.
    """

    case_id: str
    kind: CaseKind
    status: CaseStatus
    payment_id: str
    client_id: str
    subject_id: str
    psp: str
    psp_reference: str
    amount: str
    currency: str
    opened_at: datetime
    closed_at: datetime | None = None
    resolution: str = ""
    history: tuple[CaseEvent, ...] = ()
