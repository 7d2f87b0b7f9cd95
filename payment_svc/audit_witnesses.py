"""`AuditWitnesses` over gRPC: what the gateway and the ledger know of many payments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp

from chassis.channel import call
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

    async def booked(self, account_id: str, since: datetime) -> Mapping[str, Decimal]:
        """See `audit_ports.AuditWitnesses.booked`."""
        request = ledger.ListEntriesRequest(account_id=account_id, page_size=_PAGE_SIZE)
        request.created_from.FromDatetime(since)
        sums: dict[str, Decimal] = {}
        while True:
            page = await call(self._ledger.ListEntries, request, self._timeout_s)
            for entry in page.entries:
                amount = Decimal(entry.amount)
                signed = amount if entry.side == ledger_pb2.SIDE_DEBIT else -amount
                sums[entry.subject_id] = sums.get(entry.subject_id, _ZERO) + signed
            if not page.next_page_token:
                return sums
            request.page_token = page.next_page_token
