"""Keeps payouts in PostgreSQL: calls that arrive at once share a transaction.

An error from COMMIT leaves open whether it was stored. That is safe: a payout that was stored and
not sent, or sent and not stored, is resumed by the next call from what its row says.
"""

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg.rows import DictRow

from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, columns
from chassis.money import Money
from chassis.telemetry import FENCED_WRITES
from psp_gateway.domain.attempt import Delivery
from psp_gateway.domain.errors import PayoutUnderWay, Refusal
from psp_gateway.domain.payout import Payout, State
from psp_gateway.payout_ports import PayoutSaved, PayoutTaken
from psp_gateway.ports import Exchange
from psp_gateway.rows import apart

Saving = tuple[Payout, Exchange]

_BATCH_MAX = 256
_NEW_WIDTH, _SAVED_WIDTH, _EVENT_WIDTH = 10, 13, 8

_BY_ID = "SELECT * FROM payouts WHERE attempt_id = ANY(%b::text[])"
_OF_PAYOUT = "SELECT * FROM payouts WHERE payout_id = %s ORDER BY created_at, attempt_id"
_OF_REFERENCE = """
SELECT * FROM payouts WHERE psp = %s AND psp_reference = %s AND psp_reference <> ''
ORDER BY created_at, attempt_id
"""
_LIVE = """
SELECT payout_id, attempt_id FROM payouts
WHERE payout_id = ANY(%b::text[]) AND state NOT IN ('FAILED', 'RETURNED')
"""
# A conflict is one of the id, or of `payouts_live`.
_INSERT = """
INSERT INTO payouts
    (attempt_id, payout_id, client_id, psp, amount, currency, fingerprint, created_at, updated_at,
     key_since, state, delivery, psp_reference, reason, psp_code, message, request_count, version)
SELECT *, 'PENDING', 'SENT_NO_ANSWER', '', '', '', '', 0, 1
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::numeric[], %b::text[],
    %b::text[], %b::timestamptz[], %b::timestamptz[], %b::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING attempt_id
"""
# PAID is written by whoever learns it, anything else only by the holder of the newest version, and
# nothing that may not follow (`domain.payout.MOVES`) by anybody.
_SAVE = """
UPDATE payouts p
SET state = new.state, delivery = new.delivery, psp_reference = new.psp_reference,
    reason = new.reason, psp_code = new.psp_code, message = new.message,
    request_count = new.request_count, sent_at = new.sent_at, updated_at = new.updated_at,
    key_since = new.key_since, paid_at = new.paid_at, version = p.version + 1
FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::integer[], %b::timestamptz[], %b::timestamptz[], %b::timestamptz[],
    %b::timestamptz[])
    AS new (attempt_id, version, state, delivery, psp_reference, reason, psp_code, message,
        request_count, sent_at, updated_at, key_since, paid_at)
WHERE p.attempt_id = new.attempt_id
    AND (p.version = new.version
        OR (new.state = 'PAID' AND p.state <> 'PAID'
            AND p.psp_reference IN ('', new.psp_reference)))
    AND CASE p.state
        WHEN 'SUBMITTED' THEN new.state IN ('SUBMITTED', 'PAID', 'FAILED')
        WHEN 'PAID' THEN new.state IN ('PAID', 'RETURNED')
        WHEN 'UNKNOWN' THEN new.state IN ('UNKNOWN', 'SUBMITTED', 'PAID', 'FAILED')
        WHEN 'FAILED' THEN FALSE
        WHEN 'RETURNED' THEN FALSE
        ELSE new.state <> 'RETURNED'
    END
RETURNING p.attempt_id, p.version
"""
_INSERT_EVENTS = """
INSERT INTO payout_events (attempt_id, operation, answer, trace, state, reason, psp_code, at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::timestamptz[])
"""


