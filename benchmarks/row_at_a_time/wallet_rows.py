"""`paymesh.wallet.v1.WalletService` as it would be without batches; what the load needs of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceServicer

from benchmarks.row_at_a_time import wallet_sql as sql
from chassis.database import Database, Transaction

Row = Mapping[str, Any]


class WalletRows(WalletServiceServicer):
    """Credits each wallet by itself: by one function call, or a statement at a time."""

    def __init__(self, database: Database, *, by_function: bool) -> None:
        self._database = database
        self._credit = self._by_function if by_function else self._by_statements

    async def OpenWallets(
        self, request: service.OpenWalletsRequest, context: Any
    ) -> service.OpenWalletsResponse:
        """Open wallets, and read them as they are."""
        ids = [wallet.wallet_id for wallet in request.wallets]
        currencies = [wallet.currency for wallet in request.wallets]
        await self._database.run(lambda tx: tx.execute(sql.OPEN, (ids, currencies)))
        found = await self._database.read(sql.WALLETS, (ids,))
        wallets = {
            row["wallet_id"]: noun.Wallet(
                wallet_id=row["wallet_id"],
                pending=str(row["pending"]),
                operation_count=row["operation_count"],
            )
            for row in found
        }
        return service.OpenWalletsResponse(
            results=[service.OpenWalletResult(wallet=wallets[id_]) for id_ in ids]
        )

    async def ApplyOperations(
        self, request: service.ApplyOperationsRequest, context: Any
    ) -> service.ApplyOperationsResponse:
        """Apply operations one after the other."""
        results = [_result(await self._credit(operation)) for operation in request.operations]
        return service.ApplyOperationsResponse(results=results)

    async def _by_function(self, asked: service.NewOperation) -> Row:
        parameters = (
            asked.operation_id,
            asked.wallet_id,
            Decimal(asked.amount),
            asked.currency,
            asked.subject_id,
        )
        (row,) = await self._database.read(sql.CALL, parameters)
        return row

    async def _by_statements(self, asked: service.NewOperation) -> Row:
        return await self._database.run(lambda tx: _credit(tx, asked))


async def _credit(tx: Transaction, asked: service.NewOperation) -> Row:
    amount = Decimal(asked.amount)
    (wallet,) = await tx.all(sql.LOCK, (asked.wallet_id, asked.currency))
    stored = await tx.all(sql.FIND, (asked.operation_id,))
    if stored:
        return stored[0]
    pending, sequence = wallet["pending"] + amount, wallet["operation_count"] + 1
    said = (asked.operation_id, asked.wallet_id, amount, asked.currency, asked.subject_id)
    after = (pending, wallet["available"], wallet["held"], sequence)
    (new,) = await tx.all(sql.INSERT_OPERATION, (*said, *after))
    await tx.execute(sql.UPDATE_WALLET, (pending, sequence, asked.wallet_id))
    return new


def _result(row: Row) -> service.OperationResult:
    created_at = Timestamp()
    created_at.FromDatetime(row["created_at"])
    return service.OperationResult(
        operation=noun.Operation(
            operation_id=row["operation_id"],
            wallet_id=row["wallet_id"],
            kind=noun.Operation.CREDIT,
            amount=str(row["amount"]),
            currency=row["currency"],
            subject_id=row["subject_id"],
            pending_after=str(row["pending_after"]),
            available_after=str(row["available_after"]),
            held_after=str(row["held_after"]),
            wallet_sequence=row["wallet_sequence"],
            created_at=created_at,
        ),
        replayed=row["o_replayed"],
    )
