"""What an audit judges: every object of every service and of the PSPs' own record, as plain rows.

A row is a named tuple, so that a test can change one in a copy and see the change found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

_OPEN_QUEUES = frozenset({"PAYMENT", "RETRY", "WAITING"})
# Kinds of lines of a PSP's record that say why something was not done, beside those about money.
REASONS = ("refused", "error", "limited", "canceled", "expired", "session_expired")
_DATED = "NOT_DUE"  # it waits for a date, and nothing is under way


class PaymentFact(NamedTuple):
    """A payment as payment_svc keeps it."""

    payment_id: str
    client_id: str
    status: str
    amount: Decimal
    currency: str
    partial_failure_policy: str
    failure_reason: str | None
    created_at: datetime


class OrderFact(NamedTuple):
    """An order; `captured` is what its client asked to capture, None for all of it.
    `payment_order_id` is the client's own name of it.
    """

    order_id: str
    payment_id: str
    seller_account: str
    status: str
    amount: Decimal
    captured: Decimal | None
    failure_reason: str | None
    payment_order_id: str = ""

    @property
    def taken(self) -> Decimal:
        """What its buyer was to be charged for it."""
        return self.amount if self.captured is None else self.captured


class SagaFact(NamedTuple):
    """A saga; `is_overdue`: due for longer than any schedule allows, by the database's clock."""

    saga_id: str
    kind: str
    payment_id: str
    order_id: str | None
    queue: str
    step: str
    reason: str
    turned_round: bool
    due_at: datetime | None
    lease_owner: str | None
    is_overdue: bool

    @property
    def is_open(self) -> bool:
        """Whether it is under way: not done, not for a person, not waiting for a mere date."""
        return self.queue in _OPEN_QUEUES and not (
            self.queue == "WAITING" and self.reason == _DATED
        )


class PathFact(NamedTuple):
    """All changes of one status, `FROM>TO` each, the oldest first, with blanks between."""

    subject_id: str
    payment_id: str
    path: str


class KeyFact(NamedTuple):
    """An idempotency record."""

    client_id: str
    method: str
    key: str
    payment_id: str


class EventFact(NamedTuple):
    """What the outbox told of one object: how many events, the highest number, how many are not
    published, and the status that the newest tells.
    """

    object_id: str
    number: int
    highest: int
    unpublished: int
    status: str | None


class DeliveryFact(NamedTuple):
    """A webhook to a client."""

    endpoint_id: str
    object_id: str
    sequence: int
    type: str
    status: str


class AttemptFact(NamedTuple):
    """An attempt at a PSP as the gateway keeps it."""

    attempt_id: str
    kind: str
    payment_id: str
    psp: str
    amount: Decimal
    currency: str
    charge_attempt_id: str
    outcome: str
    delivery: str
    reason: str
    psp_code: str
    psp_reference: str


class PayoutFact(NamedTuple):
    """An attempt to pay out as the gateway keeps it; `end_to_end_id` is what a bank knows it by,
    empty where no bank pays.
    """

    attempt_id: str
    payout_id: str
    psp: str
    amount: Decimal
    currency: str
    state: str
    end_to_end_id: str = ""


class InboxFact(NamedTuple):
    """An event that a PSP told; `is_due`: it is to be worked on now."""

    psp: str
    event_id: str
    event_type: str
    attempt_id: str
    state: str
    is_due: bool


class ResolutionFact(NamedTuple):
    """What two persons decided about an attempt whose outcome nobody could learn."""

    attempt_id: str
    decision: str


class LogFact(NamedTuple):
    """What a service's own proof of its audit log found: hashes, seals, changes without a line."""

    service: str
    line_count: int
    offences: tuple[tuple[str, str], ...]
    offence_count: int


class AssessmentFact(NamedTuple):
    """What risk_svc decided."""

    payment_id: str
    decision: str


class AccountFact(NamedTuple):
    """A ledger account."""

    account_id: str
    type: str
    currency: str
    balance: Decimal
    entry_count: int


class TransactionFact(NamedTuple):
    """A ledger transaction; `reverses` is the reference that it takes back, else None."""

    transaction_id: str
    kind: str
    reference: str
    subject_id: str
    reverses: str | None
    template: str | None


class EntryFact(NamedTuple):
    """A ledger entry."""

    transaction_id: str
    account_id: str
    sequence: int
    is_debit: bool
    amount: Decimal
    balance_after: Decimal


