"""What the other services are asked, page by page, and what their troubles are called."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.wallet.v1 import wallet_pb2
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis.errors import NotFound, PaymeshError, Unavailable
from payment_svc.domain.testimony import RuleHit
from payment_svc.witnesses import GrpcWitnesses

MOMENT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
AT = Timestamp()
AT.FromDatetime(MOMENT)

Method = Callable[..., Awaitable[Any]]


def witnesses(timeout_s: float = 3.0, **methods: Method) -> GrpcWitnesses:
    """Ask stubs of which only these methods are there."""
    stub: Any = SimpleNamespace(**methods)
    return GrpcWitnesses(
        risk_stub=stub,
        psp_stub=stub,
        wallet_stub=stub,
        ledger_stub=stub,
        inbox_stub=stub,
        timeout_s=timeout_s,
    )


def answering(answer: Any) -> Method:
    """Make a method that answers this, or raises it."""

    async def method(_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return method


def wallet_of(count: int, page_max: int = 500) -> Method:
    """Make ListOperations over so many operations, the newest first."""

    async def method(request: wallet.ListOperationsRequest, **_: Any) -> Any:
        assert request.subject_id == "pay_1"
        begin = int(request.page_token or 0)
        end = min(begin + min(request.page_size, page_max), count)
        return wallet.ListOperationsResponse(
            operations=[
                wallet_pb2.Operation(
                    operation_id=str(count - i), kind=wallet_pb2.Operation.CREDIT, created_at=AT
                )
                for i in range(begin, end)
            ],
            next_page_token=str(end) if end < count else "",
        )

    return method


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_250])
async def test_all_pages_are_read_and_told_the_oldest_first(count: int) -> None:
    """No operation is missing, doubled or out of its place."""
    told = await witnesses(ListOperations=wallet_of(count)).operations("pay_1")

    assert [operation.operation_id for operation in told] == [str(i + 1) for i in range(count)]


async def test_more_than_anybody_would_read_is_refused() -> None:
    """A list without end ends."""
    with pytest.raises(Unavailable, match="more than 5000 lines"):
        await witnesses(ListOperations=wallet_of(1_000_000)).operations("pay_1")


async def test_a_service_that_hangs_is_given_up() -> None:
    """All pages together have the one deadline."""

    async def hang(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Unavailable, match=r"It did not answer within 0\.05 s\."):
        await witnesses(0.05, ListEntries=hang).entries("pay_1")


async def test_who_knows_nothing_tells_nothing() -> None:
    """A payment that was not assessed has no assessment, and that is no gap."""
    asked = witnesses(GetAssessment=answering(NotFound("There is no assessment.")))

    assert await asked.assessments("pay_1") == ()


async def test_every_trouble_is_unavailable_with_its_reason() -> None:
    """An explanation never fails because of another service."""
    asked = witnesses(ListAttempts=answering(PaymeshError("It broke.")))

    with pytest.raises(Unavailable, match=r"INTERNAL: It broke\."):
        await asked.attempts("pay_1")


async def test_an_assessment_is_read() -> None:
    """The decision with the rules that spoke against it."""
    hits = [risk.RuleHit(rule="amount_limit", reason="AMOUNT_OVER_LIMIT")]
    assessment = risk.Assessment(decision=risk.Assessment.REFUSED, rule_hits=hits, assessed_at=AT)
    answer = risk.GetAssessmentResponse(assessment=assessment)

    (told,) = await witnesses(GetAssessment=answering(answer)).assessments("pay_1")

    assert (told.at, told.decision) == (MOMENT, "REFUSED")
    assert told.hits == (RuleHit("amount_limit", "AMOUNT_OVER_LIMIT"),)


async def test_a_value_that_is_newer_than_we_are_is_told_by_its_number() -> None:
    """Another service may be ahead of us."""
    attempt = attempt_pb2.Attempt(attempt_id="att_1", created_at=AT, updated_at=AT)
    attempt.MergeFromString(b"\x18\x63")  # outcome = 99
    answer = psp.ListAttemptsResponse(attempts=[attempt])

    (told,) = await witnesses(ListAttempts=answering(answer)).attempts("pay_1")

    assert told.outcome == "value 99"


async def test_an_entry_is_read_with_its_side() -> None:
    """Debits are told from credits."""
    sides = ledger_pb2.SIDE_CREDIT, ledger_pb2.SIDE_DEBIT
    answer = ledger.ListEntriesResponse(
        entries=[ledger_pb2.Entry(side=side, amount="1.00", created_at=AT) for side in sides]
    )

    told = await witnesses(ListEntries=answering(answer)).entries("pay_1")

    assert [entry.is_debit for entry in told] == [True, False]
