"""What the operators' use cases need from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.ports import SagaView
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue


@dataclass(frozen=True, slots=True)
class SagaFilter:
    """Which sagas are meant; what is empty does not restrict.

    Attributes:
        reason: how their reason begins.
        older_than: they have stood so long at least: since they became dead letters, else since
            their step was begun.
        unknown_for: it is not known for so long whether money moved; None does not restrict.
    """

    kind: str = ""
    reason: str = ""
    payment_id: str = ""
    older_than: timedelta = timedelta(0)
    unknown_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many sagas stand in a queue for reasons that begin alike, and how long the oldest has."""

    queue: Queue
    kind: str
    reason: str
    count: int
    oldest_age: timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a queue begins: after this time and id."""

    at: datetime
    saga_id: str


@dataclass(frozen=True, slots=True)
class LetOn:
    """A saga that is let go on by a person: its row, the line of its journal, the trail of it."""

    progress: Progress
    entry: Entry
    action: OperatorAction


@dataclass(frozen=True, slots=True)
class Bulk:
    """Dead letters to be let go on together, by default all that fit.

    Attributes:
        dead_before: only those that had become dead letters by then; None: by now.
    """

    filter: SagaFilter
    max_count: int
    dead_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The dead letters that fit, by the database's clock `as_of`, and whether there are more.

    Attributes:
        saga_ids: of each, in the order in which they go on.
        total_count: how many fit in all; 0: nobody has counted.
    """

    reasons: Sequence[str]
    has_more: bool
    as_of: datetime
    saga_ids: Sequence[str] = ()
    total_count: int = 0


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is kept under an Idempotency-Key; of the request, the names of its fields alone."""

    payment_id: str
    payment_status: str
    fields: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Concluded:
    """What comes of a resolution: its own next state, and what becomes of the saga.

    Attributes:
        let_on: the saga goes back to its queue to ask again; None: it does not.
        move: the saga takes a step by the operators' word; None: it does not.
        action: for the trail of operators; None: nothing was changed by this.
    """

    resolution: Resolution
    let_on: LetOn | None = None
    move: Move | None = None
    action: OperatorAction | None = None


class OperatorStore(Protocol):
    """The queues as operators see them. Each change is one transaction with its trail."""

    async def find(self, saga_id: str) -> tuple[SagaView, Journey] | None:
        """Read a saga with its payment, of any client."""
        ...

    async def list_queue(
        self, queue: Queue, chosen: SagaFilter, limit: int, after: Place | None
    ) -> Sequence[tuple[SagaView, Place]]:
        """List a queue by due time, then id, after a place in it; with the place of each."""
        ...

    async def depths(self) -> Sequence[Depth]:
        """Count all queues but DONE."""
        ...

    async def let_on(self, saga_id: str, decide: Callable[[Journey], LetOn]) -> SagaView | None:
        """Let a saga go on as `decide` says, which is asked under a lock on it; None: there is no
        such. What it raises is raised, and nothing is stored.
        """
        ...

    async def choose(self, bulk: Bulk) -> Chosen:
        """Tell which dead letters fit, the longest dead first, and how many fit in all."""
        ...

    async def let_on_many(self, bulk: Bulk, decide: Callable[[int, Progress], LetOn]) -> Chosen:
        """Let those that fit go on as `decide` says of each, by its number from 0."""
        ...

    async def actions_of(self, payment_id: str) -> Sequence[OperatorAction]:
        """List what operators did about a payment, the oldest first."""
        ...

    async def find_key(self, client_id: str, method: str, key: str) -> KeptKey | None:
        """Read what is kept under an Idempotency-Key."""
        ...


class ResolutionStore(Protocol):
    """Resolutions at rest. Each change is one transaction with its trail."""

    async def propose(
        self, saga_id: str, decide: Callable[[Journey], tuple[Resolution, OperatorAction]]
    ) -> Resolution | None:
        """Store what `decide` proposes, asked under a lock on the saga; None: there is no such.

        Raises:
            ResolutionPending: another is open.
        """
        ...

    async def decide(
        self,
        resolution_id: str,
        decide: Callable[[Resolution], tuple[Resolution, OperatorAction | None]],
    ) -> Resolution | None:
        """Change a resolution as `decide` says, asked under a lock on it; None: none such."""
        ...

    async def conclude(
        self, resolution_id: str, decide: Callable[[Resolution, Journey], Concluded]
    ) -> Resolution | None:
        """Change a resolution and its saga together as `decide` says, asked under a lock on both.

        Raises:
            Aborted: the payment was changed meanwhile; try again.
        """
        ...

    async def find(self, resolution_id: str) -> Resolution | None:
        """Read a resolution."""
        ...

    async def list(
        self, status: ResolutionStatus | None, saga_id: str, before: str, limit: int
    ) -> Sequence[Resolution]:
        """List resolutions before an id, the newest first; an empty id is behind all."""
        ...

    async def approved(self, limit: int, after: Resolution | None = None) -> Sequence[Resolution]:
        """List those that are approved and not applied, the longest approved first, `after` one."""
        ...


@dataclass(frozen=True, slots=True)
class AttemptWord:
    """What psp_gateway says of an attempt by now.

    Attributes:
        outcome: SUCCEEDED, DECLINED; empty: it was left as it is.
        reason: why it was declined; empty when it was not.
        refusal: why it was left, a stable word; empty when it was not.
    """

    outcome: str = ""
    refusal: str = ""
    message: str = ""
    reason: str = ""


class Attempts(Protocol):
    """The attempts at PSPs, which know what became of the money."""

    async def resolve(self, resolution: Resolution, *, is_done: bool) -> AttemptWord:
        """Have it recorded that an attempt has succeeded or not; the PSP's own word wins. Of one
        that has not, the resolution's amount is what the PSP took instead.

        Raises:
            Unavailable: nobody answered; asking again is safe.
        """
        ...


class LateCharges(Protocol):
    """Who gives back what PSPs took and no saga asked for."""

    async def begin(self, payment_id: str) -> None:
        """Begin the saga of each late charge of a payment, once.

        Raises:
            Unavailable: psp_gateway did not tell what was charged; asking again is safe.
        """
        ...
