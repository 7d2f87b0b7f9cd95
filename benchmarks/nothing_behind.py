"""Serves answers that were made ahead: `python -m benchmarks.nothing_behind`.

The same server, gate and messages as a service's, but no database, and no look at what a request
holds: what is left is the price of being asked. It is no upper bound: each call is answered at
once, and a service that answers many together, as group commit does, pays less for each.
"""

from contextlib import AsyncExitStack
from functools import lru_cache, partial
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2, posting_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)
from paymesh.wallet.v1 import wallet_pb2
from paymesh.wallet.v1 import wallet_service_pb2 as wallet
from paymesh.wallet.v1.wallet_service_pb2_grpc import (
    WalletServiceServicer,
    add_WalletServiceServicer_to_server,
)

from chassis import server
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings
from ledger_svc.glance import checked_inside

_AMOUNT, _AFTER = "10.99", "1098.90"
_SELLER = "seller:bench:00001"
_WHEN = Timestamp(seconds=1_790_000_000, nanos=123_456_000)


class CannedLedger(LedgerServiceServicer):
    """Has posted everything, always; what else the ledger can do is UNIMPLEMENTED."""

    @checked_inside  # nowhere: the rules' price is a service's own, and may be spared
    async def PostTransactions(
        self, request: ledger.PostTransactionsRequest, context: Any
    ) -> ledger.PostTransactionsResponse:
        """Answer as many transactions as were asked for."""
        return ledger_answer(len(request.postings))


class CannedWallets(WalletServiceServicer):
    """Has credited everything, always; what else the wallets can do is UNIMPLEMENTED."""

    @checked_inside
    async def ApplyOperations(
        self, request: wallet.ApplyOperationsRequest, context: Any
    ) -> wallet.ApplyOperationsResponse:
        """Answer as many operations as were asked for."""
        return wallet_answer(len(request.operations))


@lru_cache
def ledger_answer(size: int) -> ledger.PostTransactionsResponse:
    """Make the ledger's answer to `size` postings, as long as a real one."""
    entries = [
        ledger_pb2.Entry(
            account_id=_SELLER,
            side=side,
            amount=_AMOUNT,
            currency="USD",
            balance_after=_AFTER,
            account_sequence=100,
        )
        for side in (ledger_pb2.SIDE_DEBIT, ledger_pb2.SIDE_CREDIT)
    ]
    transaction = ledger_pb2.Transaction(
        transaction_id="txn_00000000000000000001000000000001",
        reference="charge:000000010000:captured",
        description="Captured",
        subject_id="pay_bench",
        effective_at=_WHEN,
        created_at=_WHEN,
        entries=entries,
        kind=ledger_pb2.Transaction.POSTED,
        stream=1,
        stream_number=1000,
        hash=bytes(32),
    )
    result = posting_pb2.PostingResult(transaction=transaction)
    return ledger.PostTransactionsResponse(results=[result] * size)


@lru_cache
def wallet_answer(size: int) -> wallet.ApplyOperationsResponse:
    """Make the wallets' answer to `size` credits, as long as a real one."""
    operation = wallet_pb2.Operation(
        operation_id="order:000000010000:credit",
        wallet_id=_SELLER,
        kind=wallet_pb2.Operation.CREDIT,
        amount=_AMOUNT,
        currency="USD",
        subject_id="pay_bench",
        pending_after=_AFTER,
        available_after="0.00",
        held_after="0.00",
        wallet_sequence=100,
        created_at=_WHEN,
        wallet_version=101,
    )
    result = wallet.OperationResult(operation=operation)
    return wallet.ApplyOperationsResponse(results=[result] * size)


async def build(_: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire what stands for the books that the environment names: NOTHING_OF, ledger or wallet."""
    if environment.choice("NOTHING_OF", ("ledger", "wallet")) == "ledger":
        servicer = CannedLedger()  # type: ignore[abstract]
        return Wiring(
            register=[partial(add_LedgerServiceServicer_to_server, servicer)],
            names=[ledger.DESCRIPTOR.services_by_name["LedgerService"].full_name],
        )
    wallets = CannedWallets()  # type: ignore[abstract]
    return Wiring(
        register=[partial(add_WalletServiceServicer_to_server, wallets)],
        names=[wallet.DESCRIPTOR.services_by_name["WalletService"].full_name],
    )


if __name__ == "__main__":
    server.main("nothing_behind", "nothing.paymesh", build)
