"""gRPC ↔ use cases: RiskService."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceServicer

from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.errors import InvalidRequest
from chassis.faults import FaultPoints
from chassis.money import parse_field
from risk_svc.domain.assessment import Assessment, Decision, PaymentFacts, Subject, one_spelling
from risk_svc.ports import AssessmentStore, AttemptCounter
from risk_svc.use_cases.assess_payments import Limits, assess_payments
from risk_svc.use_cases.get_assessment import get_assessment

DECISIONS = {decision: risk.Assessment.Decision.Value(decision.value) for decision in Decision}

_SMALL_ITEMS_MAX = 8
_SMALL_REQUESTS_MAX = 125  # times 8 is the largest request
_IN_FLIGHT_MAX = 2


class RiskAssessor(RiskServiceServicer):
    """Serves `paymesh.risk.v1.RiskService`; small requests that meet are assessed in one batch."""

    def __init__(
        self,
        store: AssessmentStore,
        counter: AttemptCounter,
        *,
        limits: Limits,
        clock: Clock,
        faults: FaultPoints | None = None,
    ) -> None:
        self._store = store
        points = faults or FaultPoints()

        async def run(requests: Sequence[Sequence[PaymentFacts]]) -> list[list[Assessment]]:
            payments = list(chain.from_iterable(requests))
            assessed = iter(
                await assess_payments(
                    payments, store=store, counter=counter, limits=limits, clock=clock
                )
            )
            await points.reach("risk.batch.committed")
            return [list(islice(assessed, len(request))) for request in requests]

        # A large request is a batch by itself, so that no batch passes what one request may hold.
        self._small = Coalescer(run, batch_max=_SMALL_REQUESTS_MAX, in_flight_max=_IN_FLIGHT_MAX)
        self._large = Coalescer(run, batch_max=1, in_flight_max=_IN_FLIGHT_MAX)

    async def AssessPayments(
        self, request: risk.AssessPaymentsRequest, _: Any
    ) -> risk.AssessPaymentsResponse:
        """Decide about payments; see the proto."""
        facts = [_facts(index, item) for index, item in enumerate(request.payments)]
        assess = self._small if len(facts) <= _SMALL_ITEMS_MAX else self._large
        assessed = await assess.submit(facts)
        return risk.AssessPaymentsResponse(assessments=[_message(found) for found in assessed])

    async def GetAssessment(
        self, request: risk.GetAssessmentRequest, _: Any
    ) -> risk.GetAssessmentResponse:
        """Read a decision; see the proto."""
        found = await get_assessment(request.payment_id, store=self._store)
        return risk.GetAssessmentResponse(assessment=_message(found))


def _facts(index: int, item: risk.PaymentFacts) -> PaymentFacts:
    subjects = {Subject.BUYER: item.buyer_id}
    if item.card_fingerprint:
        subjects[Subject.CARD] = item.card_fingerprint
    if item.HasField("ip_address"):
        subjects[Subject.IP] = _address(f"payments[{index}].ip_address", item.ip_address)
    amount = parse_field(f"payments[{index}]", item.amount, item.currency)
    return PaymentFacts(item.payment_id, item.client_id, amount, subjects)


def _address(path: str, text: str) -> str:
    try:
        return one_spelling(text)
    except ValueError as error:
        raise InvalidRequest.field(path, "is no IP address") from error


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
