"""The other services behind the `Witnesses` port: what each knows of a payment, all pages of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.psp.v1 import webhook_service_pb2 as webhooks
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.wallet.v1 import wallet_pb2
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis.channel import call
from chassis.errors import DeadlineExceeded, NotFound, PaymeshError, Unavailable
from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    Notice,
    RuleHit,
    WalletOperation,
)

if TYPE_CHECKING:  # the generated modules hold them for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub
    from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceAsyncStub
    from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceAsyncStub
    from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceAsyncStub
    from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceAsyncStub

_TIMEOUT_S = 3.0
_PAGE_SIZE = 500
# A payment of 50 orders makes some hundred lines; ten times that is no payment of ours.
_LINES_MAX = 5_000

Told = TypeVar("Told")


class GrpcWitnesses:
    """`ports.Witnesses` over gRPC.

    Args:
        timeout_s: for all that one service is asked, pages included.
    """

    def __init__(
        self,
        *,
        risk_stub: "RiskServiceAsyncStub",
        psp_stub: "PspGatewayServiceAsyncStub",
        wallet_stub: "WalletServiceAsyncStub",
        ledger_stub: "LedgerServiceAsyncStub",
        inbox_stub: "WebhookServiceAsyncStub",
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._risk = risk_stub
        self._psp = psp_stub
        self._wallet = wallet_stub
        self._ledger = ledger_stub
        self._inbox = inbox_stub
        self._timeout_s = timeout_s

    async def assessments(self, payment_id: str) -> tuple[Assessment, ...]:
        """See `ports.Witnesses.assessments`."""
        request = risk.GetAssessmentRequest(payment_id=payment_id)

        async def ask() -> tuple[Assessment, ...]:
            try:
                answer = await self._call(self._risk.GetAssessment, request)
            except NotFound:
                return ()
            return (_assessment(answer.assessment),)

        return await self._within(ask())

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """See `ports.Witnesses.attempts`."""
        request = psp.ListAttemptsRequest(payment_id=payment_id)

        async def ask() -> tuple[Attempt, ...]:
            answer = await self._call(self._psp.ListAttempts, request)
            return tuple(map(to_attempt, answer.attempts))

        return await self._within(ask())

    async def notices(self, payment_id: str) -> tuple[Notice, ...]:
        """See `ports.Witnesses.notices`."""

        async def page(token: str) -> tuple[Sequence[webhooks.WebhookEvent], str]:
            request = webhooks.ListWebhookEventsRequest(
                payment_id=payment_id, page_size=_PAGE_SIZE, before=int(token or 0)
            )
            answer = await self._call(self._inbox.ListWebhookEvents, request)
            is_full = len(answer.events) == _PAGE_SIZE
            return answer.events, str(answer.events[-1].number) if is_full else ""

        return await self._within(_oldest_first(page, _notice))

    async def operations(self, payment_id: str) -> tuple[WalletOperation, ...]:
        """See `ports.Witnesses.operations`."""

        async def page(token: str) -> tuple[Sequence[wallet_pb2.Operation], str]:
            request = wallet.ListOperationsRequest(
                subject_id=payment_id, page_size=_PAGE_SIZE, page_token=token
            )
            answer = await self._call(self._wallet.ListOperations, request)
            return answer.operations, answer.next_page_token

        return await self._within(_oldest_first(page, _operation))

    async def entries(self, payment_id: str) -> tuple[LedgerEntry, ...]:
        """See `ports.Witnesses.entries`."""

        async def page(token: str) -> tuple[Sequence[ledger_pb2.Entry], str]:
            request = ledger.ListEntriesRequest(
                subject_id=payment_id, page_size=_PAGE_SIZE, page_token=token
            )
            answer = await self._call(self._ledger.ListEntries, request)
            return answer.entries, answer.next_page_token

        return await self._within(_oldest_first(page, _entry))

    async def _call(self, method: Callable[..., Any], request: Any) -> Any:
        return await call(method, request, self._timeout_s)

    async def _within(self, asked: Awaitable[tuple[Told, ...]]) -> tuple[Told, ...]:
        """Await what was asked within the time of one service; every trouble is Unavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asked
        except (TimeoutError, DeadlineExceeded):
            raise Unavailable(f"It did not answer within {self._timeout_s:g} s.") from None
        except Unavailable:
            raise
        except PaymeshError as error:
            raise Unavailable(f"{error.reason}: {error.message}") from error


async def _oldest_first(
    page: Callable[[str], Awaitable[tuple[Sequence[Any], str]]], read: Callable[[Any], Told]
) -> tuple[Told, ...]:
    """Read all pages of a list that comes the newest first.

    Raises:
        Unavailable: there are more lines than anybody would read.
    """
    lines, token = await page("")
    found = list(lines)
    while token:
        if len(found) >= _LINES_MAX:
            raise Unavailable(f"It has more than {_LINES_MAX} lines to tell.")
        lines, token = await page(token)
        found += lines
    return tuple(read(line) for line in reversed(found))


def _assessment(told: risk.Assessment) -> Assessment:
    return Assessment(
        at=_moment(told.assessed_at),
        decision=_word(risk.Assessment.Decision, told.decision),
        hits=tuple(RuleHit(hit.rule, hit.reason) for hit in told.rule_hits),
    )


def to_attempt(told: attempt_pb2.Attempt) -> Attempt:
    """Read an attempt."""
    return Attempt(
        attempt_id=told.attempt_id,
        kind=_word(attempt_pb2.Attempt.Kind, told.kind),
        outcome=_word(attempt_pb2.Attempt.Outcome, told.outcome),
        delivery=_word(attempt_pb2.Attempt.Delivery, told.delivery),
        psp=told.psp,
        psp_reference=told.psp_reference,
        amount=told.amount,
        currency=told.currency,
        reason=told.reason,
        psp_code=told.psp_code,
        message=told.message,
        request_count=told.request_count,
        created_at=_moment(told.created_at),
        updated_at=_moment(told.updated_at),
    )


def _notice(told: webhooks.WebhookEvent) -> Notice:
    return Notice(
        at=_moment(told.received_at),
        psp=told.psp,
        event_id=told.event_id,
        event_type=told.event_type,
        subject=told.subject,
        reference=told.reference,
        state=_word(webhooks.WebhookEvent.State, told.state),
        note=told.note,
        delivery_count=told.delivery_count,
        due_at=_moment(told.due_at) if told.HasField("due_at") else None,
    )


def _operation(told: wallet_pb2.Operation) -> WalletOperation:
    return WalletOperation(
        at=_moment(told.created_at),
        operation_id=told.operation_id,
        wallet_id=told.wallet_id,
        kind=_word(wallet_pb2.Operation.Kind, told.kind),
        amount=told.amount,
        currency=told.currency,
        pending_after=told.pending_after,
        available_after=told.available_after,
        held_after=told.held_after,
    )


def _entry(told: ledger_pb2.Entry) -> LedgerEntry:
    return LedgerEntry(
        at=_moment(told.created_at),
        transaction_id=told.transaction_id,
        reference=told.reference,
        account_id=told.account_id,
        is_debit=told.side == ledger_pb2.SIDE_DEBIT,
        amount=told.amount,
        currency=told.currency,
    )


def _moment(told: Timestamp) -> datetime:
    return told.ToDatetime(UTC)


def _word(enum: Any, value: int) -> str:
    """Name a value of an enum; one that is newer than we are is told by its number."""
    return str(enum.Name(value)) if value in enum.values() else f"value {value}"
