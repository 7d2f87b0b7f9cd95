"""The gauges of I1 and I2: what the ledger says of its own books."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1 import report_pb2

from chassis.errors import Unavailable
from payment_svc.audit_books import GrpcLedgerBooks
from payment_svc.audit_ports import Proof
from payment_svc.jobs import ledger_audit
from payment_svc.metrics import AUDIT_LEDGER_LAST_SUCCESS, AUDIT_VIOLATIONS
from tests.builders import NOW


class Books:
    """A ledger that says in each round what it is given; at the end it stops the job."""

    def __init__(self, stopping: asyncio.Event, *rounds: tuple[dict[str, Decimal], Proof]) -> None:
        self._stopping = stopping
        self._rounds = list(rounds)
        self.gauges: list[tuple[float, float]] = []

    async def differences(self) -> dict[str, Decimal]:
        """See `audit_ports.LedgerBooks`."""
        self.gauges.append(gauges())
        if not self._rounds:
            self._stopping.set()
            raise Unavailable("It is down.")
        return self._rounds[0][0]

    async def proof(self) -> Proof:
        """See `audit_ports.LedgerBooks`."""
        return self._rounds.pop(0)[1]


def gauges() -> tuple[float, float]:
    """Read both."""
    one, two = (AUDIT_VIOLATIONS.labels(name)._value.get() for name in ("I1", "I2"))
    return one, two


async def test_what_is_wrong_is_counted_until_it_is_not() -> None:
    """Each has a gauge of its own; a ledger that does not answer leaves them as they are."""
    stopping = asyncio.Event()
    books = Books(
        stopping,
        ({"USD": Decimal("0.01"), "EUR": Decimal(0)}, Proof(3, ("txn_1: its hash is another",))),
        ({"USD": Decimal(0)}, Proof(0)),
        ({}, Proof(2)),
    )

    await asyncio.wait_for(ledger_audit(books, lambda: NOW, 0.001)(stopping), 60)

    assert books.gauges[1:] == [(1, 3), (0, 0), (0, 2)]
    assert gauges() == (0, 2)
    assert AUDIT_LEDGER_LAST_SUCCESS._value.get() == NOW.timestamp()


def stub(*messages: ledger.VerifyLedgerResponse, error: bool = False) -> Any:
    """Make a ledger's stub."""

    async def balance(request: ledger.GetTrialBalanceRequest, **_: Any) -> Any:
        lines = [report_pb2.TrialBalanceLine(currency="USD", difference="0.50")]
        return ledger.GetTrialBalanceResponse(lines=lines)

    async def verify(request: ledger.VerifyLedgerRequest, **_: Any) -> AsyncIterator[Any]:
        assert request.since_last_checkpoint
        for message in messages:
            yield message
        if error:
            raise AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "gone")

    return SimpleNamespace(GetTrialBalance=balance, VerifyLedger=verify)


async def test_the_ledger_is_asked_for_what_is_new() -> None:
    """Its sums, and its proof since the last checkpoint, with what it found."""
    offence = ledger.VerifyLedgerResponse()
    offence.offence.subject, offence.offence.message = "txn_1", "its hash is another"
    summary = ledger.VerifyLedgerResponse()
    summary.summary.offence_count = 1

    books = GrpcLedgerBooks(stub(ledger.VerifyLedgerResponse(), offence, summary))

    assert await books.differences() == {"USD": Decimal("0.50")}
    assert await books.proof() == Proof(1, ("txn_1: its hash is another",))


async def test_what_is_not_whole_proves_nothing() -> None:
    """Neither a proof without an end, nor one that breaks off."""
    with pytest.raises(Unavailable):
        await GrpcLedgerBooks(stub()).proof()
    with pytest.raises(Unavailable):
        await GrpcLedgerBooks(stub(error=True)).proof()
