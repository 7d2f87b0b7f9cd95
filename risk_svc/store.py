"""Assessments in PostgreSQL: a set statement a batch; what was stored first is the decision."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chassis.database import Database, columns
from chassis.money import Money
from risk_svc.domain.assessment import Assessment, Decision, RuleHit, Subject

_FIND = """
SELECT payment_id, client_id, decision, rule_hits, amount, currency, counts, assessed_at
FROM assessments WHERE payment_id = ANY(%b::text[])
"""
_ADD = """
INSERT INTO assessments
    (payment_id, client_id, decision, rule_hits, amount, currency, counts, assessed_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::jsonb[], %b::numeric[], %b::text[],
    %b::jsonb[], %b::timestamptz[])
ON CONFLICT (payment_id) DO NOTHING
"""


class PostgresAssessmentStore:
    """`ports.AssessmentStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, payment_ids: Sequence[str]) -> Mapping[str, Assessment]:
        """See `ports.AssessmentStore.find`."""
        found = await self._database.read(_FIND, [list(payment_ids)])
        return {row["payment_id"]: _assessment(row) for row in found}

    async def add(self, assessments: Sequence[Assessment]) -> Mapping[str, Assessment]:
        """See `ports.AssessmentStore.add`."""
        # One order for every batch, so that two of them cannot wait for each other.
        ordered = sorted(assessments, key=lambda assessment: assessment.payment_id)
        table = columns([_row(assessment) for assessment in ordered], 8)

        added = await self._database.run(lambda tx: tx.execute(_ADD, table), alone=True)
        if added == len(assessments):
            return {assessment.payment_id: assessment for assessment in assessments}
        # Somebody else was first with one of them: what is stored is the decision.
        return await self.find([assessment.payment_id for assessment in assessments])


def _row(assessment: Assessment) -> tuple[object, ...]:
    return (
        assessment.payment_id,
        assessment.client_id,
        assessment.decision.value,
        json.dumps([asdict(hit) for hit in assessment.rule_hits]),
        assessment.amount.amount,
        assessment.amount.currency,
        json.dumps({subject.value: count for subject, count in assessment.counts.items()}),
        assessment.assessed_at,
    )


def _assessment(row: Mapping[str, Any]) -> Assessment:
    return Assessment(
        payment_id=row["payment_id"],
        client_id=row["client_id"],
        decision=Decision(row["decision"]),
        rule_hits=tuple(RuleHit(**hit) for hit in row["rule_hits"]),
        amount=Money.of_stored(row["amount"], row["currency"]),
        counts={Subject(name): count for name, count in row["counts"].items()},
        assessed_at=row["assessed_at"],
    )
