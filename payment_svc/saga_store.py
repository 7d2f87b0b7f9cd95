"""Sagas in PostgreSQL: the table is the queue. Claims and records are batched, every write is
fenced.

`due_at` says when a saga is looked at: while it is held, when the lease ends. All times that decide
who may work are the database's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg

from chassis import outbox
from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, Write
from payment_svc import rows
from payment_svc.domain.payment import NewId, Payment
from payment_svc.events import status_event
from payment_svc.ports import LostLease, SagaView, StatusChange
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.engine import Entry, Journey, Move, Progress, Queue
from payment_svc.store import ADD_HISTORY, ADD_SAGAS, load_payments

_CLAIM = f"""
UPDATE sagas SET lease_owner = %(owner)s, epoch = epoch + 1, due_at = now() + %(lease)s,
    queue = 'PAYMENT'
WHERE saga_id IN (
    SELECT saga_id FROM sagas
    WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING') AND due_at <= now()
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING {rows.SAGA_COLUMNS}
"""
_RELEASE_OWN = """
UPDATE sagas SET due_at = now()
WHERE lease_owner = %s AND queue IN ('PAYMENT', 'RETRY', 'WAITING')
"""
_UPDATE_SAGAS = """
UPDATE sagas AS s SET queue = u.queue, step = u.step, turned_round = u.turned_round,
    tries = u.tries, reason = u.reason, memory = u.memory, journal_length = u.journal_length,
    lease_owner = u.lease_owner, due_at = now() + u.due_after, step_since = u.step_since
FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::bool[], %b::int[], %b::text[],
    %b::jsonb[], %b::int[], %b::text[], %b::interval[], %b::timestamptz[])
    AS u (saga_id, epoch, queue, step, turned_round, tries, reason, memory, journal_length,
    lease_owner, due_after, step_since)
WHERE s.saga_id = u.saga_id AND s.epoch = u.epoch
RETURNING s.saga_id
"""
_ADD_STEPS = """
INSERT INTO saga_steps (saga_id, sequence, step, action, outcome, detail, definition_version,
    started_at, finished_at)
SELECT * FROM unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::int[], %b::timestamptz[], %b::timestamptz[])
"""
_UPDATE_PAYMENTS = """
UPDATE payments AS p SET status = u.status, version = u.version, payment_token = u.payment_token,
    failure_reason = u.failure_reason, failure_message = u.failure_message,
    failure_psp_code = u.failure_psp_code, redirect_url = u.redirect_url,
    executed_at = u.executed_at
