"""gRPC ↔ use cases: RiskService."""

from collections.abc import Callable, Sequence
from typing import Any

from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceServicer

from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.money import parse_field
from risk_svc.domain.assessment import Assessment, Decision, PaymentFacts, Subject
from risk_svc.ports import AssessmentStore, AttemptCounter
from risk_svc.use_cases.assess_payments import Limits, assess_payments
from risk_svc.use_cases.get_assessment import get_assessment

DECISIONS = {decision: risk.Assessment.Decision.Value(decision.value) for decision in Decision}


class RiskAssessor(RiskServiceServicer):
    """Serves `paymesh.risk.v1.RiskService`; requests that meet are assessed in one batch."""

    def __init__(
        self, store: AssessmentStore, counter: AttemptCounter, *, limits: Limits, clock: Clock
    ) -> None:
        self._store = store

        async def run(batches: Sequence[Sequence[PaymentFacts]]) -> list[list[Assessment]]:
            flat = [facts for batch in batches for facts in batch]
            assessed = iter(
                await assess_payments(
                    flat, store=store, counter=counter, limits=limits, clock=clock
                )
            )
            return [[next(assessed) for _ in batch] for batch in batches]

        self._assess: Callable[[Sequence[PaymentFacts]], Any] = Coalescer(run).submit

    async def AssessPayments(
        self, request: risk.AssessPaymentsRequest, _: Any
    ) -> risk.AssessPaymentsResponse:
        """Decide about payments; see the proto."""
        facts = [_facts(index, item) for index, item in enumerate(request.payments)]
        assessed = await self._assess(facts)
        return risk.AssessPaymentsResponse(assessments=[_message(found) for found in assessed])

    async def GetAssessment(
        self, request: risk.GetAssessmentRequest, _: Any
    ) -> risk.GetAssessmentResponse:
        """Read a decision; see the proto."""
        found = await get_assessment(request.payment_id, store=self._store)
        return risk.GetAssessmentResponse(assessment=_message(found))


def _facts(index: int, item: risk.PaymentFacts) -> PaymentFacts:
    subjects = {Subject.BUYER: item.buyer_id, Subject.CARD: item.card_fingerprint}
    if item.HasField("ip_address"):
        subjects[Subject.IP] = item.ip_address
    amount = parse_field(f"payments[{index}]", item.amount, item.currency)
    return PaymentFacts(item.payment_id, item.client_id, amount, subjects)


def _message(assessment: Assessment) -> risk.Assessment:
    message = risk.Assessment(
        payment_id=assessment.payment_id,
        decision=DECISIONS[assessment.decision],
        rule_hits=[
            risk.RuleHit(rule=hit.rule, reason=hit.reason, message=hit.message)
            for hit in assessment.rule_hits
        ],
    )
    message.assessed_at.FromDatetime(assessment.assessed_at)
    return message
