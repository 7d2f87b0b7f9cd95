"""What sagas are made of: a definition, its progress, the journey under way, the journal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.changed import changed
from chassis.money import Money, total
from payment_svc.domain.payment import Order, Payment
from payment_svc.sagas.commands import Command
from payment_svc.sagas.outcomes import Outcome
from payment_svc.sagas.retry import EXPONENTIAL, RetryStrategy

AT_ONCE = timedelta(0)
# Where the memory keeps that it is not known whether the present step moved money, and since when.
WAS_UNKNOWN, UNKNOWN_SINCE = "outcome_was_unknown", "unknown_since"
# Where the memory keeps that the PSP was patiently asked, and the next try is the last.
LAST_TRY = "last_try"
# The last try of the present step met trouble of our own: the next one is made again.
IN_TROUBLE = "in_trouble"
# By which resolution the present giving back was given up, or done elsewhere than at the PSP: there
# the money is still.
GIVEN_UP_BY, GIVEN_BACK_ELSEWHERE_BY = "given_up_by", "given_back_elsewhere_by"


class Queue(StrEnum):
    """Where a saga stands."""

    PAYMENT = "PAYMENT"
    RETRY = "RETRY"
    WAITING = "WAITING"
    DEAD_LETTER = "DEAD_LETTER"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Progress:
    """A saga's durable row.

    Attributes:
        order_id: the one order that it moves; None: all orders of the payment.
        due_after: when it is looked at again, counted from the writing by the database's clock.
        epoch: the fencing epoch under which it is held.
        memory: what steps remember for later ones, as text.
        step_since: when the present step, in its present direction, was begun.
    """

    saga_id: str
    kind: str
    definition_version: int
    payment_id: str
    step: str
    step_since: datetime
    created_at: datetime
    order_id: str | None = None
    queue: Queue = Queue.PAYMENT
    turned_round: bool = False
    tries: int = 0
    due_after: timedelta = AT_ONCE
    reason: str = ""
    epoch: int = 0
    memory: Mapping[str, str] = field(default_factory=dict)
    journal_length: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether it was not known, at a try of the present step, if it has moved money: from then
        on only evidence ends the step.
        """
        return WAS_UNKNOWN in self.memory

    @property
    def is_in_trouble(self) -> bool:
        """Whether the present step is to be made again because one of our own did not answer."""
        return IN_TROUBLE in self.memory

    @property
    def unknown_since(self) -> datetime | None:
        """Since when; None: it is known, or a version of before did not write it down."""
        since = self.memory.get(UNKNOWN_SINCE)
        return datetime.fromisoformat(since) if since is not None else None

    @property
    def is_runnable(self) -> bool:
        """Whether the holder of the lease goes on at once."""
        return self.queue is Queue.PAYMENT


@dataclass(frozen=True, slots=True)
class Journey:
    """A saga's progress together with the payment it moves."""

    progress: Progress
    payment: Payment

    @property
    def scope(self) -> str:
        """What it covers: the id of the order, or of the whole payment."""
        return self.progress.order_id or self.payment.payment_id

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders that the saga moves."""
        only = self.progress.order_id
        return tuple(o for o in self.payment.orders if only is None or o.order_id == only)

    @property
    def amount(self) -> Money:
        """What is taken for them."""
        return total((order.taken for order in self.orders), self.payment.currency)

    def with_orders(self, move: Callable[[Order], Order], now: datetime | None = None) -> "Journey":
        """Change each of its orders; the payment's status follows.

        `now` is when the payment is executed, should it be complete by this.
        """
        moved = [move(order) for order in self.orders]
        return Journey(self.progress, self.payment.with_orders(moved, now))

    def remember(self, **facts: str) -> "Journey":
        """Add facts to the memory."""
        if not facts:
            return self
        return self.with_progress(memory={**self.progress.memory, **facts})

    def with_progress(self, **changes: object) -> "Journey":
        """Change fields of the progress."""
        return Journey(changed(self.progress, **changes), self.payment)  # type: ignore[arg-type]

    def with_payment(self, payment: Payment) -> "Journey":
        """Put another state of the payment in, such as one read anew."""
        return Journey(self.progress, payment)


Do = Callable[[Journey], Command | None]
Enter = Callable[[Journey], Journey]
On = Callable[[Journey, Outcome, datetime], Journey]


def _stay(journey: Journey) -> Journey:
    return journey


def _unmoved(journey: Journey, _: Outcome, __: datetime) -> Journey:
    return journey


def _at_once(_: Payment) -> None:
    return


def nothing(_: Journey) -> None:
    """Ask nothing of the outside: a step that is one local transaction, or an undo of nothing."""
    return


@dataclass(frozen=True, slots=True)
class Step:
    """A step beside its compensation.

    Attributes:
        do: what to ask of the outside; None: nothing.
        undo: what to ask to undo it; None: nothing was done.
        enter: prepares the journey, on disk before `do` is asked.
        on: changes the payment by what came of `do`.
        is_patient: trouble at the PSP is waited out, and never taken for a no.
        is_detour: it is gone to on the way back alone, and only if `undo` asks for something.
        retry: when it is tried again after trouble.
    """

    name: str
    do: Do
    undo: Do = nothing
    enter: Enter = _stay
    on: On = _unmoved
    is_patient: bool = False
    is_detour: bool = False
    retry: RetryStrategy = EXPONENTIAL


@dataclass(frozen=True, slots=True)
class Saga:
    """A journey, read from top to bottom.

    Attributes:
        start: changes the payment when the saga is first taken up.
        fail: ends the orders once all is undone; None: a definite no is for a person.
        then: the kind of the saga that follows its success.
        then_at: when that is due; None: at once.
    """

    kind: str
    version: int
    steps: tuple[Step, ...]
    start: Enter = _stay
    fail: Callable[[Journey, datetime], Journey] | None = None
    then: str | None = None
    then_at: Callable[[Payment], datetime | None] = _at_once
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = {step.name: place for place, step in enumerate(self.steps)}
        object.__setattr__(self, "_places", places)

    def index(self, name: str) -> int:
        """Find a step."""
        return self._places[name]

    def step(self, name: str) -> Step:
        """Get a step."""
        return self.steps[self._places[name]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal."""

    sequence: int
    step: str
    action: str
    outcome: str
    detail: str
    definition_version: int
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """What one outcome changes: written in one local transaction."""

    before: Journey
    after: Journey
    entries: tuple[Entry, ...]
    follow_up: str | None = None
