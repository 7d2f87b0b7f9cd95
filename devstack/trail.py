"""What the invariants hold against a payment's story: what every service and the PSP's own record
say, as plain data.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
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
from paymesh.wallet.v1 import wallet_service_pb2 as wallet
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

from devstack.reach import operator_channel

Json = dict[str, Any]
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Trail:
    """A payment's trail. Lists are the oldest first; amounts are decimal strings.

    `story` is what ExplainPayment answered.
    """

    story: Mapping[str, Any]
    attempts: list[Json]
    operations: list[Json]
    wallets: list[Json]
    entries: list[Json]
    accounts: list[Json]
    trial_balance: list[Json]
    psp_record: list[Json]

    @property
    def payment(self) -> Json:
        """The payment as its client sees it."""
        return dict(self.story["payment"])

    @property
    def sagas(self) -> list[Json]:
        """Its sagas with their journals."""
        return list(self.story["sagas"])

    @property
    def status_changes(self) -> list[Json]:
        """Each change of its status and of its orders'."""
        return list(self.story["status_changes"])


def plain(message: Message) -> Json:
    """Write a message as JSON data in the protos' own names."""
    return dict(
        MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )


class Operator:
    """Asks the services of a running stack, in a mesh as the operator `name` or the system user.

    Use it as an async context manager.
    """

    def __init__(self, stack: Mapping[str, Any], name: str = "") -> None:
        self._stack = stack
        self._name = name
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Operator":
        self.payments = OperationsServiceStub(await self._channel("payment_svc"))
        self.psp = PspGatewayServiceStub(await self._channel("psp_gateway"))
        self.wallets = WalletServiceStub(await self._channel("wallet_svc"))
        self.ledger = LedgerServiceStub(await self._channel("ledger_svc"))
        self._http = await self._open.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _channel(self, service: str) -> grpc.aio.Channel:
        channel = operator_channel(self._stack, service, self._name)
        return await self._open.enter_async_context(channel)

    async def story(self, payment_id: str) -> Json:
        """Have payment_svc explain a payment.

        Raises:
            grpc.aio.AioRpcError: it does not answer, or there is no such payment.
        """
        request = operations.ExplainPaymentRequest(payment_id=payment_id)
        return plain(await self.payments.ExplainPayment(request, timeout=_TIMEOUT_S))

    async def trail(self, payment_id: str, story: Mapping[str, Any] | None = None) -> Trail:
        """Gather a payment's trail; `story` is asked for when it is not there already.

        Raises:
            grpc.aio.AioRpcError: a service does not answer, or there is no such payment.
            aiohttp.ClientError: the PSP sandbox does not answer.
        """
        story = story or await self.story(payment_id)
        done, entries = await asyncio.gather(
            self._operations(payment_id), self._entries(payment_id)
        )
        owned = {operation["wallet_id"] for operation in done}  # a wallet is named as its account
        booked = {entry["account_id"] for entry in entries}
        wallets = await asyncio.gather(*map(self.wallet, sorted(owned)))
        accounts = await asyncio.gather(*map(self.account, sorted(owned | booked)))
        attempts = await self._attempts(payment_id)
        return Trail(
            story=story,
            attempts=attempts,
            operations=done,
            wallets=[found for found in wallets if found],
            entries=entries,
            accounts=[found for found in accounts if found],
            trial_balance=await self.trial_balance(),
            psp_record=await self.psp_record(payment_id, [a["attempt_id"] for a in attempts]),
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

    async def trial_balance(self, at: datetime | None = None) -> list[Json]:
        """Sum the whole ledger, a line per currency, now or as of a time in UTC."""
        request = ledger.GetTrialBalanceRequest()
        if at is not None:
            request.at.FromDatetime(at)
        return list(plain(await self.ledger.GetTrialBalance(request, timeout=_TIMEOUT_S))["lines"])

    async def psp_record(self, payment_id: str, attempt_ids: Sequence[str]) -> list[Json]:
        """Read what the PSP sandbox itself wrote down about a payment; PayPal is told the attempts
        alone.
        """
        asked = [("payment_id", payment_id), *(("attempt_id", one) for one in attempt_ids)]
        found = await asyncio.gather(*(self._recorded(*pair) for pair in asked))
        by_place = {entry["seq"]: entry for entries in found for entry in entries}
        return [by_place[place] for place in sorted(by_place)]

    async def _recorded(self, name: str, value: str) -> list[Json]:
        url = self._stack["psp_sandbox"]["url"] + "/control/record"
        async with self._http.get(url, params={f"metadata.{name}": value}) as response:
            response.raise_for_status()
            return list((await response.json())["entries"])

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
