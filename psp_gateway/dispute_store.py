"""Keeps disputes, their histories and our answers to them in PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg.rows import DictRow

from audit_log.origin import by_caller
from audit_log.writing import add_in
from chassis.database import Database, Transaction, columns
from chassis.money import Money
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, Fact, Reason, Source, Stage, Status
from psp_gateway.domain.dispute_answer import DisputeRequest, Kind
from psp_gateway.domain.errors import DisputeBusy, DisputeRequestReused

# PSPs keep a key for a day at least; after that a request whose end nobody learned blocks no other.
_BLOCKS_FOR = timedelta(days=1)
_LAST = "dsp_" + "z" * 26  # not below any id, in whichever collation

_INSERT = """
INSERT INTO disputes (dispute_id, psp, psp_reference, attempt_id, payment_id, amount, currency,
    reason, psp_code, stage, status, evidence_due_at, is_money_withdrawn, opened_at, updated_at,
    version)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1)
ON CONFLICT (psp, psp_reference) DO NOTHING
"""
_UPDATE = """
UPDATE disputes SET amount = %s, currency = %s, reason = %s, psp_code = %s, stage = %s,
    status = %s, evidence_due_at = %s, is_money_withdrawn = %s, updated_at = %s,
    version = version + 1
WHERE dispute_id = %s AND version = %s
"""
_ADD_FACTS = """
INSERT INTO dispute_facts (dispute_id, at, source, code, stage, status, is_money_withdrawn,
    amount, currency, psp_code, due_at)
