"""`LedgerBooks` over gRPC: what the ledger says of its own books."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import grpc
from paymesh.ledger.v1 import ledger_service_pb2 as ledger

from chassis.channel import call, forwarded, to_error
from chassis.errors import Unavailable
from payment_svc.audit_ports import Proof

if TYPE_CHECKING:  # the generated modules hold them for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

_SUM_S = 30.0
_PROOF_S = 3_600.0
_SHOWN = 20


class GrpcLedgerBooks:
    """See `audit_ports.LedgerBooks`.

    Args:
        stub: the ledger's.
    """

    def __init__(self, stub: "LedgerServiceAsyncStub") -> None:
        self._ledger = stub

    async def differences(self) -> Mapping[str, Decimal]:
        """See `audit_ports.LedgerBooks.differences`."""
        request = ledger.GetTrialBalanceRequest()
        answer = await call(self._ledger.GetTrialBalance, request, _SUM_S)
        return {line.currency: Decimal(line.difference) for line in answer.lines}

    async def proof(self) -> Proof:
        """See `audit_ports.LedgerBooks.proof`."""
        request = ledger.VerifyLedgerRequest(since_last_checkpoint=True)
        first: list[str] = []
        try:
            asked = self._ledger.VerifyLedger(request, timeout=_PROOF_S, metadata=forwarded())
            async for told in asked:
                which = told.WhichOneof("message")
                if which == "offence" and len(first) < _SHOWN:
                    first.append(f"{told.offence.subject}: {told.offence.message}")
                elif which == "summary":
                    return Proof(told.summary.offence_count, tuple(first))
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error
        raise Unavailable("The ledger stopped its proof before it was done.")
