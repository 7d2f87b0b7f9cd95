"""Sagas in PostgreSQL: the table is the queue. Claims and records are batched, every write is
fenced.

`due_at` says when a saga is looked at: while it is held, when the lease ends. All times that decide
who may work are the database's.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg

from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, Write, columns
from payment_svc import cases, changes, rows
from payment_svc.domain.backlog import Backlog
from payment_svc.domain.payment import NewId, Payment
from payment_svc.ports import LostLease, SagaView, StalePayment, StatusChange
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue
from payment_svc.store import load_payments, new_sagas

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
# Those that have begun and wait; one that is only planned for later keeps its time.
_WAKE = """
UPDATE sagas SET due_at = now()
WHERE payment_id = ANY(%s::text[]) AND queue IN ('RETRY', 'WAITING') AND lease_owner IS NULL
    AND journal_length > 0 AND due_at > now()
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
    AND (%(unknown_before)s::timestamptz IS NULL
        OR (memory ->> 'unknown_since')::timestamptz <= %(unknown_before)s)
    AND (coalesce(due_at, created_at), saga_id) > (%(at)s, %(saga_id)s)
ORDER BY coalesce(due_at, created_at), saga_id LIMIT %(limit)s
"""
_COUNT_QUEUES = """
SELECT queue, count(*) AS depth FROM sagas WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING')
GROUP BY queue
UNION ALL
SELECT 'DEAD_LETTER', count(*) FROM sagas WHERE queue = 'DEAD_LETTER'
"""
_BACKLOG = """
SELECT count(*) AS depth, coalesce(now() - min(due_at), interval '0') AS oldest
FROM (
    SELECT due_at FROM sagas
    WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING') AND due_at <= now()
    ORDER BY due_at LIMIT %s
) AS due
"""
# The index has only those of which it is not known.
_COUNT_UNKNOWN = """
SELECT count(*) FROM sagas WHERE memory ? 'unknown_since' AND queue <> 'DONE'
    AND (memory ->> 'unknown_since')::timestamptz <= %s
