"""The saga engine: a pure step function. It decides; only the coordinator awaits.

A saga runs its steps in order. A definite no turns it round: the undos of the step itself and of
all steps before it run in reverse, then the payment fails. Undos are idempotent and may find
nothing to undo.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from payment_svc.domain.payment import Payment
from payment_svc.sagas.commands import Command
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Stuck, Waiting
from payment_svc.sagas.policy import RetryPolicy

AT_ONCE = timedelta(0)
_UNKNOWN = "outcome_was_unknown"


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
    queue: Queue = Queue.PAYMENT
    turned_round: bool = False
    tries: int = 0
    due_after: timedelta = AT_ONCE
    reason: str = ""
    epoch: int = 0
    memory: Mapping[str, str] = field(default_factory=dict)
    journal_length: int = 0

    @property
    def is_runnable(self) -> bool:
        """Whether the holder of the lease goes on at once."""
        return self.queue is Queue.PAYMENT


@dataclass(frozen=True, slots=True)
class Journey:
    """A saga's progress together with the payment it moves."""

    progress: Progress
    payment: Payment

    def remember(self, **facts: str) -> "Journey":
        """Add facts to the memory."""
        if not facts:
            return self
        return self.with_progress(memory={**self.progress.memory, **facts})

    def with_progress(self, **changes: object) -> "Journey":
        """Change fields of the progress."""
        return replace(self, progress=replace(self.progress, **changes))  # type: ignore[arg-type]

    def with_payment(self, payment: Payment) -> "Journey":
        """Change the payment."""
        return replace(self, payment=payment)


Do = Callable[[Journey], Command | None]
Enter = Callable[[Journey], Journey]
On = Callable[[Journey, Outcome, datetime], Journey]


def _stay(journey: Journey) -> Journey:
    return journey


