"""Live readers: whatever dies meanwhile, the ledger sums to zero in every single read."""

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import grpc
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

_PAUSE_S = 0.1
_TIMEOUT_S = 3.0


class BankReader:
    """Reads the trial balance again and again.

    Attributes:
        reads: how many were answered.
        failed: how many were not.
        longest_gap_s: between two that were.
        wrong: what did not sum to zero.
    """

    def __init__(self, stack: Mapping[str, Any]) -> None:
        self._target = stack["services"]["ledger_svc"]["grpc"]
        self.reads = self.failed = 0
        self.longest_gap_s = 0.0
        self.wrong: list[str] = []
        self._last = time.monotonic()

    async def run(self) -> None:
        """Read until cancelled."""
        options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(self._target, options=options) as channel:
            stub = LedgerServiceStub(channel)
            while True:
                await self._read(stub)
                await asyncio.sleep(_PAUSE_S)

    async def _read(self, stub: Any) -> None:
        try:
            answer = await stub.GetTrialBalance(ledger.GetTrialBalanceRequest(), timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            self.failed += 1
            return
        self.reads += 1
        now = time.monotonic()
        self.longest_gap_s, self._last = max(self.longest_gap_s, now - self._last), now
        for line in answer.lines:
            if Decimal(line.difference):
                self.wrong.append(f"read {self.reads}: {line.currency} by {line.difference}")