FROM unnest(%b::text[], %b::int[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::timestamptz[])
    AS u (payment_id, version_before, status, version, payment_token, failure_reason,
    failure_message, failure_psp_code, redirect_url, executed_at)
WHERE p.payment_id = u.payment_id AND p.version = u.version_before
RETURNING p.payment_id
"""
_UPDATE_ORDERS = """
UPDATE orders AS o SET status = u.status
FROM unnest(%b::text[], %b::text[]) AS u (order_id, status) WHERE o.order_id = u.order_id
"""
_EXPLAIN_SAGAS = f"""
SELECT {rows.SAGA_COLUMNS}, due_at FROM sagas WHERE payment_id = %s ORDER BY created_at, saga_id
"""
_EXPLAIN_STEPS = """
SELECT saga_id, sequence, step, action, outcome, detail, definition_version, started_at,
    finished_at
FROM saga_steps WHERE saga_id = ANY(%s) ORDER BY saga_id, sequence
"""
_EXPLAIN_HISTORY = """
SELECT subject_id, from_status, to_status, reason, changed_at
FROM status_history WHERE payment_id = %s ORDER BY change_id
"""
_LIST_QUEUE = f"""
SELECT {rows.SAGA_COLUMNS}, due_at, coalesce(due_at, created_at) AS place
FROM sagas WHERE queue = %(queue)s
    AND (coalesce(due_at, created_at), saga_id) > (%(at)s, %(saga_id)s)
ORDER BY coalesce(due_at, created_at), saga_id LIMIT %(limit)s
"""
_COUNT_QUEUES = """
SELECT queue, count(*) AS depth FROM sagas WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING')
GROUP BY queue
UNION ALL
SELECT 'DEAD_LETTER', count(*) FROM sagas WHERE queue = 'DEAD_LETTER'
"""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class PostgresSagaStore:
    """`ports.SagaStore` on PostgreSQL.

    Args:
        owner: this instance's name; stable over restarts, unique among instances.
        lease: how long a saga stays ours without a sign of life.
    """

    def __init__(
        self, database: Database, *, owner: str, lease: timedelta, new_id: NewId, clock: Clock
    ) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease
        self._new_id = new_id
        self._clock = clock
        self._recording: Coalescer[Move, bool] = Coalescer(
            self._record_all, bisect_on=(psycopg.Error,)
        )

    async def claim(self, limit: int) -> Sequence[Journey]:
        """See `ports.SagaStore.claim`."""
        parameters = {"owner": self._owner, "lease": self._lease, "limit": limit}

        async def work(tx: Transaction) -> list[Journey]:
            claimed = await tx.all(_CLAIM, parameters)
            if not claimed:
                return []
            payments = await load_payments(tx, [row["payment_id"] for row in claimed])
            found = [Journey(rows.to_progress(r), payments[r["payment_id"]]) for r in claimed]
            journeys = [engine.take_up(SAGAS[j.progress.kind], j) for j in found]
            pairs = zip(found, journeys, strict=True)
            changed = [(a.payment, b.payment) for a, b in pairs if a.payment != b.payment]
            if changed:
                writes = _payment_writes(changed, self._clock())
                answer = await tx.together(writes, "SELECT count(*) AS touched FROM w0")
                _check_touched(answer["touched"], changed)
            return journeys

        return await self._database.run(work)

    async def record(self, move: Move) -> None:
        """See `ports.SagaStore.record`."""
        if not await self._recording.submit(move):
            raise LostLease(move.after.progress.saga_id)

    async def release_own(self) -> int:
        """See `ports.SagaStore.release_own`."""
        return await self._database.run(lambda tx: tx.execute(_RELEASE_OWN, [self._owner]))

    async def depths(self) -> dict[str, int]:
        """Count the sagas of each queue, DONE apart."""
        found = await self._database.read(_COUNT_QUEUES)
        return {row["queue"]: row["depth"] for row in found}

    async def explain(self, payment_id: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """See `ports.SagaStore.explain`."""

        async def work(tx: Transaction) -> tuple[list[SagaView], list[StatusChange]]:
            sagas = await tx.all(_EXPLAIN_SAGAS, [payment_id])
            steps = await tx.all(_EXPLAIN_STEPS, [[row["saga_id"] for row in sagas]])
            history = await tx.all(_EXPLAIN_HISTORY, [payment_id])
            return [_view(saga, steps) for saga in sagas], [StatusChange(**r) for r in history]

        return await self._database.run(work)

    async def list_queue(
        self, queue: Queue, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[SagaView]:
        """See `ports.SagaStore.list_queue`."""
        at, saga_id = after or (_BEGINNING, "")
        parameters = {"queue": queue.value, "at": at, "saga_id": saga_id, "limit": limit}
        found = await self._database.read(_LIST_QUEUE, parameters)
        return [_view(row, ()) for row in found]

    async def _record_all(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Record moves in one transaction; whoever has lost the lease is left out and told so."""
        lost: set[str] = set()
        while kept := [move for move in moves if move.after.progress.saga_id not in lost]:
            try:
                await self._database.run(partial(self._record_held, kept))
                break
            except _Fenced as fenced:
                lost |= fenced.saga_ids
        return [move.after.progress.saga_id not in lost for move in moves]

    async def _record_held(self, moves: Sequence[Move], tx: Transaction) -> None:
        """Record moves whose leases are all ours, as one statement.

        Raises:
            _Fenced: some are not; nothing is written.
        """
        now = self._clock()
        steps = [_step(move.after.progress.saga_id, e) for move in moves for e in move.entries]
        changed = [(m.before.payment, m.after.payment) for m in moves]
        changed = [(before, after) for before, after in changed if before != after]
        writes = [
            Write(_UPDATE_SAGAS, [self._saga_change(move) for move in moves], 12),
            Write(_ADD_STEPS, steps, 9),
            Write(ADD_SAGAS, [rows.saga_row(p, None) for p in self._follow_ups(moves, now)], 15),
            *_payment_writes(changed, now),
        ]
        touched = "(SELECT count(*) FROM w3)" if changed else "0"
        answer = await tx.together(
            writes, f"SELECT ARRAY(SELECT saga_id FROM w0) AS held, {touched} AS touched"
        )
        lost = {move.after.progress.saga_id for move in moves} - set(answer["held"])
        if lost:
            raise _Fenced(lost)
        _check_touched(answer["touched"], changed)

    def _follow_ups(self, moves: Sequence[Move], now: datetime) -> list[Progress]:
        return [
            engine.begin(SAGAS[move.follow_up], self._new_id("sga"), move.after.payment, now)
            for move in moves
            if move.follow_up is not None
        ]

    def _saga_change(self, move: Move) -> tuple[object, ...]:
        after = move.after.progress
        held = after.is_runnable
        due_after = {Queue.PAYMENT: self._lease, Queue.DONE: None, Queue.DEAD_LETTER: None}
        row = rows.saga_row(after, self._owner if held else None)
        _, _, _, _, queue, step, turned, tries, reason, memory, length, epoch, owner, since, _ = row
        pause = due_after.get(after.queue, after.due_after)
        return (
            after.saga_id, epoch, queue, step, turned, tries, reason, memory, length, owner, pause,
            since,
        )  # fmt: skip


class _Fenced(Exception):
    """These sagas have been claimed by somebody else since."""

    def __init__(self, saga_ids: set[str]) -> None:
        super().__init__(", ".join(saga_ids))
        self.saga_ids = saga_ids


_Change = tuple[Payment, Payment]


def _payment_writes(changed: Sequence[_Change], now: datetime) -> list[Write]:
    """Write what changed of payments and orders, its history and its events."""
    orders = [
        (after.order_id, after.status.value)
        for old, new in changed
        for before, after in zip(old.orders, new.orders, strict=True)
        if before.status != after.status
    ]
    history = [line for before, after in changed for line in _history(before, after, now)]
    events = [status_event(new) for old, new in changed if old.version != new.version]
    return [
        Write(_UPDATE_PAYMENTS, [_payment_change(old, new) for old, new in changed], 10),
        Write(_UPDATE_ORDERS, orders, 2),
        Write(ADD_HISTORY, history, 6),
        outbox.record(events),
    ]


def _check_touched(touched: int, changed: Sequence[_Change]) -> None:
    if touched != len(changed):
        raise AssertionError("a payment was changed by somebody who did not hold its saga")


def _payment_change(before: Payment, after: Payment) -> tuple[object, ...]:
    return (
        after.payment_id, before.version, after.status.value, after.version, after.payment_token,
        *rows.failure_columns(after), after.redirect_url, after.executed_at,
    )  # fmt: skip


def _history(before: Payment, after: Payment, now: datetime) -> list[tuple[object, ...]]:
    reason = after.failure.reason if after.failure else ""
    subjects = [(before.payment_id, before.status, after.status)]
    subjects += [
        (a.order_id, a.status, b.status)  # type: ignore[misc]
        for a, b in zip(before.orders, after.orders, strict=True)
    ]
    return [
        (after.payment_id, subject, old.value, new.value, reason, now)
        for subject, old, new in subjects
        if old != new
    ]


def _step(saga_id: str, entry: Entry) -> tuple[object, ...]:
    return (
        saga_id, entry.sequence, entry.step, entry.action, entry.outcome, entry.detail,
        entry.definition_version, entry.started_at, entry.finished_at,
    )  # fmt: skip


def _view(row: rows.Row, steps: Sequence[rows.Row]) -> SagaView:
    names = Entry.__dataclass_fields__
    entries = tuple(
        Entry(**{name: step[name] for name in names})
        for step in steps
        if step["saga_id"] == row["saga_id"]
    )
    return SagaView(rows.to_progress(row), row["due_at"], entries)
