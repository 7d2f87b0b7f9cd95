"""The queues as operators see them, in PostgreSQL; each change is a transaction with its trail."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import LiteralString

from audit_log import writing as audit_log
from chassis.database import Database, Transaction, Write
from chassis.faults import FaultPoints
from payment_svc import audited, rows, saga_store
from payment_svc.domain.actor import Actor
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.operations.ports import (
    Bulk,
    Chosen,
    Depth,
    KeptKey,
    LetOn,
    Place,
    SagaFilter,
)
from payment_svc.ports import SagaView
from payment_svc.sagas.journey import Journey, Progress, Queue
from payment_svc.store import load_payments

# Since when a saga stands where it stands.
_STANDS_SINCE = "CASE WHEN queue = 'DEAD_LETTER' THEN moved_at ELSE step_since END"
_FITS = f"""
    (%(kind)s = '' OR kind = %(kind)s)
    AND (%(reason)s = '' OR left(reason, length(%(reason)s)) = %(reason)s)
    AND (%(payment_id)s = '' OR payment_id = %(payment_id)s)
    AND {_STANDS_SINCE} <= now() - %(older_than)s
    AND (%(unknown_for)s::interval IS NULL
        OR (memory ->> 'unknown_since')::timestamptz <= now() - %(unknown_for)s::interval)
"""
_LIST_QUEUE = f"""
SELECT {rows.SAGA_COLUMNS}, due_at, moved_at, coalesce(due_at, created_at) AS place
FROM sagas WHERE queue = %(queue)s
    AND (coalesce(due_at, created_at), saga_id) > (%(at)s, %(saga_id)s)
    AND {_FITS}
ORDER BY coalesce(due_at, created_at), saga_id LIMIT %(limit)s
"""
# Only what is live is looked at, by the indexes of the queues; reasons are cut after their word.
_COUNT_QUEUES = f"""
WITH live AS (
    SELECT queue, kind, reason, step_since, moved_at FROM sagas
    WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING')
    UNION ALL
    SELECT queue, kind, reason, step_since, moved_at FROM sagas WHERE queue = 'DEAD_LETTER'
)
SELECT queue, kind, count(*) AS depth,
    CASE WHEN strpos(reason, ':') > 0 THEN left(reason, strpos(reason, ':')) ELSE reason END
        AS head,
    greatest(now() - min({_STANDS_SINCE}), interval '0') AS oldest_age
FROM live GROUP BY queue, kind, head
"""
_FIND = f"SELECT {rows.SAGA_COLUMNS}, due_at, moved_at FROM sagas WHERE saga_id = %s"
LOCK_SAGA = f"{_FIND} FOR UPDATE"
_CHOOSE = f"""
SELECT {rows.SAGA_COLUMNS}, moved_at FROM sagas
WHERE queue = 'DEAD_LETTER' AND moved_at <= coalesce(%(dead_before)s, now()) AND {_FITS}
ORDER BY moved_at, saga_id LIMIT %(limit)s
"""
_COUNT_CHOSEN = f"""
SELECT count(*) AS total FROM sagas
WHERE queue = 'DEAD_LETTER' AND moved_at <= coalesce(%(dead_before)s, now()) AND {_FITS}
"""
_CHOOSE_AND_LOCK = f"{_CHOOSE} FOR UPDATE SKIP LOCKED"
_LET_ON = """
UPDATE sagas AS s SET queue = u.queue, tries = u.tries, step_since = u.step_since,
    epoch = u.epoch, journal_length = u.journal_length, due_at = now() + u.due_after,
    memory = u.memory,
    lease_owner = NULL, moved_at = now(), unmoved = 0, last_error = ''
FROM unnest(%b::text[], %b::text[], %b::int[], %b::timestamptz[], %b::bigint[], %b::int[],
    %b::interval[], %b::jsonb[])
    AS u (saga_id, queue, tries, step_since, epoch, journal_length, due_after, memory)
WHERE s.saga_id = u.saga_id
RETURNING s.saga_id
"""
_ADD_ACTIONS = """
INSERT INTO operator_actions (at, actor, is_verified, kind, payment_id, saga_id, resolution_id,
    reason, before, after)
SELECT * FROM unnest(%b::timestamptz[], %b::text[], %b::bool[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::jsonb[], %b::jsonb[])
"""
_ACTIONS_OF = "SELECT * FROM operator_actions WHERE payment_id = %s ORDER BY action_id"
_FIND_KEY = """
SELECT r.payment_id, r.fingerprint, r.created_at, p.status
FROM idempotency_records AS r JOIN payments AS p USING (payment_id)
WHERE r.client_id = %s AND r.method = %s AND r.idempotency_key = %s
"""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class PostgresOperatorStore:
    """`operations.ports.OperatorStore` on PostgreSQL."""

    def __init__(self, database: Database, faults: FaultPoints | None = None) -> None:
        self._database = database
        self._faults = faults or FaultPoints()

    async def find(self, saga_id: str) -> tuple[SagaView, Journey] | None:
        """See `ports.OperatorStore.find`."""

        async def work(tx: Transaction) -> tuple[SagaView, Journey] | None:
            return await _read(tx, _FIND, saga_id)

        return await self._database.run(work)

    async def list_queue(
        self, queue: Queue, chosen: SagaFilter, limit: int, after: Place | None
    ) -> Sequence[tuple[SagaView, Place]]:
        """See `ports.OperatorStore.list_queue`."""
        after = after or Place(_BEGINNING, "")
        parameters = {"queue": queue.value, "at": after.at, "saga_id": after.saga_id}
        found = await self._database.read(
            _LIST_QUEUE, parameters | _filter(chosen) | {"limit": limit}
        )
        return [(saga_store.view(row), Place(row["place"], row["saga_id"])) for row in found]

    async def depths(self) -> Sequence[Depth]:
        """See `ports.OperatorStore.depths`."""
        return [
            Depth(Queue(row["queue"]), row["kind"], row["head"], row["depth"], row["oldest_age"])
            for row in await self._database.read(_COUNT_QUEUES)
        ]

    async def let_on(self, saga_id: str, decide: Callable[[Journey], LetOn]) -> SagaView | None:
        """See `ports.OperatorStore.let_on`."""

        async def work(tx: Transaction) -> SagaView | None:
            found = await _read(tx, LOCK_SAGA, saga_id)
            if found is None:
                return None
            await write_let_on(tx, [decide(found[1])])
            await self._faults.reach("let_on.written")
            after = await _read(tx, _FIND, saga_id)
            return after[0] if after else None

        view = await self._database.run(work)
        await self._faults.reach("let_on.committed")
        return view

    async def choose(self, bulk: Bulk) -> Chosen:
        """See `ports.OperatorStore.choose`."""
        found = await self._database.read(_CHOOSE, _bulk(bulk))
        (counted,) = await self._database.read(_COUNT_CHOSEN, _bulk(bulk))
        return replace(await self._chosen(bulk, found), total_count=counted["total"])

    async def let_on_many(self, bulk: Bulk, decide: Callable[[int, Progress], LetOn]) -> Chosen:
        """See `ports.OperatorStore.let_on_many`."""

        async def work(tx: Transaction) -> list[rows.Row]:
            found = await tx.all(_CHOOSE_AND_LOCK, _bulk(bulk))
            let = [
                decide(number, rows.to_progress(row))
                for number, row in enumerate(found[: bulk.max_count])
            ]
            await write_let_on(tx, let)
            return list(found)

        return await self._chosen(bulk, await self._database.run(work))

    async def _chosen(self, bulk: Bulk, found: Sequence[rows.Row]) -> Chosen:
        as_of = bulk.dead_before
        if as_of is None:
            (row,) = await self._database.read("SELECT now() AS as_of")
            as_of = row["as_of"]
        chosen = found[: bulk.max_count]
        reasons, ids = [row["reason"] for row in chosen], [row["saga_id"] for row in chosen]
        return Chosen(reasons, len(found) > bulk.max_count, as_of, ids)

    async def actions_of(self, payment_id: str) -> Sequence[OperatorAction]:
        """See `ports.OperatorStore.actions_of`."""
        return [_to_action(row) for row in await self._database.read(_ACTIONS_OF, [payment_id])]

    async def find_key(self, client_id: str, method: str, key: str) -> KeptKey | None:
        """See `ports.OperatorStore.find_key`."""
        found = await self._database.read(_FIND_KEY, [client_id, method, key])
        if not found:
            return None
        (row,) = found
        fields = tuple(sorted(row["fingerprint"]))
        return KeptKey(row["payment_id"], row["status"], fields, row["created_at"])


async def write_let_on(tx: Transaction, let: Sequence[LetOn]) -> None:
    """Write sagas that are let go on, their journals and the trail."""
    changes = [
        (
            p.saga_id, p.queue.value, p.tries, p.step_since, p.epoch, p.journal_length, p.due_after,
            json.dumps(dict(p.memory)),
        )
        for p in (one.progress for one in let)
    ]  # fmt: skip
    steps = [saga_store.step_row(one.progress.saga_id, one.entry) for one in let]
    await tx.together(
        [
            Write(_LET_ON, changes, 8),
            Write(saga_store.ADD_STEPS, steps, 9),
            *add_actions([one.action for one in let]),
        ]
    )


def add_actions(actions: Sequence[OperatorAction]) -> list[Write]:
    """Make the writes of what operators did, for its payment's trail and for the audit log."""
    return [
        Write(_ADD_ACTIONS, [_action_row(action) for action in actions], 10),
        audit_log.add([audited.operated(action) for action in actions]),
    ]


async def _read(
    tx: Transaction, query: LiteralString, saga_id: str
) -> tuple[SagaView, Journey] | None:
    found = await tx.all(query, [saga_id])
    if not found:
        return None
    view = saga_store.view(found[0])
    payments = await load_payments(tx, [view.progress.payment_id])
    return view, Journey(view.progress, payments[view.progress.payment_id])


def _filter(chosen: SagaFilter) -> dict[str, object]:
    return {
        "kind": chosen.kind,
        "reason": chosen.reason,
        "payment_id": chosen.payment_id,
        "older_than": chosen.older_than,
        "unknown_for": chosen.unknown_for,
    }


def _bulk(bulk: Bulk) -> dict[str, object]:
    chosen = _filter(bulk.filter)
    return chosen | {"dead_before": bulk.dead_before, "limit": bulk.max_count + 1}


def _action_row(action: OperatorAction) -> tuple[object, ...]:
    return (
        action.at, action.actor.name, action.actor.is_verified, action.kind.value,
        action.payment_id, action.saga_id, action.resolution_id, action.reason,
        json.dumps(dict(action.before)), json.dumps(dict(action.after)),
    )  # fmt: skip


def _to_action(row: rows.Row) -> OperatorAction:
    return OperatorAction(
        at=row["at"],
        actor=Actor(row["actor"], row["is_verified"]),
        kind=OperatorActionKind(row["kind"]),
        payment_id=row["payment_id"],
        saga_id=row["saga_id"],
        resolution_id=row["resolution_id"],
        reason=row["reason"],
        before=row["before"],
        after=row["after"],
    )
