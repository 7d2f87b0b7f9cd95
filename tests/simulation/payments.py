"""payment_svc's database in memory: payments, keys, sagas, history and outbox, as its SQL has them.

`Payments` is what survives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chassis.changed import changed
from payment_svc.changes import stored
from payment_svc.domain.payment import NewId, Payment
from payment_svc.domain.statuses import OrderStatus
from payment_svc.events import creation_event, status_events
from payment_svc.idempotency import differing
from payment_svc.outbox import Event
from payment_svc.ports import (
    Acceptance,
    Accepted,
    Asked,
    Decide,
    KeyReused,
    LostLease,
    NewPayment,
    OrderIdInUse,
    StalePayment,
)
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue
from payment_svc.sagas.quarantine import SUSPECT_FROM, quarantine
from tests.simulation.chance import Chance
from tests.simulation.clockwork import EPOCH, Call, SimulatedLoop
from tests.simulation.disk import Disk
from tests.simulation.poison import Poison

_OPEN = frozenset({Queue.PAYMENT, Queue.RETRY, Queue.WAITING})
_ENDED = frozenset({OrderStatus.FAILED, OrderStatus.CANCELLED})
_CLAIMS_MAX = 10
_REST_MIN = timedelta(seconds=1)
_POLL_S = 0.5
_POLL_AGAIN_S, _POLL_AGAIN_S_MAX = 2.0, 900.0
_RINGS_MAX = 500  # longer than the faults last

Key = tuple[str, str, str]


@dataclass(slots=True)
class Row:
    """A saga's row; released by its owner's next run, it is anybody's.

    Attributes:
        unmoved: claims in a row without a move.
        last_error: the class of the error that its last walk met.
        timer: rings when it is due.
    """

    progress: Progress
    due_at: datetime | None
    owner: str | None = None
    is_released: bool = False
    unmoved: int = 0
    last_error: str = ""
    timer: Call | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """That a process took a saga which another had held, so long after its last sign of life."""

    saga_id: str
    owner: str
    former: str
    after: timedelta


@dataclass(slots=True)
class OutboxRow:
    """An event, there once its transaction has committed: maybe later than one of a higher id."""

    event_id: int
    event: Event
    is_published: bool = False


@dataclass(slots=True)
class Payments:
    """All that is on the disk.

    Attributes:
        history: each status that a payment took, in order.
        signs: when a saga's holder last wrote.
        questions: each saga that was laid before a person: its payment, and why.
        doubted: by order, since when it is UNKNOWN, by the loop's time.
        forgotten: orders that were UNKNOWN and were called EXECUTING while their saga waited on,
            with no buyer to act: the order, its payment, and from when till when it was UNKNOWN.
        bells, relay_bells: rung when a saga becomes due, and when an event is there, by the
            process's name.
    """

    loop: SimulatedLoop
    chance: Chance
    disk: Disk
    poison: Poison
    rows: dict[str, Payment] = field(default_factory=dict)
    records: dict[Key, tuple[Any, str, bytes]] = field(default_factory=dict)
    sagas: dict[str, Row] = field(default_factory=dict)
    journal: dict[str, list[Entry]] = field(default_factory=dict)
    history: dict[str, list[str]] = field(default_factory=dict)
    outbox: list[OutboxRow] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    signs: dict[str, datetime] = field(default_factory=dict)
    questions: list[tuple[str, str]] = field(default_factory=list)
    doubted: dict[str, float] = field(default_factory=dict)
    forgotten: list[tuple[str, str, float, float]] = field(default_factory=list)
    bells: dict[str, Callable[[], None]] = field(default_factory=dict)
    relay_bells: dict[str, Callable[[], None]] = field(default_factory=dict)
    event_count: int = 0

    def now(self) -> datetime:
        """Tell the time as the database has it."""
        return self.loop.now()

    def accept(self, new: NewPayment) -> Acceptance:
        """Store what is new, replay what is known, refuse the rest."""
        known = self.replay(new.asked)
        if known is not None:
            return known
        payment = new.payment
        taken = {
            order.payment_order_id
            for one in self.rows.values()
            for order in one.orders
            if one.client_id == payment.client_id and order.status not in _ENDED
        }
        clash = tuple(o.payment_order_id for o in payment.orders if o.payment_order_id in taken)
        if clash:
            return OrderIdInUse(clash)
        self.keep_record(new.asked, payment.payment_id, new.answer)
        self.insert(new)
        return Accepted(payment.payment_id, new.answer, replayed=False)

    def insert(self, new: NewPayment) -> None:
        """Store a payment with its sagas and its first event."""
        payment = new.payment
        self.rows[payment.payment_id] = payment
        self.history[payment.payment_id] = [payment.status.value]
        self.poison.taint(payment.payment_id)
        for saga in new.sagas:
            self.add_saga(saga)
        self.tell([creation_event(payment)])

    def change(self, asked: Asked, payment_id: str, decide: Decide) -> Accepted | KeyReused | None:
        """Let a client's word change a payment."""
        known = self.replay(asked)
        if known is not None:
            return known
        before = self.rows.get(payment_id)
        if before is None or before.client_id != asked.client_id:
            return None
        decided = decide(before)
        self.keep_record(asked, payment_id, decided.answer)
        self.write(before, decided.payment)
        self.add_saga(decided.saga)
        return Accepted(payment_id, decided.answer, replayed=False)

    def claim(self, owner: str, lease: timedelta, limit: int) -> list[Journey]:
        """Take sagas that are due, under a new epoch each; of those that were claimed without a
        move, one at a time; who was claimed so too often is laid before a person.
        """
        due = self.due()
        sound = [row for row in due if row.unmoved < SUSPECT_FROM]
        suspect = [row for row in due if row.unmoved >= SUSPECT_FROM]
        taken = [self._take(row, owner, lease) for row in (*sound[:limit], *suspect[:1])]
        return [journey for journey in taken if journey is not None]

    def due(self) -> list[Row]:
        """List the sagas that are due, the longest first."""
        now = self.now()
        due = [
            row
            for row in self.sagas.values()
            if row.due_at is not None and row.due_at <= now and row.progress.queue in _OPEN
        ]
        due.sort(key=lambda row: row.due_at or now)
        return due

    def _take(self, row: Row, owner: str, lease: timedelta) -> Journey | None:
        saga_id, now = row.progress.saga_id, self.now()
        if row.owner not in (None, owner) and not row.is_released:
            silence = now - self.signs[saga_id]
            self.claims.append(Claim(saga_id, owner, row.owner or "", silence))
        row.progress = changed(row.progress, epoch=row.progress.epoch + 1, queue=Queue.PAYMENT)
        row.owner, row.is_released, self.signs[saga_id] = owner, False, now
        row.unmoved += 1
        before = self.rows[row.progress.payment_id]
        if row.unmoved > _CLAIMS_MAX:
            self.chance.struck("quarantined")
            move = quarantine(row.progress, before, row.last_error, now)
            self.write_saga(row, move, owner, lease)
            return None
        self.set_due(row, now + lease)
        try:
            self.poison.meet("start", before.payment_id)
            journey = engine.take_up(SAGAS[row.progress.kind], Journey(row.progress, before))
        except ValueError as error:
            self.stumble(row.progress, type(error).__name__, counts=True)
            return None
        if journey.payment != before:
            self.write(before, journey.payment)
        return journey.with_payment(self.rows[before.payment_id])

    def record(self, move: Move, owner: str, lease: timedelta, new_id: NewId) -> None:
        """Write a move whose lease is still its writer's.

        Raises:
            LostLease, StalePayment: see `payment_svc.ports.SagaStore.record`.
        """
        after, before = move.after.progress, move.before.payment
        row = self.sagas[after.saga_id]
        if row.progress.epoch != after.epoch:
            self.chance.struck("fenced")
            raise LostLease(after.saga_id)
        if before != move.after.payment:
            if self.rows[before.payment_id].revision != before.revision:
                raise StalePayment(after.saga_id)
            self.write(before, move.after.payment)
            self._note_doubt(move)
        self.write_saga(row, move, owner, lease)
        if move.follow_up is not None:
            self._follow(move, new_id)

    def _note_doubt(self, move: Move) -> None:
        payment, now = move.after.payment, self.loop.time()
        for before, after in zip(move.before.payment.orders, payment.orders, strict=True):
            was_unknown = before.status is OrderStatus.UNKNOWN
            if after.status is OrderStatus.UNKNOWN and not was_unknown:
                self.doubted[after.order_id] = now
            is_executing = after.status is OrderStatus.EXECUTING and after.redirect_url is None
            if was_unknown and is_executing and move.entries[-1].outcome == "wait":
                since = self.doubted[after.order_id]
                self.forgotten.append((after.order_id, payment.payment_id, since, now))

    def write_saga(self, row: Row, move: Move, owner: str, lease: timedelta) -> None:
        """Write what a move makes of its saga."""
        after, now = move.after.progress, self.now()
        row.progress = after
        row.owner = owner if after.is_runnable else None
        row.unmoved, row.last_error = 0, ""
        if after.queue is Queue.DEAD_LETTER:
            self.questions.append((after.payment_id, after.reason))
        self.signs[after.saga_id] = now
        pause = lease if after.is_runnable else after.due_after
        self.set_due(row, now + pause if after.queue in _OPEN else None)
        self.journal.setdefault(after.saga_id, []).extend(move.entries)
        last = move.entries[-1]
        self.chance.note(
            f"{owner} {after.kind} {after.payment_id} {last.step} {last.action} {last.outcome}"
            f" {last.detail} -> {after.queue} {move.after.payment.status}"
        )

    def stumble(self, held: Progress, error: str, *, counts: bool) -> None:
        """Let go of a saga whose walk failed, unless somebody else has it."""
        row = self.sagas[held.saga_id]
        if row.progress.epoch == held.epoch and row.progress.queue in _OPEN:
            row.unmoved -= not counts
            row.last_error = error if counts else ""
            reason = f"WALK_FAILED: {error}"
            row.progress = changed(row.progress, queue=Queue.RETRY, reason=reason)
            row.owner = None
            self.set_due(row, self.now() + max(self._rest(row), _REST_MIN))

    def _rest(self, row: Row) -> timedelta:
        """Tell how long it rests that was claimed without a move."""
        if row.unmoved < 2:
            return timedelta(0)
        seconds = min(2.0 ** (min(row.unmoved, 10) - 2), 60.0)
        return timedelta(seconds=seconds * self.chance.between(0.5, 1.0))

    def _follow(self, move: Move, new_id: NewId) -> None:
        payment, saga = move.after.payment, SAGAS[move.after.progress.kind]
        self.add_saga(
            engine.begin(
                SAGAS[move.follow_up or ""],
                new_id("sga"),
                payment,
                self.now(),
                order_id=move.after.progress.order_id,
                due_at=saga.then_at(payment),
            )
        )

    def wake(self, payment_ids: Sequence[str]) -> int:
        """Make due what has begun and waits."""
        woken = [
            row
            for row in self.sagas.values()
            if row.progress.payment_id in payment_ids
            and row.progress.queue in (Queue.RETRY, Queue.WAITING)
            and row.owner is None
            and row.progress.journal_length > 0
            and row.due_at is not None
            and row.due_at > self.now()
        ]
        for row in woken:
            self.set_due(row, self.now())
        return len(woken)

    def release_own(self, owner: str) -> int:
        """Make due what a former run of an instance held."""
        own = [r for r in self.sagas.values() if r.owner == owner and r.progress.queue in _OPEN]
        for row in own:
            row.is_released = True
            self.set_due(row, self.now() + self._rest(row))
        return len(own)

    def write(self, before: Payment, after: Payment) -> None:
        """Write a payment, what it was and what it tells."""
        self.rows[after.payment_id] = stored(before, after)
        self.history[after.payment_id] += [status.value for status in after.trail]
        self.tell(status_events(after))

    def tell(self, events: Sequence[Event]) -> None:
        """Put events into the outbox; a place in it is taken before its transaction commits."""
        for event in events:
            self.event_count += 1
            row = OutboxRow(self.event_count, event)
            late = self.chance.strikes_now("commit_late")
            delay = self.chance.between(1.5, 4.0) if late else 0.0
            self.loop.later(delay, self._commit_event, row)

    def _commit_event(self, row: OutboxRow) -> None:
        self.outbox.append(row)
        self._ring_relay_for(row)

    def _ring_relay_for(self, row: OutboxRow, times: int = _RINGS_MAX) -> None:
        """Wake who publishes, and one after the other until somebody has published it."""
        if times and not row.is_published and self.relay_bells:
            self.chance.one_of(list(self.relay_bells.values()))()
            self.loop.later(_POLL_AGAIN_S, self._ring_relay_for, row, times - 1)

    def add_saga(self, saga: Progress) -> None:
        """Store a new saga."""
        row = Row(saga, None)
        self.sagas[saga.saga_id] = row
        self.set_due(row, self.now() + saga.due_after)

    def begin_once(self, saga: Progress) -> bool:
        """Store a saga unless one of its id is there."""
        if saga.saga_id in self.sagas:
            return False
        self.chance.struck("late_success")
        self.add_saga(saga)
        return True

    def set_due(self, row: Row, due_at: datetime | None) -> None:
        """Say when a saga is looked at, and have a worker look then, as its polling would."""
        row.due_at = due_at
        if row.timer is not None:
            row.timer.cancel()
        if due_at is not None:
            at = max((due_at - EPOCH).total_seconds(), self.loop.time())
            at += self.chance.between(0.001, _POLL_S)
            row.timer = self.loop.at(at, self._ring_for, row, _POLL_AGAIN_S)

    def _ring_for(self, row: Row, pause_s: float) -> None:
        """Wake a worker, and one after the other until somebody takes the saga."""
        if self.bells:
            self.chance.one_of(list(self.bells.values()))()
            longer_s = min(2 * pause_s, _POLL_AGAIN_S_MAX)
            row.timer = self.loop.later(pause_s, self._ring_for, row, longer_s)

    def replay(self, asked: Asked) -> Accepted | KeyReused | None:
        """Answer a known key as the first time."""
        record = self.records.get((asked.client_id, asked.method, asked.idempotency_key))
        if record is None:
            return None
        fingerprint, payment_id, answer = record
        fields = differing(fingerprint, asked.fingerprint)
        return KeyReused(tuple(fields)) if fields else Accepted(payment_id, answer, replayed=True)

    def keep_record(self, asked: Asked, payment_id: str, answer: bytes) -> None:
        """Keep what a key was used for."""
        key = (asked.client_id, asked.method, asked.idempotency_key)
        self.records[key] = (asked.fingerprint, payment_id, answer)