"""
_TOUCHED = "SELECT ARRAY(SELECT payment_id FROM w0) AS touched"
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
        self._recording: Coalescer[Move, type[Exception] | None] = Coalescer(
            self._record_all, bisect_on=(psycopg.Error,)
        )

    async def claim(self, limit: int) -> Sequence[Journey]:
        """See `ports.SagaStore.claim`."""
        parameters = {"owner": self._owner, "lease": self._lease, "limit": limit}

        async def work(tx: Transaction) -> list[Journey]:
            claimed = await tx.all(_CLAIM, parameters)
            if not claimed:
                return []
            found = await load_payments(tx, [row["payment_id"] for row in claimed])
            journeys, taken_up = _take_up([rows.to_progress(row) for row in claimed], found)
            changed = [(found[p.payment_id], p) for p in taken_up if p != found[p.payment_id]]
            if changed:
                answer = await tx.together(changes.writes(changed, self._clock()), _TOUCHED)
                if len(answer["touched"]) < len(changed):
                    raise psycopg.errors.SerializationFailure("a payment was changed meanwhile")
            now = {p.payment_id: changes.stored(found[p.payment_id], p) for p in taken_up}
            return [journey.with_payment(now[journey.payment.payment_id]) for journey in journeys]

        return await self._database.run(work)

    async def record(self, move: Move) -> Journey:
        """See `ports.SagaStore.record`."""
        problem = await self._recording.submit(move)
        if problem is not None:
            raise problem(move.after.progress.saga_id)
        return move.after.with_payment(changes.stored(move.before.payment, move.after.payment))

    async def reload(self, payment: Payment) -> Payment:
        """See `ports.SagaStore.reload`."""
        wanted = [payment.payment_id]
        found = await self._database.run(lambda tx: load_payments(tx, wanted))
        return found[payment.payment_id]

    async def release_own(self) -> int:
        """See `ports.SagaStore.release_own`."""
        return await self._database.run(lambda tx: tx.execute(_RELEASE_OWN, [self._owner]))

    async def wake(self, payment_ids: Sequence[str]) -> int:
        """See `ports.SagaStore.wake`."""
        return await self._database.run(lambda tx: tx.execute(_WAKE, [list(payment_ids)]))

    async def begin_once(self, saga: Progress) -> bool:
        """See `ports.LateSagas.begin_once`."""
        write = new_sagas([saga])
        query = f"{write.query} ON CONFLICT (saga_id) DO NOTHING"
        parameters = columns(write.rows, write.width)
        return await self._database.run(lambda tx: tx.execute(query, parameters)) > 0

    async def backlog(self, at_most: int) -> Backlog:
        """Look at what is due and not claimed; more than `at_most` are not counted."""
        (row,) = await self._database.read(_BACKLOG, [at_most])
        return Backlog(row["depth"], row["oldest"])

    async def unknown(self, for_: timedelta) -> int:
        """Count the sagas of which it is not known for so long whether money moved."""
        (row,) = await self._database.read(_COUNT_UNKNOWN, [self._clock() - for_])
        return int(row["count"])

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
        self,
        queue: Queue,
        limit: int,
        after: tuple[datetime, str] | None,
        unknown_for: timedelta | None = None,
    ) -> Sequence[SagaView]:
        """See `ports.SagaStore.list_queue`."""
        at, saga_id = after or (_BEGINNING, "")
        before = None if unknown_for is None else self._clock() - unknown_for
        parameters = {
            "queue": queue.value,
            "at": at,
            "saga_id": saga_id,
            "limit": limit,
            "unknown_before": before,
        }
        found = await self._database.read(_LIST_QUEUE, parameters)
        return [_view(row, ()) for row in found]

    async def _record_all(self, moves: Sequence[Move]) -> Sequence[type[Exception] | None]:
        """Record moves in one transaction; who has lost the lease, or decided by a payment that is
        no longer so, is left out and told why.
        """
        problems: dict[str, type[Exception]] = _behind_another(moves)
        while kept := [move for move in moves if move.after.progress.saga_id not in problems]:
            try:
                await self._database.run(partial(self._record_held, kept))
                break
            except _LeftOut as left_out:
                problems |= left_out.problems
        return [problems.get(move.after.progress.saga_id) for move in moves]

    async def _record_held(self, moves: Sequence[Move], tx: Transaction) -> None:
        """Record moves whose leases are all ours, as one statement.

        Raises:
            _LeftOut: some are not, or a payment has changed; nothing is written.
        """
        now = self._clock()
        steps = [_step(move.after.progress.saga_id, e) for move in moves for e in move.entries]
        changed = [m for m in moves if m.before.payment != m.after.payment]
        writes = [
            Write(_UPDATE_SAGAS, [self._saga_change(move) for move in moves], 12),
            Write(_ADD_STEPS, steps, 9),
            new_sagas(self._follow_ups(moves, now)),
            *changes.writes([(m.before.payment, m.after.payment) for m in changed], now),
            *cases.writes(moves),
        ]
        touched = "ARRAY(SELECT payment_id FROM w3)" if changed else "ARRAY[]::text[]"
        answer = await tx.together(
            writes, f"SELECT ARRAY(SELECT saga_id FROM w0) AS held, {touched} AS touched"
        )
        held, fresh = set(answer["held"]), set(answer["touched"])
        stale = {
            m.after.progress.saga_id for m in changed if m.after.payment.payment_id not in fresh
        }
        lost = {move.after.progress.saga_id for move in moves} - held
        if stale or lost:
            raise _LeftOut(dict.fromkeys(stale, StalePayment) | dict.fromkeys(lost, LostLease))

    def _follow_ups(self, moves: Sequence[Move], now: datetime) -> list[Progress]:
        return [
            engine.begin(
                SAGAS[move.follow_up],
                self._new_id("sga"),
                move.after.payment,
                now,
                order_id=move.after.progress.order_id,
                due_at=SAGAS[move.after.progress.kind].then_at(move.after.payment),
            )
            for move in moves
            if move.follow_up is not None
        ]

    def _saga_change(self, move: Move) -> tuple[object, ...]:
        after = move.after.progress
        held = after.is_runnable
        due_after = {Queue.PAYMENT: self._lease, Queue.DONE: None, Queue.DEAD_LETTER: None}
        row = rows.saga_row(after, self._owner if held else None)
        queue, step, turned, tries, reason, memory, length, epoch, owner, since = row[5:15]
        pause = due_after.get(after.queue, after.due_after)
        return (
            after.saga_id, epoch, queue, step, turned, tries, reason, memory, length, owner, pause,
            since,
        )  # fmt: skip


class _LeftOut(Exception):
    """These sagas cannot be recorded, and why."""

    def __init__(self, problems: dict[str, type[Exception]]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


def _behind_another(moves: Sequence[Move]) -> dict[str, type[Exception]]:
    """Find the sagas that would change a payment which another of the same batch changes first."""
    seen: set[str] = set()
    behind: dict[str, type[Exception]] = {}
    for move in moves:
        if move.before.payment == move.after.payment:
            continue
        if move.after.payment.payment_id in seen:
            behind[move.after.progress.saga_id] = StalePayment
        seen.add(move.after.payment.payment_id)
    return behind


def _take_up(
    claimed: Sequence[Progress], payments: Mapping[str, Payment]
) -> tuple[list[Journey], list[Payment]]:
    """Start what is new, one saga of a payment after the other; tell also the payments by then."""
    by_id = dict(payments)
    journeys = []
    for progress in claimed:
        found = Journey(progress, by_id[progress.payment_id])
        journey = engine.take_up(SAGAS[progress.kind], found)
        by_id[progress.payment_id] = journey.payment
        journeys.append(journey)
    return journeys, list(by_id.values())


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
