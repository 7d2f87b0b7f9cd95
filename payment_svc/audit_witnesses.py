"""`AuditWitnesses` over gRPC: what the gateway and the ledger know of many payments."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp

from chassis.channel import call
from payment_svc.audit_ports import Booked
from payment_svc.domain.testimony import Attempt
from payment_svc.witnesses import to_attempt

if TYPE_CHECKING:  # the generated modules hold them for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub
    from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceAsyncStub

_TIMEOUT_S = 10.0
_PAGE_SIZE = 500
_ZERO = Decimal()


class GrpcAuditWitnesses:
    """See `audit_ports.AuditWitnesses`.

    Args:
        psp_stub, ledger_stub: the gateway's and the ledger's.
        timeout_s: for one page of what one of them is asked.
    """

    def __init__(
        self,
        psp_stub: "PspGatewayServiceAsyncStub",
        ledger_stub: "LedgerServiceAsyncStub",
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._psp = psp_stub
        self._ledger = ledger_stub
        self._timeout_s = timeout_s

    async def attempts(self, payment_ids: Sequence[str]) -> Mapping[str, Sequence[Attempt]]:
        """See `audit_ports.AuditWitnesses.attempts`."""
        request = psp.ListAttemptsOfPaymentsRequest(payment_ids=payment_ids)
        answer = await call(self._psp.ListAttemptsOfPayments, request, self._timeout_s)
        found: dict[str, list[Attempt]] = {}
        for attempt in answer.attempts:
            found.setdefault(attempt.payment_id, []).append(to_attempt(attempt))
        return found

    async def booked(self, account_id: str, since: datetime) -> Booked:
        """See `audit_ports.AuditWitnesses.booked`."""
        request = ledger.ListEntriesRequest(account_id=account_id, page_size=_PAGE_SIZE)
        request.created_from.FromDatetime(since)
        return await self._sum(request, lambda entry: entry.subject_id)

    async def booked_for(self, payment_id: str) -> Booked:
        """See `audit_ports.AuditWitnesses.booked_for`."""
        request = ledger.ListEntriesRequest(subject_id=payment_id, page_size=_PAGE_SIZE)
        return await self._sum(request, lambda entry: entry.account_id)

    async def _sum(
        self, request: ledger.ListEntriesRequest, key: Callable[[ledger_pb2.Entry], str]
    ) -> Booked:
        sums: dict[str, Decimal] = {}
        while True:
            page = await call(self._ledger.ListEntries, request, self._timeout_s)
            for entry in page.entries:
                amount = Decimal(entry.amount)
                signed = amount if entry.side == ledger_pb2.SIDE_DEBIT else -amount
                sums[key(entry)] = sums.get(key(entry), _ZERO) + signed
            if not page.next_page_token:
                is_whole = not page.HasField("archived_until")
                return Booked(sums, None if is_whole else page.archived_until.ToDatetime(UTC))
            request.page_token = page.next_page_token
