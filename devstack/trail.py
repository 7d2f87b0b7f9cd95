"""What every service knows of one payment, gathered over their own RPCs, as plain data."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1.operations_service_pb2_grpc import OperationsServiceStub
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceStub
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from paymesh.wallet.v1 import wallet_service_pb2 as wallet
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

Json = dict[str, Any]
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Trail:
    """A payment's trail. Lists are the oldest first; amounts are decimal strings."""

    payment: Json
    sagas: list[Json]
    status_changes: list[Json]
    assessment: Json | None
    attempts: list[Json]
    operations: list[Json]
    wallets: list[Json]
    entries: list[Json]
    accounts: list[Json]
    trial_balance: list[Json]
    psp_record: list[Json]


def plain(message: Message) -> Json:
    """Write a message as JSON data in the protos' own names."""
    return dict(
        MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )


class Operator:
    """Asks the services of a running stack. Use it as an async context manager."""

    def __init__(self, stack: Mapping[str, Any]) -> None:
        self._stack = stack
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Operator":
        self.payments = OperationsServiceStub(await self._channel("payment_svc"))
        self.risk = RiskServiceStub(await self._channel("risk_svc"))
        self.psp = PspGatewayServiceStub(await self._channel("psp_gateway"))
        self.wallets = WalletServiceStub(await self._channel("wallet_svc"))
        self.ledger = LedgerServiceStub(await self._channel("ledger_svc"))
        self._http = await self._open.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _channel(self, service: str) -> grpc.aio.Channel:
        target = self._stack["services"][service]["grpc"]
        return await self._open.enter_async_context(grpc.aio.insecure_channel(target))

    async def trail(self, payment_id: str) -> Trail:
        """Gather a payment's trail.

        Raises:
            grpc.aio.AioRpcError: a service does not answer, or there is no such payment.
        """
        story = plain(
            await self.payments.ExplainPayment(
                operations.ExplainPaymentRequest(payment_id=payment_id), timeout=_TIMEOUT_S
            )
        )
        done, entries = await asyncio.gather(
            self._operations(payment_id), self._entries(payment_id)
        )
        owned = {operation["wallet_id"] for operation in done}  # a wallet is named as its account
        booked = {entry["account_id"] for entry in entries}
        wallets = await asyncio.gather(*map(self.wallet, sorted(owned)))
        accounts = await asyncio.gather(*map(self.account, sorted(owned | booked)))
        return Trail(
            payment=story["payment"],
            sagas=story["sagas"],
            status_changes=story["status_changes"],
            assessment=await self._assessment(payment_id),
            attempts=await self._attempts(payment_id),
            operations=done,
            wallets=[found for found in wallets if found],
            entries=entries,
            accounts=[found for found in accounts if found],
            trial_balance=await self.trial_balance(),
            psp_record=await self.psp_record(payment_id),
        )

    async def wallet(self, wallet_id: str) -> Json | None:
        """Read a wallet; None when there is none yet."""
        request = wallet.GetWalletRequest(wallet_id=wallet_id)
        found = await _unless_missing(self.wallets.GetWallet(request, timeout=_TIMEOUT_S))
        return None if found is None else dict(found["wallet"])

    async def account(self, account_id: str) -> Json | None:
        """Read a ledger account; None when there is none yet."""
        request = ledger.GetBalanceRequest(account_id=account_id)
        found = await _unless_missing(self.ledger.GetBalance(request, timeout=_TIMEOUT_S))
        return None if found is None else dict(found["account"])

    async def trial_balance(self) -> list[Json]:
        """Sum the whole ledger, a line per currency."""
        request = ledger.GetTrialBalanceRequest()
        return list(plain(await self.ledger.GetTrialBalance(request, timeout=_TIMEOUT_S))["lines"])

    async def psp_record(self, payment_id: str) -> list[Json]:
        """Read what the PSP sandbox itself wrote down about a payment."""
        url = self._stack["psp_sandbox"]["url"] + "/control/record"
        parameters = {"metadata.payment_id": payment_id}
        async with self._http.get(url, params=parameters) as response:
            response.raise_for_status()
            return list((await response.json())["entries"])

    async def _assessment(self, payment_id: str) -> Json | None:
        request = risk.GetAssessmentRequest(payment_id=payment_id)
        found = await _unless_missing(self.risk.GetAssessment(request, timeout=_TIMEOUT_S))
        return None if found is None else dict(found["assessment"])

    async def _attempts(self, payment_id: str) -> list[Json]:
        request = psp.ListAttemptsRequest(payment_id=payment_id)
        return list(plain(await self.psp.ListAttempts(request, timeout=_TIMEOUT_S))["attempts"])

    async def _operations(self, payment_id: str) -> list[Json]:
        request = wallet.ListOperationsRequest(subject_id=payment_id, page_size=500)
        answer = plain(await self.wallets.ListOperations(request, timeout=_TIMEOUT_S))
        return list(reversed(answer["operations"]))

    async def _entries(self, payment_id: str) -> list[Json]:
        request = ledger.ListEntriesRequest(subject_id=payment_id, page_size=500)
        answer = plain(await self.ledger.ListEntries(request, timeout=_TIMEOUT_S))
        return list(reversed(answer["entries"]))


async def _unless_missing(call: Any) -> Json | None:
    """Await a call; NOT_FOUND is None."""
    try:
        return plain(await call)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise
