"""Keeps what PSPs told in PostgreSQL: raw webhooks, and the events in them, each once.

`due_at` says when an event is looked at: while it is being applied, when the lease ends, which also
tells one claim from the next. All times that decide who may apply are the database's.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import DictRow

from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, columns
from chassis.ids import new_id
from chassis.telemetry import FENCED_WRITES
from psp_gateway import rows
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.inbox import Raw, State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.domain.reasons import Reason
from psp_gateway.private import BODY

Putting = tuple[Raw, Sequence[PspEvent]]

_BATCH_MAX, _EVENT_WIDTH = 256, 17
# No PSP minds some milliseconds, and a commit for many costs as much as one.
_PATIENCE_S = 0.01

# The webhooks of a batch, and those of their events that are new: an event that another webhook
# brought before is left as it is.
_PUT = """
WITH stored AS (
    INSERT INTO webhooks (webhook_id, psp, headers, body_encrypted, body, received_at)
    SELECT raw.*, '', %s FROM unnest(%b::text[], %b::text[], %b::jsonb[], %b::bytea[]) AS raw
)
INSERT INTO webhook_events (webhook_id, psp, event_id, event_type, subject, reference,
    charge_reference, attempt_id, outcome, reason, psp_code, amount_minor, currency, occurred_at,
    told_code, told_due_at, report_url, received_at, due_at, state, note, tries)
SELECT event.*, %s, now(), 'NEW', '', 0
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[],
    %b::timestamptz[], %b::text[], %b::timestamptz[], %b::text[]) AS event
