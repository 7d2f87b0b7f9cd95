"""gRPC to use cases and back; the only file that sees both."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceServicer

from chassis.errors import InvalidRequest
from wallet_svc import ports
from wallet_svc.domain import operation, wallet
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Kind, NewOperation
from wallet_svc.domain.wallet import NewWallet, WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome
from wallet_svc.ports import OperationFilter
from wallet_svc.use_cases.apply_operations import apply_operations
from wallet_svc.use_cases.get_wallet import get_wallet
from wallet_svc.use_cases.list_operations import list_operations
from wallet_svc.use_cases.open_wallets import open_wallets
from wallet_svc.use_cases.reverse_operations import reverse_operations

KINDS = {
    Kind.CREDIT: noun.Operation.CREDIT,
    Kind.SETTLE: noun.Operation.SETTLE,
    Kind.REVERSAL: noun.Operation.REVERSAL,
}
STATUSES = {
    WalletStatus.OPEN: noun.Wallet.OPEN,
    WalletStatus.FROZEN: noun.Wallet.FROZEN,
    WalletStatus.CLOSED: noun.Wallet.CLOSED,
}
_KINDS_IN = {wire: kind for kind, wire in KINDS.items()}


class WalletServicer(WalletServiceServicer):
    """`paymesh.wallet.v1.WalletService`."""

    def __init__(self, writer: ports.WalletWriter, reader: ports.WalletReader) -> None:
        self._writer = writer
        self._reader = reader

    async def OpenWallets(
        self, request: service.OpenWalletsRequest, context: Any
    ) -> service.OpenWalletsResponse:
        """Open wallets."""
        answers = await open_wallets(self._writer, [_new_wallet(w) for w in request.wallets])
        return service.OpenWalletsResponse(
            results=[
                service.OpenWalletResult(refusal=_refusal(answer))
                if isinstance(answer, Refusal)
                else service.OpenWalletResult(wallet=_wallet(answer))
                for answer in answers
            ]
        )

    async def ApplyOperations(
        self, request: service.ApplyOperationsRequest, context: Any
    ) -> service.ApplyOperationsResponse:
        """Apply operations."""
        asked = [
            _new_operation(item, f"operations[{index}]")
            for index, item in enumerate(request.operations)
        ]
        outcomes = await apply_operations(self._writer, asked)
        return service.ApplyOperationsResponse(results=map(_result, outcomes))

    async def ReverseOperations(
        self, request: service.ReverseOperationsRequest, context: Any
    ) -> service.ReverseOperationsResponse:
        """Reverse operations."""
        outcomes = await reverse_operations(self._writer, list(request.operation_ids))
        return service.ReverseOperationsResponse(results=map(_result, outcomes))

    async def GetWallet(
        self, request: service.GetWalletRequest, context: Any
    ) -> service.GetWalletResponse:
        """Read a wallet."""
        found = await get_wallet(self._reader, request.wallet_id)
        return service.GetWalletResponse(wallet=_wallet(found))

    async def ListOperations(
        self, request: service.ListOperationsRequest, context: Any
    ) -> service.ListOperationsResponse:
        """List operations."""
        _require_text("wallet_id", request.wallet_id)
        _require_text("subject_id", request.subject_id)
        page = await list_operations(
            self._reader,
            OperationFilter(request.wallet_id, request.subject_id),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListOperationsResponse(
            operations=map(_operation, page.operations), next_page_token=page.next_page_token
        )


def _new_wallet(asked: service.NewWallet) -> NewWallet | Refusal:
    try:
        return NewWallet.parse(
            asked.wallet_id,
            client_id=asked.client_id,
            owner=asked.owner,
            currency=asked.currency,
        )
    except Refusal as refusal:
        return refusal


def _new_operation(asked: service.NewOperation, path: str) -> NewOperation | Refusal:
    _require_text(f"{path}.subject_id", asked.subject_id)
    try:
        return NewOperation.parse(
            asked.operation_id,
            wallet_id=asked.wallet_id,
            kind=_KINDS_IN[asked.kind],
            amount=asked.amount,
            currency=asked.currency,
            subject_id=asked.subject_id,
        )
    except Refusal as refusal:
        return refusal


def _require_text(path: str, text: str) -> None:
    if "\0" in text:
        raise InvalidRequest.field(path, "must not hold a NUL character")


def _result(outcome: ReversalOutcome) -> service.OperationResult:
    match outcome:
        case Applied():
            return service.OperationResult(
                operation=_operation(outcome.operation), replayed=outcome.replayed
            )
        case Closed():
            return service.OperationResult(closed_before_arrival=True, replayed=outcome.replayed)
        case _:
            return service.OperationResult(refusal=_refusal(outcome))


def _refusal(refusal: Refusal) -> service.Refusal:
    return service.Refusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata
    )


def _wallet(found: wallet.Wallet) -> noun.Wallet:
    return noun.Wallet(
        wallet_id=found.wallet_id,
        client_id=found.client_id,
        owner=found.owner,
        currency=found.currency,
        status=STATUSES[found.status],
        pending=str(found.pending),
        available=str(found.available),
        held=str(found.held),
        operation_count=found.operation_count,
    )


def _operation(found: operation.Operation) -> noun.Operation:
    created_at = Timestamp()
    created_at.FromDatetime(found.created_at)
    return noun.Operation(
        operation_id=found.operation_id,
        wallet_id=found.wallet_id,
        kind=KINDS[found.kind],
        amount=str(found.amount),
        currency=found.amount.currency,
        subject_id=found.subject_id,
        pending_after=str(found.pending_after),
        available_after=str(found.available_after),
        held_after=str(found.held_after),
        wallet_sequence=found.wallet_sequence,
        created_at=created_at,
    )