class PayoutStore:
    """`payout_ports.PayoutBook` on PostgreSQL.

    Args:
        database: opened as the app role.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # One batch of new ones at a time: those of one payout wait for each other at its index.
        self._new: Coalescer[Payout, PayoutTaken | Refusal] = Coalescer(
            self._take_up, batch_max=_BATCH_MAX, bisect_on=(psycopg.Error,)
        )
        self._saves: Coalescer[Saving, PayoutSaved] = Coalescer(
            self._save, batch_max=_BATCH_MAX, bisect_on=(psycopg.Error,)
        )

    async def take_up(self, asked: Payout) -> PayoutTaken | Refusal:
        """See `payout_ports.PayoutBook.take_up`."""
        return await self._new.submit(asked)

    async def save(self, payout: Payout, exchange: Exchange) -> PayoutSaved:
        """See `payout_ports.PayoutBook.save`."""
        return await self._saves.submit((payout, exchange))

    async def of_payout(self, payout_id: str) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook.of_payout`."""
        return list(map(to_payout, await self._database.read(_OF_PAYOUT, [payout_id])))

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook.find`."""
        return list(map(to_payout, await self._database.read(_BY_ID, [list(attempt_ids)])))

    async def of_reference(self, psp: str, reference: str) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook.of_reference`."""
        return list(map(to_payout, await self._database.read(_OF_REFERENCE, [psp, reference])))

    async def _take_up(self, asked: Sequence[Payout]) -> list[PayoutTaken | Refusal]:
        """Insert what is not there.

        When the transaction runs again after a COMMIT of unknown outcome, its rows are there and
        count as found: they are resumed instead of begun, which is always safe.
        """
        # Of an attempt that is asked for twice at once the first is stored; in one order for every
        # batch, so that two of them cannot wait for each other.
        places = {payout.attempt_id: at for at, payout in reversed(list(enumerate(asked)))}
        firsts = [asked[at] for at in places.values()]
        ordered = sorted(firsts, key=lambda payout: (payout.payout_id, payout.attempt_id))

        async def work(tx: Transaction) -> list[PayoutTaken | Refusal]:
            found = await tx.all(_INSERT, columns(list(map(_new_row, ordered)), _NEW_WIDTH))
            inserted = {row["attempt_id"] for row in found}
            is_new = [
                places[one.attempt_id] == at and one.attempt_id in inserted
                for at, one in enumerate(asked)
            ]
            there = [one for one, new in zip(asked, is_new, strict=True) if not new]
            known = await _by_id(tx, [payout.attempt_id for payout in there])
            live = {}
            if there:
                rows = await tx.all(_LIVE, [[payout.payout_id for payout in there]])
                live = {row["payout_id"]: row["attempt_id"] for row in rows}
            return [
                PayoutTaken(one, is_new=True) if new else _known(one, known, live)
                for one, new in zip(asked, is_new, strict=True)
            ]

        return await self._database.run(work)

    async def _save(self, savings: Sequence[Saving]) -> list[PayoutSaved]:
        parts = list(apart([payout.attempt_id for payout, _ in savings]))

        async def work(tx: Transaction) -> list[PayoutSaved]:
            saved: dict[int, PayoutSaved] = {}
            for places in parts:
                answers = await _save_each_once(tx, [savings[place] for place in places])
                saved |= zip(places, answers, strict=True)
            return [saved[place] for place in range(len(savings))]

        answers = await self._database.run(work)
        FENCED_WRITES.labels("payout").inc(sum(not saved.is_held for saved in answers))
        return answers


async def _save_each_once(tx: Transaction, savings: Sequence[Saving]) -> list[PayoutSaved]:
    values = [_saved_row(payout) for payout, _ in savings]
    saved = await tx.all(_SAVE, columns(values, _SAVED_WIDTH))
    versions = {row["attempt_id"]: row["version"] for row in saved}
    events = [_event_row(payout, exchange) for payout, exchange in savings]
    await tx.execute(_INSERT_EVENTS, columns(events, _EVENT_WIDTH))
    lost = [payout.attempt_id for payout, _ in savings if payout.attempt_id not in versions]
    stored = await _by_id(tx, lost)
    return [
        PayoutSaved(stored[payout.attempt_id], is_held=False)
        if payout.attempt_id in stored
        else PayoutSaved(replace(payout, version=versions[payout.attempt_id]), is_held=True)
        for payout, _ in savings
    ]


def _known(asked: Payout, known: dict[str, Payout], live: dict[str, str]) -> PayoutTaken | Refusal:
    if asked.attempt_id in known:
        return PayoutTaken(known[asked.attempt_id], is_new=False)
    other = live.get(asked.payout_id)
    if other is None:
        raise psycopg.errors.SerializationFailure("the other attempt has ended meanwhile")
    return PayoutUnderWay(asked.payout_id, other)


async def _by_id(tx: Transaction, ids: Sequence[str]) -> dict[str, Payout]:
    found = await tx.all(_BY_ID, [list(ids)]) if ids else []
    return {row["attempt_id"]: to_payout(row) for row in found}


def _new_row(payout: Payout) -> Sequence[object]:
    return (
        payout.attempt_id,
        payout.payout_id,
        payout.client_id,
        payout.psp,
        payout.amount.amount,
        payout.amount.currency,
        payout.fingerprint,
        payout.created_at,
        payout.updated_at,
        payout.key_since,
    )


def _saved_row(payout: Payout) -> Sequence[object]:
    return (
        payout.attempt_id,
        payout.version,
        payout.state.value,
        payout.delivery.value,
        payout.psp_reference,
        payout.reason,
        payout.psp_code,
        payout.message,
        payout.request_count,
        payout.sent_at,
        payout.updated_at,
        payout.key_since,
        payout.paid_at,
    )


def _event_row(payout: Payout, exchange: Exchange) -> Sequence[object]:
    return (
        payout.attempt_id,
        exchange.operation,
        exchange.answer,
        exchange.trace,
        payout.state.value,
        payout.reason,
        payout.psp_code,
        payout.updated_at,
    )


def to_payout(row: DictRow) -> Payout:
    """Read a row of `payouts`."""
    return Payout(
        attempt_id=row["attempt_id"],
        payout_id=row["payout_id"],
        client_id=row["client_id"],
        psp=row["psp"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        key_since=row["key_since"],
        state=State(row["state"]),
        delivery=Delivery(row["delivery"]),
        psp_reference=row["psp_reference"],
        reason=row["reason"],
        psp_code=row["psp_code"],
        message=row["message"],
        request_count=row["request_count"],
        version=row["version"],
        sent_at=row["sent_at"],
        paid_at=row["paid_at"],
    )