SELECT * FROM unnest(%b::text[], %b::timestamptz[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::boolean[], %b::numeric[], %b::text[], %b::text[], %b::timestamptz[])
"""
_FACTS = "SELECT * FROM dispute_facts WHERE dispute_id = %s ORDER BY number"
_BY_ID = "SELECT * FROM disputes WHERE dispute_id = %s"
_BY_REFERENCE = "SELECT * FROM disputes WHERE psp = %s AND psp_reference = %s"
_PAGE = """
SELECT * FROM disputes WHERE dispute_id < %s AND (%s = '' OR psp = %s)
ORDER BY dispute_id DESC LIMIT %s
"""
_PAGE_STATUS = """
SELECT * FROM disputes WHERE status = %s AND dispute_id < %s AND (%s = '' OR psp = %s)
ORDER BY dispute_id DESC LIMIT %s
"""
_PAGE_PAYMENT = """
SELECT * FROM disputes WHERE payment_id = %s AND dispute_id < %s AND (%s = '' OR psp = %s)
    AND (%s = '' OR status = %s)
ORDER BY dispute_id DESC LIMIT %s
"""
# Answers to one dispute are taken up one after the other.
_LOCK = "SELECT 1 FROM disputes WHERE dispute_id = %s FOR UPDATE"
_REQUEST = "SELECT * FROM dispute_requests WHERE request_id = %s"
_OPEN = """
SELECT request_id FROM dispute_requests
WHERE dispute_id = %s AND outcome IN ('PENDING', 'UNKNOWN') AND created_at > %s
ORDER BY created_at LIMIT 1
"""
_TAKE_UP = """
INSERT INTO dispute_requests (request_id, dispute_id, kind, fingerprint, submissions_before,
    round, outcome, reason, psp_code, message, trace, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
# What is known is not unlearned, and what may have happened is not undone by what was not sent.
_DECIDE = """
UPDATE dispute_requests SET outcome = %s, reason = %s, psp_code = %s, message = %s, trace = %s,
    updated_at = %s, round = greatest(round, %s)
WHERE request_id = %s AND outcome NOT IN ('SUCCEEDED', 'DECLINED')
    AND NOT (outcome = 'UNKNOWN' AND %s = 'TRANSIENT' AND round >= %s)
"""


class DisputeStore:
    """`dispute_ports.DisputeBook` on PostgreSQL.

    Args:
        database: opened as the app role.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_reference(self, psp: str, reference: str) -> Dispute | None:
        """See `dispute_ports.DisputeBook.of_reference`."""

        async def work(tx: Transaction) -> Dispute | None:
            return await _whole(tx, await tx.all(_BY_REFERENCE, [psp, reference]))

        return await self._database.run(work)

    async def find(self, dispute_id: str) -> Dispute | None:
        """See `dispute_ports.DisputeBook.find`."""

        async def work(tx: Transaction) -> Dispute | None:
            return await _whole(tx, await tx.all(_BY_ID, [dispute_id]))

        return await self._database.run(work)

    async def page(
        self, *, psp: str, status: Status | None, payment_id: str, before: str, limit: int
    ) -> Sequence[Dispute]:
        """See `dispute_ports.DisputeBook.page`."""
        below, wanted = before or _LAST, status.value if status else ""
        if payment_id:
            parameters = [payment_id, below, psp, psp, wanted, wanted, limit]
            found = await self._database.read(_PAGE_PAYMENT, parameters)
        elif wanted:
            found = await self._database.read(_PAGE_STATUS, [wanted, below, psp, psp, limit])
        else:
            found = await self._database.read(_PAGE, [below, psp, psp, limit])
        return [_to_dispute(row) for row in found]

    async def save(self, dispute: Dispute) -> bool:
        """See `dispute_ports.DisputeBook.save`."""

        async def work(tx: Transaction) -> bool:
            if dispute.version:
                stored = await tx.all(_FACTS, [dispute.dispute_id])
                count = await tx.execute(_UPDATE, _changed(dispute))
            else:
                stored = []
                count = await tx.execute(_INSERT, _new(dispute))
            if not count:
                return False
            facts = [_fact_row(dispute, fact) for fact in dispute.history[len(stored) :]]
            if facts:
                await tx.execute(_ADD_FACTS, columns(facts, 11))
            return True

        return await self._database.run(work)

    async def take_up(self, asked: DisputeRequest) -> DisputeRequest:
        """See `dispute_ports.DisputeBook.take_up`."""

        async def work(tx: Transaction) -> DisputeRequest:
            await tx.all(_LOCK, [asked.dispute_id])
            for row in await tx.all(_REQUEST, [asked.request_id]):
                return _same(_to_request(row), asked)
            since = asked.created_at - _BLOCKS_FOR
            for row in await tx.all(_OPEN, [asked.dispute_id, since]):
                raise DisputeBusy(asked.dispute_id, row["request_id"])
            await tx.execute(_TAKE_UP, _request_row(asked))
            after = {"answer": asked.kind, "request_id": asked.request_id}
            told = by_caller("psp_gateway/AnswerDispute", "dispute", asked.dispute_id, after=after)
            await add_in(tx, [told])
            return asked

        return await self._database.run(work)

    async def request(self, request_id: str) -> DisputeRequest | None:
        """See `dispute_ports.DisputeBook.request`."""
        found = await self._database.read(_REQUEST, [request_id])
        return _to_request(found[0]) if found else None

    async def decide(self, request: DisputeRequest) -> DisputeRequest:
        """See `dispute_ports.DisputeBook.decide`."""
        values = (
            request.outcome.value,
            request.reason,
            request.psp_code,
            request.message,
            request.trace,
            request.updated_at,
            request.round,
            request.request_id,
            request.outcome.value,
            request.round,
        )

        async def work(tx: Transaction) -> DisputeRequest:
            await tx.execute(_DECIDE, values)
            (row,) = await tx.all(_REQUEST, [request.request_id])
            return _to_request(row)

        return await self._database.run(work)


def _same(stored: DisputeRequest, asked: DisputeRequest) -> DisputeRequest:
    for name in ("dispute_id", "kind", "fingerprint"):
        if getattr(stored, name) != getattr(asked, name):
            raise DisputeRequestReused(asked.request_id)
    return stored


async def _whole(tx: Transaction, found: Sequence[DictRow]) -> Dispute | None:
    for row in found:
        facts = await tx.all(_FACTS, [row["dispute_id"]])
        return _to_dispute(row, [_to_fact(fact) for fact in facts])
    return None


def _new(dispute: Dispute) -> list[object]:
    return [
        dispute.dispute_id,
        dispute.psp,
        dispute.psp_reference,
        dispute.attempt_id,
        dispute.payment_id,
        *_standing(dispute),
        dispute.opened_at,
        dispute.updated_at,
    ]


def _changed(dispute: Dispute) -> list[object]:
    return [*_standing(dispute), dispute.updated_at, dispute.dispute_id, dispute.version]


def _standing(dispute: Dispute) -> list[object]:
    return [
        dispute.amount.amount,
        dispute.amount.currency,
        dispute.reason.value,
        dispute.psp_code,
        dispute.stage.value,
        dispute.status.value,
        dispute.evidence_due_at,
        dispute.is_money_withdrawn,
    ]


def _fact_row(dispute: Dispute, fact: Fact) -> list[object]:
    return [
        dispute.dispute_id,
        fact.at,
        fact.source.value,
        fact.code,
        fact.stage.value,
        fact.status.value,
        fact.is_money_withdrawn,
        fact.amount.amount,
        fact.amount.currency,
        fact.psp_code,
        fact.due_at,
    ]


def _request_row(request: DisputeRequest) -> list[object]:
    return [
        request.request_id,
        request.dispute_id,
        request.kind.value,
        request.fingerprint,
        request.submissions_before,
        request.round,
        request.outcome.value,
        request.reason,
        request.psp_code,
        request.message,
        request.trace,
        request.created_at,
        request.updated_at,
    ]


def _to_dispute(row: DictRow, history: Sequence[Fact] = ()) -> Dispute:
    return Dispute(
        dispute_id=row["dispute_id"],
        psp=row["psp"],
        psp_reference=row["psp_reference"],
        attempt_id=row["attempt_id"],
        payment_id=row["payment_id"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        reason=Reason(row["reason"]),
        psp_code=row["psp_code"],
        stage=Stage(row["stage"]),
        status=Status(row["status"]),
        evidence_due_at=row["evidence_due_at"],
        is_money_withdrawn=row["is_money_withdrawn"],
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        history=tuple(history),
        version=row["version"],
    )


def _to_fact(row: DictRow) -> Fact:
    return Fact(
        at=row["at"],
        source=Source(row["source"]),
        code=row["code"],
        stage=Stage(row["stage"]),
        status=Status(row["status"]),
        is_money_withdrawn=row["is_money_withdrawn"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        psp_code=row["psp_code"],
        due_at=row["due_at"],
    )


def _to_request(row: DictRow) -> DisputeRequest:
    return DisputeRequest(
        request_id=row["request_id"],
        dispute_id=row["dispute_id"],
        kind=Kind(row["kind"]),
        fingerprint=row["fingerprint"],
        submissions_before=row["submissions_before"],
        round=row["round"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        psp_code=row["psp_code"],
        message=row["message"],
        trace=row["trace"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
