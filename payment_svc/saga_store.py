"""Sagas in PostgreSQL: the table is the queue. Claims and records are batched, every write is
fenced.

`due_at` says when a saga is looked at: while it is held, when the lease ends. All times that decide
who may work are the database's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import psycopg

from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, Write, columns
from chassis.faults import FaultPoints
from payment_svc import cases, changes, rows
from payment_svc.claimed import judge, take_up
from payment_svc.domain.backlog import Backlog
from payment_svc.domain.payment import NewId, Payment
from payment_svc.operations import attention
from payment_svc.ports import LostLease, SagaView, StalePayment, StatusChange
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue
from payment_svc.sagas.quarantine import SUSPECT_FROM, quarantine
from payment_svc.store import load_payments, load_readable, new_sagas
from payment_svc.tracing import follow

_CLAIM = f"""
WITH sound AS (
    SELECT saga_id FROM sagas
    WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING') AND due_at <= now() AND unmoved < {SUSPECT_FROM}
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), suspect AS (
    SELECT saga_id FROM sagas
    WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING') AND due_at <= now() AND unmoved >= {SUSPECT_FROM}
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE sagas SET lease_owner = %(owner)s, epoch = epoch + 1, due_at = now() + %(lease)s,
    queue = 'PAYMENT', unmoved = unmoved + 1
WHERE saga_id IN (SELECT saga_id FROM sound UNION ALL SELECT saga_id FROM suspect)
RETURNING {rows.SAGA_COLUMNS}, unmoved, last_error
"""
# At once after the first claim without a move; then after 1, 2, 4 … 60 s, spread, so that those
# that were claimed together part.
_REST = """
CASE WHEN unmoved < 2 THEN interval '0'
    ELSE least(power(2, least(unmoved, 10) - 2), 60) * (0.5 + random() / 2) * interval '1 second'
END
"""
_RELEASE_OWN = f"""
UPDATE sagas SET due_at = now() + {_REST}
WHERE lease_owner = %s AND queue IN ('PAYMENT', 'RETRY', 'WAITING')
"""
_STUMBLED = f"""
UPDATE sagas SET queue = 'RETRY', lease_owner = NULL, reason = %(reason)s, last_error = %(error)s,
    unmoved = unmoved - %(forgiven)s, due_at = now() + greatest({_REST}, interval '1 second')
WHERE saga_id = %(saga_id)s AND epoch = %(epoch)s AND queue NOT IN ('DONE', 'DEAD_LETTER')
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
    lease_owner = u.lease_owner, due_at = now() + u.due_after, step_since = u.step_since,
    moved_at = now(), unmoved = 0, last_error = ''
FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::bool[], %b::int[], %b::text[],
    %b::jsonb[], %b::int[], %b::text[], %b::interval[], %b::timestamptz[])
    AS u (saga_id, epoch, queue, step, turned_round, tries, reason, memory, journal_length,
    lease_owner, due_after, step_since)
WHERE s.saga_id = u.saga_id AND s.epoch = u.epoch
RETURNING s.saga_id
"""
# Of the sagas that w0 wrote: a step that another has written meanwhile would fail the batch.
ADD_STEPS = """
INSERT INTO saga_steps (saga_id, sequence, step, action, outcome, detail, definition_version,
    started_at, finished_at)
SELECT u.* FROM w0 JOIN unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::int[], %b::timestamptz[], %b::timestamptz[])
    AS u (saga_id, sequence, step, action, outcome, detail, definition_version, started_at,
    finished_at) USING (saga_id)
"""
_EXPLAIN_SAGAS = f"""
SELECT {rows.SAGA_COLUMNS}, due_at, moved_at FROM sagas WHERE payment_id = %s
ORDER BY created_at, saga_id
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
# Larger ones save little more, and are laid out in one piece, for which everything else waits.
_RECORDED_AT_ONCE = 64
_TOUCHED = "SELECT ARRAY(SELECT payment_id FROM w0) AS touched"


