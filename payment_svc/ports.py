"""What the use cases and the coordinator need from outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit_log.record import ActorKind, Origin
from chassis.money import Money
from payment_svc.domain.case import Case, CaseStatus
from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    Notice,
    WalletOperation,
)
from payment_svc.sagas.commands import Command
from payment_svc.sagas.journey import Entry, Journey, Move, Progress
from payment_svc.sagas.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what under which key; `fingerprint` hashes each field of the request.

    `origin` is what the audit log is told of the call; without one, what is known here.
    """

    client_id: str
    method: str
    idempotency_key: str
    fingerprint: Mapping[str, str]
    origin: Origin | None = None

    def by(self) -> Origin:
        """Tell whose word it is, for the audit log."""
        action = f"payment_svc/{self.method}"
        return self.origin or Origin(
            ActorKind.CLIENT, self.client_id, is_verified=False, action=action
        )


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to be accepted, with all that its acceptance writes; `answer` is the first answer,
    kept verbatim.
    """

    asked: Asked
    payment: Payment
    sagas: tuple[Progress, ...]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is stored; `answer` is the first answer, `replayed` whether it was there before."""

    payment_id: str
    answer: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key was used with another request; `fields` differ."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderIdInUse:
    """These ids belong to orders that have not failed."""

    payment_order_ids: tuple[str, ...]


Acceptance = Accepted | KeyReused | OrderIdInUse


@dataclass(frozen=True, slots=True)
class Decided:
    """What a client's word makes of a payment: its next state, the saga that begins, the answer."""

    payment: Payment
    saga: Progress
    answer: bytes


Decide = Callable[[Payment], Decided]


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of a list begins: after this creation time and id, the newest first."""

    created_at: datetime
    payment_id: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which payments to list; None and an empty amount range do not restrict.

    Amounts are of `currency`; `created_before` is excluded.
    """

    client_id: str
    buyer_id: str | None = None
    checkout_id: str | None = None
    seller_account: str | None = None
    status: PaymentStatus | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    currency: str | None = None
    amount_min: Money | None = None
    amount_max: Money | None = None


class PaymentStore(Protocol):
    """Payments at rest."""

    async def accept(self, new: NewPayment) -> Acceptance:
        """Store payment, orders, idempotency record and saga in one transaction, or nothing."""
        ...

    async def known(self, asked: Asked) -> Accepted | KeyReused | None:
        """Answer a known key as `accept` would; None: it is not known."""
        ...

    async def change(
        self, asked: Asked, payment_id: str, decide: Decide
    ) -> Accepted | KeyReused | None:
        """Let a client's word change one of its payments, once per key; None: there is no such.

        `decide` is asked under a lock on the payment; what it raises is raised, and nothing is
        stored.
        """
        ...

    async def find(self, payment_id: str) -> Payment | None:
        """Read a payment of any client."""
        ...

    async def find_own(self, client_id: str, payment_id: str) -> Payment | None:
        """Read a payment of a client; another's costs what an unknown one does, and is None too."""
        ...

    async def list(
        self, filters: Filters, limit: int, after: Page | None
    ) -> tuple[Sequence[Payment], Page | None]:
        """List payments, the newest first: at most `limit` of them, and where the next page begins;
        None when nothing is left. A page may be short, even empty, while more is left.
        """
        ...


@dataclass(frozen=True, slots=True)
class SagaView:
    """A saga as an operator sees it; `due_at` is None when nothing is due any more, `moved_at` when
    it last moved, or became a dead letter.
    """

    progress: Progress
    due_at: datetime | None
    entries: tuple[Entry, ...] = ()
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A line of the status history."""

    subject_id: str
    from_status: str
    to_status: str
    reason: str
    changed_at: datetime


class LostLease(Exception):
    """Somebody else has claimed the saga since; what was to be written is refused."""


class StalePayment(Exception):
    """The payment was changed since it was read: decide again, by what it is now."""


class SagaStore(Protocol):
    """Sagas at rest: the queue, the lease, the journal."""

    async def claim(self, limit: int) -> Sequence[Journey]:
        """Take up to `limit` due sagas, each under a new epoch and a lease of our own."""
        ...

    async def record(self, move: Move) -> Journey:
        """Write a move in one transaction; answer the journey as it then is.

        Raises:
            LostLease: the epoch is no longer ours; nothing is written.
            StalePayment: the payment has another revision by now; nothing is written.
        """
        ...

    async def reload(self, payment: Payment) -> Payment:
        """Read a payment as it is now."""
        ...

    async def release_own(self) -> int:
        """Make due what a former run of this instance held; tell how many."""
        ...

    async def wake(self, payment_ids: Sequence[str]) -> int:
        """Make due what has begun and waits, of these payments; tell how many sagas."""
        ...

    async def explain(self, payment_id: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """Read a payment's sagas with their journals, and its status history, oldest first."""
        ...

    async def stumbled(self, progress: Progress, error: str, *, counts: bool) -> None:
        """Let go of a saga whose walk failed by an error of the class `error`; it rests a while.

        Where it `counts`, the saga may be poison; else it was not the saga's fault.
        """
        ...


class LateSagas(Protocol):
    """Where the sagas of late charges begin."""

    async def begin_once(self, saga: Progress) -> bool:
        """Store a saga unless one of its id is there; tell whether this call did."""
        ...


class CaseStore(Protocol):
    """Cases at rest."""

    async def list_cases(
        self, status: CaseStatus, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[Case]:
        """List cases of a status, the newest first, without their histories, after a place."""
        ...

    async def find_case(self, case_id: str) -> Case | None:
        """Read a case with its history."""
        ...

    async def cases_of(self, payment_id: str) -> Sequence[Case]:
        """Read a payment's cases with their histories, the oldest first."""
        ...


class Sellers(Protocol):
    """Who may be paid."""

    async def missing(self, wallet_ids: Sequence[str]) -> Sequence[str]:
        """Tell which of these wallets are not there.

        Raises:
            Unavailable: nobody could tell.
        """
        ...


class Returns(Protocol):
    """Who is told of buyers that come back."""

    async def tell(self, attempt_id: str, details: Mapping[str, str]) -> None:
        """Tell what a buyer brought back, the query of his return.

        Raises:
            Unavailable: nobody heard; telling again is safe.
        """
        ...


class Services(Protocol):
    """The other services, as a saga step sees them."""

    async def perform(self, command: Command) -> Outcome:
        """Have a command done; every failure is told as an outcome."""
        ...


class Witnesses(Protocol):
    """The other services, asked what they know of a payment; each tells the oldest first.

    Who knows nothing tells nothing. Each answers within seconds.

    Raises:
        Unavailable: it did not answer, or has more to tell than anybody would read.
    """

    async def assessments(self, payment_id: str) -> tuple[Assessment, ...]:
        """Ask risk_svc what it decided."""
        ...

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """Ask psp_gateway what was tried at PSPs."""
        ...

    async def notices(self, payment_id: str) -> tuple[Notice, ...]:
        """Ask psp_gateway what PSPs told unasked."""
        ...

    async def operations(self, payment_id: str) -> tuple[WalletOperation, ...]:
        """Ask wallet_svc what changed in wallets."""
        ...

    async def entries(self, payment_id: str) -> tuple[LedgerEntry, ...]:
        """Ask ledger_svc what was booked."""
        ...