class WalletFact(NamedTuple):
    """A wallet."""

    wallet_id: str
    pending: Decimal
    available: Decimal
    held: Decimal
    credit_limit: Decimal
    operation_count: int

    @property
    def total(self) -> Decimal:
        """What it holds in all."""
        return self.pending + self.available + self.held


class LimitFact(NamedTuple):
    """That a wallet's credit limit was changed, at which version of the wallet, and from what."""

    wallet_id: str
    version: int
    before: Decimal


class OperationFact(NamedTuple):
    """An operation on a wallet, with what it left there; `version` is the wallet's after it."""

    operation_id: str
    wallet_id: str
    kind: str
    subject_id: str
    sequence: int
    pending_change: Decimal
    available_change: Decimal
    held_change: Decimal
    pending_after: Decimal
    available_after: Decimal
    held_after: Decimal
    version: int

    @property
    def change(self) -> Decimal:
        """What it changed in all."""
        return self.pending_change + self.available_change + self.held_change


class RecordFact(NamedTuple):
    """A line of a PSP's own record, or of the bank's. `attempt_id` is what the PSP was told: of a
    capture or a void perhaps the charge's.
    """

    seq: int
    psp: str
    kind: str
    reference: str
    payment_reference: str
    amount: Decimal
    currency: str
    attempt_id: str
    payment_id: str
    key: str | None


class SoundFact(NamedTuple):
    """What the ledger's own proof found: hashes, seals, sequences, sums."""

    is_sound: bool
    transaction_count: int
    offences: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """All that was read, each service at one moment of its own.

    `moved` are the objects that changed while the services were read one after another: they are
    in flight. `record` is None when no PSP's own record was read, `proof` and `logs` when nobody
    was asked for a proof.
    """

    read_at: datetime
    payments: Mapping[str, PaymentFact]
    orders: Sequence[OrderFact]
    sagas: Sequence[SagaFact]
    paths: Sequence[PathFact]
    keys: Sequence[KeyFact]
    events: Sequence[EventFact]
    deliveries: Sequence[DeliveryFact]
    attempts: Sequence[AttemptFact]
    payouts: Sequence[PayoutFact]
    inbox: Sequence[InboxFact]
    assessments: Sequence[AssessmentFact]
    accounts: Sequence[AccountFact]
    transactions: Sequence[TransactionFact]
    entries: Sequence[EntryFact]
    wallets: Sequence[WalletFact]
    operations: Sequence[OperationFact]
    limits: Sequence[LimitFact]
    record: Sequence[RecordFact] | None
    proof: SoundFact | None
    resolutions: Sequence[ResolutionFact] = ()
    logs: Sequence[LogFact] | None = None
    since: datetime | None = None
    moved: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def in_flight(self) -> frozenset[str]:
        """The objects with an open saga, or that moved while they were read."""
        return self.moved | {saga.payment_id for saga in self.sagas if saga.is_open}

    @cached_property
    def dead(self) -> frozenset[str]:
        """The objects that wait for a person."""
        return frozenset(s.payment_id for s in self.sagas if s.queue == "DEAD_LETTER")

    @cached_property
    def at_rest(self) -> Mapping[str, PaymentFact]:
        """The payments that nothing moves, of those that are asked for."""
        unsettled = self.in_flight | self.dead
        return {
            payment_id: payment
            for payment_id, payment in self.payments.items()
            if payment_id not in unsettled and self.is_asked_for(payment)
        }

    def is_asked_for(self, payment: PaymentFact) -> bool:
        """Whether a payment is young enough to be judged."""
        return self.since is None or payment.created_at >= self.since

    @cached_property
    def orders_of(self) -> Mapping[str, Sequence[OrderFact]]:
        """The orders by payment."""
        found: dict[str, list[OrderFact]] = {}
        for order in self.orders:
            found.setdefault(order.payment_id, []).append(order)
        return found

    @cached_property
    def attempt(self) -> Mapping[str, AttemptFact]:
        """The attempts by id."""
        return {attempt.attempt_id: attempt for attempt in self.attempts}

    @cached_property
    def transaction(self) -> Mapping[str, TransactionFact]:
        """The transactions by id."""
        return {one.transaction_id: one for one in self.transactions}