class PostgresSagaStore:
    """`ports.SagaStore` on PostgreSQL.

    Args:
        owner: this instance's name; stable over restarts, unique among instances.
        lease: how long a saga stays ours without a sign of life.
        claims_max: claims in a row without a move after which a saga is poison.
    """

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        lease: timedelta,
        new_id: NewId,
        clock: Clock,
        claims_max: int = 10,
        faults: FaultPoints | None = None,
    ) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease
        self._new_id = new_id
        self._clock = clock
        self._claims_max = claims_max
        self._faults = faults or FaultPoints()
        self._recording: Coalescer[Move, type[Exception] | None] = Coalescer(
            self._record_all, batch_max=_RECORDED_AT_ONCE, bisect_on=(psycopg.Error,)
        )

    async def claim(self, limit: int) -> Sequence[Journey]:
        """See `ports.SagaStore.claim`."""
        parameters = {"owner": self._owner, "lease": self._lease, "limit": limit}

        async def work(tx: Transaction) -> tuple[list[Journey], list[Progress]]:
            claimed = await tx.all(_CLAIM, parameters)
            if not claimed:
                return [], []
            found, unreadable = await load_readable(tx, [row["payment_id"] for row in claimed])
            at = self._clock()
            judged = judge(claimed, unreadable, at)
            dead = await self._set_aside(judged.dead, tx) if judged.dead else []
            claimed = [row for row in claimed if row["payment_id"] in found]
            sound = [row for row in claimed if row["unmoved"] <= self._claims_max]
            poison = [_poison(r, found, at) for r in claimed if r["unmoved"] > self._claims_max]
            if poison:
                await self._record_held(poison, tx)
            dead += [move.after.progress for move in poison]
            if dead:
                await self._faults.reach("quarantine.written")
            journeys, taken_up, failed = take_up([rows.to_progress(row) for row in sound], found)
            for progress, error in [*judged.resting, *failed]:
                await tx.execute(_STUMBLED, _stumble(progress, error))
            changed = [(found[p.payment_id], p) for p in taken_up if p != found[p.payment_id]]
            if changed:
                answer = await tx.together(
                    changes.writes(changed, self._clock(), tx.keyring), _TOUCHED
                )
                if len(answer["touched"]) < len(changed):
                    raise psycopg.errors.SerializationFailure("a payment was changed meanwhile")
            now = {p.payment_id: changes.stored(found[p.payment_id], p) for p in taken_up}
            return [j.with_payment(now[j.payment.payment_id]) for j in journeys], dead

        journeys, dead = await self._database.run(work)
        if dead:
            await self._faults.reach("quarantine.committed")
        attention.tell_dead(dead)
        return journeys

    async def stumbled(self, progress: Progress, error: str, *, counts: bool) -> None:
        """See `ports.SagaStore.stumbled`."""
        parameters = _stumble(progress, error, counts=counts)
        await self._database.run(lambda tx: tx.execute(_STUMBLED, parameters), alone=True)

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

    async def explain(self, payment_id: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """See `ports.SagaStore.explain`."""

        async def work(tx: Transaction) -> tuple[list[SagaView], list[StatusChange]]:
            sagas = await tx.all(_EXPLAIN_SAGAS, [payment_id])
            steps = await tx.all(_EXPLAIN_STEPS, [[row["saga_id"] for row in sagas]])
            history = await tx.all(_EXPLAIN_HISTORY, [payment_id])
            return [view(saga, steps) for saga in sagas], [StatusChange(**r) for r in history]

        return await self._database.run(work)

    async def record_in(self, tx: Transaction, move: Move) -> None:
        """Record a move in a transaction of the caller's, who tells of it once it is committed.

        Raises:
            LostLease: the epoch is no longer that of the move.
            StalePayment: the payment has another revision by now.
        """
        try:
            await self._record_held([move], tx)
        except _LeftOut as left_out:
            saga_id = move.after.progress.saga_id
            raise left_out.problems[saga_id](saga_id) from left_out

    async def _set_aside(
        self, dead: Sequence[tuple[Progress, Entry]], tx: Transaction
    ) -> list[Progress]:
        """Write dead letters whose payments cannot be read; answer them."""
        gone = [progress for progress, _ in dead]
        change = Write(_UPDATE_SAGAS, [self._saga_change(progress) for progress in gone], 12)
        steps = Write(ADD_STEPS, [step_row(p.saga_id, entry) for p, entry in dead], 9)
        await tx.together([change, steps, attention.record_dead(gone)])
        return gone

    async def _record_all(self, moves: Sequence[Move]) -> Sequence[type[Exception] | None]:
        """Record moves in one transaction; who has lost the lease, or decided by a payment that is
        no longer so, is left out and told why.
        """
        problems: dict[str, type[Exception]] = _behind_another(moves)
        while kept := [move for move in moves if move.after.progress.saga_id not in problems]:
            try:
                await self._database.run(partial(self._record_held, kept))
                attention.tell(kept)
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
        steps = [step_row(move.after.progress.saga_id, e) for move in moves for e in move.entries]
        changed = [m for m in moves if m.before.payment != m.after.payment]
        pairs = [(m.before.payment, m.after.payment) for m in changed]
        writes = [
            Write(_UPDATE_SAGAS, [self._saga_change(m.after.progress) for m in moves], 12),
            Write(ADD_STEPS, steps, 9),
            new_sagas(self._follow_ups(moves, now)),
            *changes.writes(pairs, now, tx.keyring),
            attention.record(moves),
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
            follow(
                engine.begin(
                    SAGAS[move.follow_up],
                    self._new_id("sga"),
                    move.after.payment,
                    now,
                    order_id=move.after.progress.order_id,
                    due_at=SAGAS[move.after.progress.kind].then_at(move.after.payment),
                ),
                move.after.progress,
            )
            for move in moves
            if move.follow_up is not None
        ]

    def _saga_change(self, after: Progress) -> tuple[object, ...]:
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


def _poison(row: rows.Row, payments: Mapping[str, Payment], at: datetime) -> Move:
    payment = payments[row["payment_id"]]
    return quarantine(rows.to_progress(row), payment, row["last_error"], at)


def _stumble(progress: Progress, error: str, *, counts: bool = True) -> dict[str, object]:
    return {
        "saga_id": progress.saga_id,
        "epoch": progress.epoch,
        "reason": f"WALK_FAILED: {error}",
        "error": error if counts else "",
        "forgiven": 0 if counts else 1,
    }


def step_row(saga_id: str, entry: Entry) -> tuple[object, ...]:
    """Lay a line of the journal out, as ADD_STEPS takes it."""
    return (
        saga_id, entry.sequence, entry.step, entry.action, entry.outcome, entry.detail,
        entry.definition_version, entry.started_at, entry.finished_at,
    )  # fmt: skip


def view(row: rows.Row, steps: Sequence[rows.Row] = ()) -> SagaView:
    """Read a saga as an operator sees it, with those of the steps that are its own."""
    names = Entry.__dataclass_fields__
    entries = tuple(
        Entry(**{name: step[name] for name in names})
        for step in steps
        if step["saga_id"] == row["saga_id"]
    )
    return SagaView(rows.to_progress(row), row["due_at"], entries, row["moved_at"])
