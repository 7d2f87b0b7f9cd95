"""Keeps what PSPs told in PostgreSQL: raw webhooks, and the events in them, each once."""

import json
from collections.abc import Sequence
from datetime import timedelta

from psycopg.rows import DictRow

from chassis.clock import Clock
from chassis.database import Database, Transaction, columns
from psp_gateway import rows
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.inbox import Raw, State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.domain.reasons import Reason

_LEASE = timedelta(seconds=30)

_PUT_RAW = """
INSERT INTO webhooks (psp, headers, body, received_at) VALUES (%s, %s::jsonb, %s, %s)
RETURNING number
"""
_PUT_EVENT = """
INSERT INTO webhook_events (webhook, psp, event_id, event_type, subject, reference,
    charge_reference, attempt_id, outcome, reason, psp_code, amount_minor, currency, occurred_at,
    received_at, due_at, state, note, tries)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'NEW', '', 0)
ON CONFLICT (psp, event_id) DO NOTHING
"""
_CLAIM = """
UPDATE webhook_events SET due_at = %s
WHERE number IN (
    SELECT number FROM webhook_events WHERE due_at <= %s
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
_SETTLE = """
UPDATE webhook_events e
SET state = new.state, note = new.note, tries = new.tries, due_at = new.due_at
FROM unnest(%b::text[], %b::text[], %b::int[], %b::timestamptz[], %b::bigint[])
    AS new (state, note, tries, due_at, number)
WHERE e.number = new.number
"""
_LIST = """
SELECT * FROM webhook_events WHERE number < %s AND (%s = '' OR psp = %s)
ORDER BY number DESC LIMIT %s
"""
_LIST_STATE = """
SELECT * FROM webhook_events WHERE number < %s AND (%s = '' OR psp = %s) AND state = %s
ORDER BY number DESC LIMIT %s
"""

# By our id where the PSP repeats it, else by the PSP's; then all that is about it.
_CONCERNED = """
WITH named AS (
    SELECT attempt_id, charge_attempt_id FROM attempts WHERE attempt_id = %(attempt_id)s
    UNION
    SELECT attempt_id, charge_attempt_id FROM attempts
    WHERE psp = %(psp)s AND psp_reference = ANY(%(references)s::text[])
)
SELECT * FROM attempts WHERE psp = %(psp)s AND (
    attempt_id IN (SELECT attempt_id FROM named)
    OR charge_attempt_id IN (SELECT attempt_id FROM named)
)
"""


class InboxStore:
    """`ports.Inbox` and `ports.AttemptFinder` on PostgreSQL.

    Args:
        database: opened as the app role.
        clock: tells when webhooks arrive and fall due.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, raw: Raw, events: Sequence[PspEvent]) -> int:
        """See `ports.Inbox.put`."""
        now = self._clock()

        async def work(tx: Transaction) -> int:
            headers = json.dumps(raw.headers)
            (stored,) = await tx.all(_PUT_RAW, [raw.psp, headers, raw.body, now])
            new_count = 0
            for event in events:
                values = [stored["number"], *_event_values(event), now, now]
                new_count += await tx.execute(_PUT_EVENT, values)
            return new_count

        return await self._database.run(work)

    async def claim(self, limit: int) -> Sequence[Told]:
        """See `ports.Inbox.claim`."""
        now = self._clock()
        found = await self._database.read(_CLAIM, [now + _LEASE, now, limit])
        return sorted(map(_to_told, found), key=lambda told: told.number)

    async def settle(self, told: Sequence[Told]) -> None:
        """See `ports.Inbox.settle`."""
        values = [(one.state.value, one.note, one.tries, one.due_at, one.number) for one in told]
        if values:
            await self._database.run(lambda tx: tx.execute(_SETTLE, columns(values, 5)))

    async def events(
        self, *, psp: str, state: State | None, before: int, limit: int
    ) -> Sequence[Told]:
        """See `ports.Inbox.events`."""
        if state is None:
            found = await self._database.read(_LIST, [before, psp, psp, limit])
        else:
            found = await self._database.read(_LIST_STATE, [before, psp, psp, state.value, limit])
        return [_to_told(row) for row in found]

    async def concerned(self, event: PspEvent) -> Sequence[Attempt]:
        """See `ports.AttemptFinder.concerned`."""
        references = [name for name in (event.reference, event.charge_reference) if name]
        values = {"psp": event.psp, "attempt_id": event.attempt_id, "references": references}
        found = await self._database.run(lambda tx: tx.all(_CONCERNED, values))
        return [rows.to_attempt(row) for row in found]


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
    )
