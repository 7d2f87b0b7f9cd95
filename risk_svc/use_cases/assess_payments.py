"""AssessPayments: decide about payments, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from chassis.clock import Clock
from risk_svc.domain.assessment import Assessment, Decision, PaymentFacts, Subject
from risk_svc.ports import AssessmentStore, AttemptCounter
from risk_svc.rules.amount_limit import amount_limit
from risk_svc.rules.velocity import velocity


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules allow; 0 is no limit anywhere."""

    velocity: Mapping[Subject, int]
    amount: Decimal
    amount_by_currency: Mapping[str, Decimal]

    def counted(self, facts: PaymentFacts) -> PaymentFacts:
        """Leave out the subjects without a limit: what no rule asks for is not collected."""
        limited = {s: name for s, name in facts.subjects.items() if self.velocity.get(s)}
        return replace(facts, subjects=limited)


async def assess_payments(
    payments: Sequence[PaymentFacts],
    *,
    store: AssessmentStore,
    counter: AttemptCounter,
    limits: Limits,
    clock: Clock,
) -> list[Assessment]:
    """Answer the stored decision of each payment, and decide where there is none yet.

    Raises:
        Unavailable: attempts cannot be counted, so nothing is decided and nothing is stored; or the
            database did not answer. Asking again is safe.
    """
    known = await store.find([payment.payment_id for payment in payments])
    # A payment that stands twice in a batch is decided once, by what was told first.
    fresh: dict[str, PaymentFacts] = {}
    for payment in payments:
        if payment.payment_id not in known:
            fresh.setdefault(payment.payment_id, limits.counted(payment))
    if fresh:
        now = clock()
        counts = await counter.count(list(fresh.values()), now)
        decided = [
            decide(facts, seen, limits, now)
            for facts, seen in zip(fresh.values(), counts, strict=True)
        ]
        known = {**known, **await store.add(decided)}
    return [known[payment.payment_id] for payment in payments]


def decide(
    facts: PaymentFacts, counts: Mapping[Subject, int], limits: Limits, now: datetime
) -> Assessment:
    """Hear every rule; one that speaks against the payment is enough."""
    hits = [
        *velocity(counts, limits.velocity),
        *amount_limit(facts.amount, limits.amount, limits.amount_by_currency),
    ]
    return Assessment(
        payment_id=facts.payment_id,
        client_id=facts.client_id,
        decision=Decision.REFUSED if hits else Decision.APPROVED,
        rule_hits=tuple(hits),
        amount=facts.amount,
        counts=counts,
        assessed_at=now,
    )
