"""gRPC to use cases and back; with `messages` and `requests`, the only place that sees both."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceServicer

from bookkeeping.fields import require_text
from chassis.clock import Clock, utc_now
from chassis.errors import InvalidRequest
from chassis.interceptors import request_context
from wallet_svc import messages, ports, requests
from wallet_svc.domain.errors import InvalidAmount, Refusal
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.use_cases.apply_operations import apply_operations
from wallet_svc.use_cases.change_wallet import change_status, set_credit_limit
from wallet_svc.use_cases.compare_with_ledger import compare_with_ledger
from wallet_svc.use_cases.get_wallet import get_wallet, get_wallets
from wallet_svc.use_cases.list_holds import get_hold, list_holds
from wallet_svc.use_cases.list_operations import list_operations
from wallet_svc.use_cases.list_wallet_changes import list_wallet_changes
from wallet_svc.use_cases.open_wallets import open_wallets
from wallet_svc.use_cases.reverse_operations import reverse_operations
from wallet_svc.use_cases.watch_wallet import watch_wallet

_WATCH_MAX_S = 300.0


class WalletServicer(WalletServiceServicer):
    """`paymesh.wallet.v1.WalletService`.

    Args:
        writer: writes wallets.
        reader: reads them.
        watch: tells their changes.
        books: the ledger's, to compare with; None for none.
        clock: tells which differences are young.
    """

    def __init__(
        self,
        writer: ports.WalletWriter,
        reader: ports.WalletReader,
        watch: ports.WalletWatch,
        books: ports.LedgerBooks | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._watch = watch
        self._books = books
        self._clock = clock

    async def OpenWallets(
        self, request: service.OpenWalletsRequest, context: Any
    ) -> service.OpenWalletsResponse:
        """Open wallets."""
        answers = await open_wallets(self._writer, list(map(requests.new_wallet, request.wallets)))
        return service.OpenWalletsResponse(
            results=[
                service.OpenWalletResult(refusal=messages.to_refusal(answer))
                if isinstance(answer, Refusal)
                else service.OpenWalletResult(wallet=messages.to_wallet(answer))
                for answer in answers
            ]
        )

    async def ApplyOperations(
        self, request: service.ApplyOperationsRequest, context: Any
    ) -> service.ApplyOperationsResponse:
        """Apply operations."""
        outcomes = await apply_operations(self._writer, requests.new_operations(request))
        return service.ApplyOperationsResponse(results=map(messages.to_result, outcomes))

    async def ReverseOperations(
        self, request: service.ReverseOperationsRequest, context: Any
    ) -> service.ReverseOperationsResponse:
        """Reverse operations."""
        outcomes = await reverse_operations(self._writer, list(request.operation_ids))
        return service.ReverseOperationsResponse(results=map(messages.to_result, outcomes))

    async def FreezeWallet(
        self, request: service.FreezeWalletRequest, context: Any
    ) -> service.FreezeWalletResponse:
        """Freeze a wallet."""
        after = await self._change(request, WalletStatus.FROZEN)
        return service.FreezeWalletResponse(wallet=after)

    async def UnfreezeWallet(
        self, request: service.UnfreezeWalletRequest, context: Any
    ) -> service.UnfreezeWalletResponse:
        """Let a wallet take operations again."""
        after = await self._change(request, WalletStatus.OPEN)
        return service.UnfreezeWalletResponse(wallet=after)

    async def CloseWallet(
        self, request: service.CloseWalletRequest, context: Any
    ) -> service.CloseWalletResponse:
        """Close a wallet."""
        after = await self._change(request, WalletStatus.CLOSED)
        return service.CloseWalletResponse(wallet=after)

    async def SetCreditLimit(
        self, request: service.SetCreditLimitRequest, context: Any
    ) -> service.SetCreditLimitResponse:
        """Set a wallet's credit limit."""
        require_text("reason", request.reason)
        try:
            after = await set_credit_limit(
                self._writer,
                request.wallet_id,
                request.credit_limit,
                reason=request.reason,
                actor=request_context().actor(),
            )
        except InvalidAmount as error:
            told = error.message
            raise InvalidRequest.field("credit_limit", told, error.reason) from error
        return service.SetCreditLimitResponse(wallet=messages.to_wallet(after))

    async def ListWalletChanges(
        self, request: service.ListWalletChangesRequest, context: Any
    ) -> service.ListWalletChangesResponse:
        """List the changes of a wallet's status and limit."""
        page = await list_wallet_changes(
            self._reader,
            request.wallet_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListWalletChangesResponse(
            changes=map(messages.to_change, page.changes), next_page_token=page.next_page_token
        )

    async def GetWallet(
        self, request: service.GetWalletRequest, context: Any
    ) -> service.GetWalletResponse:
        """Read a wallet."""
        found = await get_wallet(self._reader, request.wallet_id)
        return service.GetWalletResponse(wallet=messages.to_wallet(found))

    async def GetWallets(
        self, request: service.GetWalletsRequest, context: Any
    ) -> service.GetWalletsResponse:
        """Read many wallets."""
        found = await get_wallets(self._reader, request.wallet_ids)
        return service.GetWalletsResponse(
            wallets=map(messages.to_wallet, found.wallets), missing_wallet_ids=found.missing
        )

    async def WatchWallet(
        self, request: service.WatchWalletRequest, context: Any
    ) -> AsyncIterator[service.WatchWalletResponse]:
        """Tell a wallet's states."""
        left = context.time_remaining()
        states = watch_wallet(
            self._reader,
            self._watch,
            request.wallet_id,
            after_version=request.after_version,
            timeout_s=_WATCH_MAX_S if left is None else min(left, _WATCH_MAX_S),
        )
        async with aclosing(states):
            async for state in states:
                yield service.WatchWalletResponse(wallet=messages.to_wallet(state))

    async def ListOperations(
        self, request: service.ListOperationsRequest, context: Any
    ) -> service.ListOperationsResponse:
        """List operations."""
        page = await list_operations(
            self._reader,
            requests.operation_filter(request),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListOperationsResponse(
            operations=map(messages.to_operation, page.operations),
            next_page_token=page.next_page_token,
        )

    async def GetHold(
        self, request: service.GetHoldRequest, context: Any
    ) -> service.GetHoldResponse:
        """Read a hold."""
        found = await get_hold(self._reader, request.hold_id)
        return service.GetHoldResponse(hold=messages.to_hold(found))

    async def ListHolds(
        self, request: service.ListHoldsRequest, context: Any
    ) -> service.ListHoldsResponse:
        """List a wallet's holds."""
        page = await list_holds(
            self._reader,
            request.wallet_id,
            only_open=request.only_open,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListHoldsResponse(
            holds=map(messages.to_hold, page.holds), next_page_token=page.next_page_token
        )

    async def CompareWithLedger(
        self, request: service.CompareWithLedgerRequest, context: Any
    ) -> AsyncIterator[service.CompareWithLedgerResponse]:
        """Compare the wallets with the ledger."""
        told = compare_with_ledger(self._reader, self._books, self._clock, prefix=request.prefix)
        async for one in told:
            yield messages.to_comparison(one)

    async def _change(self, request: Any, to: WalletStatus) -> noun.Wallet:
        require_text("reason", request.reason)
        after = await change_status(
            self._writer,
            request.wallet_id,
            to,
            reason=request.reason,
            actor=request_context().actor(),
        )
        return messages.to_wallet(after)