def _unmoved(journey: Journey, _: Outcome, __: datetime) -> Journey:
    return journey


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
    """

    name: str
    do: Do
    undo: Do = nothing
    enter: Enter = _stay
    on: On = _unmoved


@dataclass(frozen=True, slots=True)
class Saga:
    """A journey, read from top to bottom.

    Attributes:
        start: changes the payment when the saga is first taken up.
        fail: ends the payment once all is undone; None: a definite no is for a person.
        then: the kind of the saga that follows its success.
    """

    kind: str
    version: int
    steps: tuple[Step, ...]
    start: Enter = _stay
    fail: Enter | None = None
    then: str | None = None

    def index(self, name: str) -> int:
        """Find a step."""
        return _index(self.steps)[name]

    def step(self, name: str) -> Step:
        """Get a step."""
        return self.steps[_index(self.steps)[name]]


@cache
def _index(steps: tuple[Step, ...]) -> Mapping[str, int]:
    return {step.name: place for place, step in enumerate(steps)}


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


def begin(saga: Saga, saga_id: str, payment: Payment, now: datetime) -> Progress:
    """Make the row of a new saga, due at once."""
    return Progress(
        saga_id=saga_id,
        kind=saga.kind,
        definition_version=saga.version,
        payment_id=payment.payment_id,
        step=saga.steps[0].name,
        step_since=now,
        created_at=now,
    )


def take_up(saga: Saga, journey: Journey) -> Journey:
    """Start a saga that has done nothing yet; a later claim changes nothing."""
    return journey if journey.progress.journal_length else saga.start(journey)


def command(saga: Saga, journey: Journey) -> Command | None:
    """Tell what the present step asks of the outside."""
    step = saga.step(journey.progress.step)
    return step.undo(journey) if journey.progress.turned_round else step.do(journey)


def advance(
    saga: Saga,
    journey: Journey,
    outcome: Outcome,
    *,
    started_at: datetime,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Move:
    """Decide what an outcome of the present step changes.

    Steps that ask nothing of the outside are taken in the same move.
    """
    moved, entries = (
        _one(saga, journey, outcome, started_at, now, chance, policy),
        [_entry(journey, outcome, started_at, now)],
    )
    while moved.progress.is_runnable and command(saga, moved) is None:
        entries.append(_entry(moved, Done(), now, now))
        moved = _one(saga, moved, Done(), now, now, chance, policy)
    finished = moved.progress.queue is Queue.DONE and not moved.progress.turned_round
    return Move(journey, moved, tuple(entries), saga.then if finished else None)


def _one(
    saga: Saga,
    journey: Journey,
    outcome: Outcome,
    started_at: datetime,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Journey:
    progress = journey.progress
    journey = journey.with_progress(
        tries=progress.tries + 1, journal_length=progress.journal_length + 1
    )
    if not progress.turned_round:
        journey = saga.step(progress.step).on(journey, outcome, now)
    match outcome:
        case Done():
            return _onward(saga, journey.remember(**outcome.facts), now)
        case Refused() if saga.fail is not None and not progress.turned_round:
            return _turn_round(saga, journey, outcome, now)
        case Refused():
            return _dead(journey, f"refused: {outcome.reason}")
        case Stuck():
            return _dead(journey, outcome.reason)
        case Again():
            return _again(saga, journey, outcome, now, chance, policy)
        case Waiting():
            return _wait(journey, outcome, now, chance, policy)


def _onward(saga: Saga, journey: Journey, now: datetime) -> Journey:
    """Go to the next step, or back to the one before."""
    back = journey.progress.turned_round
    index = saga.index(journey.progress.step) + (-1 if back else 1)
    if index == len(saga.steps):
        return journey.with_progress(queue=Queue.DONE, reason="")
    if index < 0:
        ended = saga.fail(journey) if saga.fail else journey
        return ended.with_progress(queue=Queue.DONE)
    return _enter(saga, journey, index, now)


def _enter(saga: Saga, journey: Journey, index: int, now: datetime) -> Journey:
    step = saga.steps[index]
    journey = journey.with_progress(
        step=step.name, queue=Queue.PAYMENT, tries=0, step_since=now, due_after=AT_ONCE, reason=""
    )
    return journey if journey.progress.turned_round else step.enter(journey)


def _turn_round(saga: Saga, journey: Journey, refusal: Refused, now: datetime) -> Journey:
    """Begin to undo with the refused step itself: a part of it may have happened."""
    journey = journey.remember(
        failure_reason=refusal.reason,
        failure_message=refusal.message,
        failure_psp_code=refusal.psp_code,
    )
    journey = journey.with_progress(turned_round=True)
    return _enter(saga, journey, saga.index(journey.progress.step), now)


def _again(
    saga: Saga,
    journey: Journey,
    trouble: Again,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Journey:
    progress = journey.progress
    # Once it was unknown whether money moved, only evidence ends it, never a number of tries.
    may_give_up = trouble.from_psp and not progress.turned_round and _UNKNOWN not in progress.memory
    if may_give_up and progress.tries >= policy.psp_tries_max:
        refusal = Refused(trouble.reason, "The PSP could not take the charge; nothing was charged.")
        return _turn_round(saga, journey, refusal, now)
    if now - progress.step_since > policy.budget:
        return _dead(journey, trouble.reason)
    pause = trouble.after or policy.backoff(progress.tries, chance)
    return journey.with_progress(queue=Queue.RETRY, due_after=pause, reason=trouble.reason)


def _wait(
    journey: Journey, waiting: Waiting, now: datetime, chance: float, policy: RetryPolicy
) -> Journey:
    """Look again later. Time alone fails nothing: when patience ends, a person is asked."""
    progress = journey.progress
    patience = policy.unknown_budget if waiting.unknown else policy.action_budget
    if waiting.unknown:
        journey = journey.remember(**{_UNKNOWN: "true"})
    if now - progress.step_since > patience:
        return _dead(journey, waiting.reason)
    return journey.with_progress(
        queue=Queue.WAITING,
        due_after=policy.look_again(progress.tries, chance),
        reason=waiting.reason,
    )


def _dead(journey: Journey, reason: str) -> Journey:
    return journey.with_progress(queue=Queue.DEAD_LETTER, reason=reason)


_OUTCOMES = {Done: "done", Refused: "refused", Again: "retry", Waiting: "wait", Stuck: "dead"}


def _entry(journey: Journey, outcome: Outcome, started_at: datetime, now: datetime) -> Entry:
    progress = journey.progress
    return Entry(
        sequence=progress.journal_length + 1,
        step=progress.step,
        action="undo" if progress.turned_round else "do",
        outcome=_OUTCOMES[type(outcome)],
        detail=outcome.detail if isinstance(outcome, Done) else outcome.reason,
        definition_version=progress.definition_version,
        started_at=started_at,
        finished_at=now,
    )
