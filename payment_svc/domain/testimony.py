"""What the other services tell about a payment: their own words, nothing of it judged.

Kinds, decisions and outcomes are text because they may grow. Amounts are decimal strings.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that spoke against a payment."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What risk_svc decided: APPROVED, REFUSED."""

    at: datetime
    decision: str
    hits: tuple[RuleHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call to a PSP for money, as psp_gateway stored it.

    Attributes:
        kind: CHARGE, REFUND, AUTHORIZATION, CAPTURE, VOID.
        outcome: SUCCEEDED, DECLINED, ACTION_REQUIRED, PENDING, TRANSIENT, UNKNOWN.
        delivery: whether the last request reached the PSP: NOT_SENT, SENT_NO_ANSWER, ANSWERED.
        created_at: when it was stored, before anything was sent.
        updated_at: when its present outcome was stored.
    """

    attempt_id: str
    kind: str
    outcome: str
    delivery: str
    psp: str
    psp_reference: str
    amount: str
    currency: str
    reason: str
    psp_code: str
    message: str
    request_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """What a PSP told unasked, by a webhook, and what became of it.

    Attributes:
        at: when it came first.
        state: NEW, APPLIED, KEPT, PARKED, CONTRADICTS.
        note: one sentence on that; may be empty.
        delivery_count: how often it came; all but the first changed nothing.
        due_at: when it is looked at again; None when it is not.
    """

    at: datetime
    psp: str
    event_id: str
    event_type: str
    subject: str
    reference: str
    state: str
    note: str
    delivery_count: int
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WalletOperation:
    """A change of a wallet: CREDIT, SETTLE, REVERSAL; with what the wallet held after it."""

    at: datetime
    operation_id: str
    wallet_id: str
    kind: str
    amount: str
    currency: str
    pending_after: str
    available_after: str
    held_after: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A line of a booked transaction; `is_debit` tells its side."""

    at: datetime
    transaction_id: str
    reference: str
    account_id: str
    is_debit: bool
    amount: str
    currency: str