ON CONFLICT (psp, event_id) DO NOTHING
RETURNING webhook_id, psp, event_id
"""
_COUNT_AGAIN = """
UPDATE webhook_events AS e SET delivery_count = e.delivery_count + n.times
FROM unnest(%b::text[], %b::text[], %b::int[]) AS n (psp, event_id, times)
WHERE e.psp = n.psp AND e.event_id = n.event_id
"""
_CLAIM = """
UPDATE webhook_events SET due_at = now() + %s
WHERE number IN (
    SELECT number FROM webhook_events WHERE due_at <= now()
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
_SETTLE = """
UPDATE webhook_events e
SET state = new.state, note = new.note, tries = new.tries, due_at = now() + new.pause
FROM unnest(%b::text[], %b::text[], %b::int[], %b::interval[], %b::bigint[], %b::timestamptz[])
    AS new (state, note, tries, pause, number, leased_until)
WHERE e.number = new.number AND e.due_at = new.leased_until
RETURNING e.number
"""
_LIST = """
SELECT * FROM webhook_events WHERE number < %s AND (%s = '' OR psp = %s)
ORDER BY number DESC LIMIT %s
"""
_LIST_STATE = """
SELECT * FROM webhook_events WHERE number < %s AND (%s = '' OR psp = %s) AND state = %s
ORDER BY number DESC LIMIT %s
"""

# By whatever an event may name of an attempt, each by an index of its own.
_LIST_PAYMENT = """
WITH mine AS (SELECT attempt_id, psp, psp_reference FROM attempts WHERE payment_id = %s),
about AS (
    SELECT e.number FROM mine AS m JOIN webhook_events AS e ON e.attempt_id = m.attempt_id
    WHERE e.attempt_id <> ''
    UNION
    SELECT e.number FROM mine AS m
    JOIN webhook_events AS e ON e.psp = m.psp AND e.reference = m.psp_reference
    WHERE e.reference <> ''
    UNION
    SELECT e.number FROM mine AS m
    JOIN webhook_events AS e ON e.psp = m.psp AND e.charge_reference = m.psp_reference
    WHERE e.charge_reference <> ''
)
SELECT e.* FROM about JOIN webhook_events AS e USING (number)
WHERE number < %s AND (%s = '' OR psp = %s) AND (%s = '' OR state = %s)
ORDER BY number DESC LIMIT %s
"""

# By our id where the PSP repeats it, else by the PSP's; then all that is about those. Each by an
# index of its own, whatever the planner guesses of the number of events.
_NAMED = """
SELECT * FROM attempts WHERE attempt_id = ANY(%b::text[])
UNION ALL
SELECT * FROM attempts WHERE psp = ANY(%b::text[]) AND psp_reference = ANY(%b::text[])
"""
_ABOUT = "SELECT * FROM attempts WHERE charge_attempt_id = ANY(%b::text[])"


class InboxStore:
    """`ports.Inbox` and `ports.AttemptFinder` on PostgreSQL.

    Args:
        database: opened as the app role.
        clock: tells when webhooks arrive.
        lease: how long an event that was claimed is nobody else's.
    """

    def __init__(
        self, database: Database, clock: Clock, lease: timedelta = timedelta(seconds=30)
    ) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._puts: Coalescer[Putting, int] = Coalescer(
            self._put, batch_max=_BATCH_MAX, bisect_on=(psycopg.Error,), patience_s=_PATIENCE_S
        )

    async def put(self, raw: Raw, events: Sequence[PspEvent]) -> int:
        """See `ports.Inbox.put`."""
        return await self._puts.submit((raw, events))

    async def _put(self, batch: Sequence[Putting]) -> list[int]:
        now = self._clock()
        ids = [new_id("whk", now) for _ in batch]
        keyring = self._database.keyring
        raws = [
            (id_, raw.psp, json.dumps(raw.headers), keyring.encrypt(BODY, id_, raw.body))
            for id_, (raw, _) in zip(ids, batch, strict=True)
        ]
        # Of an event that comes twice in a batch the first counts.
        first: dict[tuple[str, str], tuple[str, PspEvent]] = {}
        for id_, (_, events) in zip(ids, batch, strict=True):
            for event in events:
                first.setdefault((event.psp, event.event_id), (id_, event))
        values = [(id_, *_event_values(event)) for id_, event in first.values()]
        parameters = [now, *columns(raws, 4), now, *columns(values, _EVENT_WIDTH)]
        times = Counter((event.psp, event.event_id) for _, events in batch for event in events)

        async def work(tx: Transaction) -> list[DictRow]:
            stored = await tx.all(_PUT, parameters)
            again = times - Counter((row["psp"], row["event_id"]) for row in stored)
            if again:
                counted = [(psp, event_id, count) for (psp, event_id), count in again.items()]
                # One order of locking for every batch, so that two cannot wait for each other.
                await tx.execute(_COUNT_AGAIN, columns(sorted(counted), 3))
            return stored

        new = await self._database.run(work)
        counts = Counter(row["webhook_id"] for row in new)
        return [counts[id_] for id_ in ids]

    async def claim(self, limit: int) -> Sequence[Told]:
        """See `ports.Inbox.claim`."""
        found = await self._database.read(_CLAIM, [self._lease, limit])
        return sorted(map(_to_told, found), key=lambda told: told.number)

    async def settle(self, told: Sequence[Told]) -> None:
        """See `ports.Inbox.settle`."""
        if not told:
            return
        now = self._clock()
        values = [_settled_values(one, now) for one in told]
        kept = await self._database.run(lambda tx: tx.execute(_SETTLE, columns(values, 6)))
        if kept < len(told):
            FENCED_WRITES.labels("webhook_event").inc(len(told) - kept)

    async def events(
        self, *, psp: str, state: State | None, before: int, limit: int, payment_id: str = ""
    ) -> Sequence[Told]:
        """See `ports.Inbox.events`."""
        if payment_id:
            named = state.value if state is not None else ""
            parameters = [payment_id, before, psp, psp, named, named, limit]
            found = await self._database.read(_LIST_PAYMENT, parameters)
        elif state is None:
            found = await self._database.read(_LIST, [before, psp, psp, limit])
        else:
            found = await self._database.read(_LIST_STATE, [before, psp, psp, state.value, limit])
        return [_to_told(row) for row in found]

    async def concerned(self, events: Sequence[PspEvent]) -> Sequence[Sequence[Attempt]]:
        """See `ports.AttemptFinder.concerned`."""
        ids = sorted({event.attempt_id for event in events} - {""})
        references = sorted({name for event in events for name in _references(event)})
        psps = sorted({event.psp for event in events})

        async def work(tx: Transaction) -> list[Attempt]:
            named = await tx.all(_NAMED, [ids, psps, references])
            about = await tx.all(_ABOUT, [sorted({row["attempt_id"] for row in named})])
            found = {row["attempt_id"]: row for row in [*named, *about]}
            return rows.readable(found.values(), tx.keyring)

        known = _Known.of(await self._database.run(work))
        return [known.concerned(event) for event in events]


@dataclass(frozen=True, slots=True)
class _Known:
    """Attempts by what an event may name."""

    by_id: Mapping[tuple[str, str], Attempt]
    by_reference: Mapping[tuple[str, str], Sequence[Attempt]]
    about: Mapping[str, Sequence[Attempt]]

    @classmethod
    def of(cls, attempts: Sequence[Attempt]) -> "_Known":
        by_reference: dict[tuple[str, str], list[Attempt]] = {}
        about: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            by_reference.setdefault((attempt.psp, attempt.psp_reference), []).append(attempt)
            if attempt.charge_attempt_id:
                about.setdefault(attempt.charge_attempt_id, []).append(attempt)
        by_id = {(psp, a.attempt_id): a for a in attempts for psp in (a.psp, *a.psps_tried)}
        return cls(by_id, by_reference, about)

    def concerned(self, event: PspEvent) -> list[Attempt]:
        ours = self.by_id.get((event.psp, event.attempt_id))
        named = [ours] if ours is not None else []
        for reference in _references(event):
            named += self.by_reference.get((event.psp, reference), ())
        about = [a for each in named for a in self.about.get(each.attempt_id, ())]
        found = {attempt.attempt_id: attempt for attempt in [*named, *about]}
        return sorted(found.values(), key=lambda attempt: attempt.created_at)


def _settled_values(told: Told, now: datetime) -> tuple[object, ...]:
    pause = None if told.due_at is None else max(told.due_at - now, timedelta())
    return told.state.value, told.note, told.tries, pause, told.number, told.leased_until


def _references(event: PspEvent) -> list[str]:
    return [name for name in (event.reference, event.charge_reference) if name]


def _event_values(event: PspEvent) -> list[object]:
    verdict = event.verdict
    return [
        event.psp,
        event.event_id,
        event.event_type,
        event.subject.value,
        event.reference,
        event.charge_reference,
        event.attempt_id,
        verdict.outcome.value if verdict else None,
        verdict.reason.value if verdict and verdict.reason else None,
        verdict.psp_code if verdict else "",
        event.amount_minor,
        event.currency,
        event.occurred_at,
        event.told_code,
        event.told_due_at,
        event.report_url,
    ]


def _to_told(row: DictRow) -> Told:
    return Told(
        number=row["number"],
        event=_to_event(row),
        received_at=row["received_at"],
        state=State(row["state"]),
        note=row["note"],
        tries=row["tries"],
        due_at=row["due_at"],
        delivery_count=row["delivery_count"],
        leased_until=row["due_at"],
    )


def _to_event(row: DictRow) -> PspEvent:
    verdict = None
    if row["outcome"] is not None:
        reason = Reason(row["reason"]) if row["reason"] is not None else None
        verdict = Verdict(
            Outcome(row["outcome"]),
            reference=row["reference"],
            reason=reason,
            psp_code=row["psp_code"],
            trace="webhook",
        )
    return PspEvent(
        psp=row["psp"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        subject=Subject(row["subject"]),
        reference=row["reference"],
        charge_reference=row["charge_reference"],
        attempt_id=row["attempt_id"],
        verdict=verdict,
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        occurred_at=row["occurred_at"],
        told_code=row["told_code"],
        told_due_at=row["told_due_at"],
        report_url=row["report_url"],
    )
