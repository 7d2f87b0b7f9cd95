"""Builders of the wallets' objects, and the wallets served over gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from paymesh.wallet.v1 import wallet_pb2, wallet_service_pb2
from paymesh.wallet.v1.wallet_service_pb2_grpc import (
    WalletServiceStub,
    add_WalletServiceServicer_to_server,
)

from chassis.channel import open_channel
from chassis.database import Database
from chassis.money import Money
from chassis.server import Wiring, add_wiring, make_server
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Kind, NewOperation, Operation
from wallet_svc.domain.wallet import AccountType, NewWallet, Standing, Wallet, WalletStatus
from wallet_svc.domain.wallets import Pot, Wallets
from wallet_svc.ports import LedgerBooks
from wallet_svc.reader import WalletReader
from wallet_svc.servicer import WalletServicer
from wallet_svc.store import WalletStore
from wallet_svc.watching import Watching

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceAsyncStub

    WalletStub = WalletServiceAsyncStub
else:
    WalletStub = WalletServiceStub

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
SELLER, OTHER = "seller:demo:seller_456:USD", "seller:demo:seller_789:USD"


def usd(amount: str) -> Money:
    """Make dollars, zero included."""
    return Money(Decimal(amount), "USD")


def wallet(
    wallet_id: str = SELLER,
    *,
    status: WalletStatus = WalletStatus.OPEN,
    pending: str = "0.00",
    available: str = "0.00",
    held: str = "0.00",
    credit_limit: str = "0.00",
) -> Wallet:
    """Make a wallet with balances, as if it had been opened with them."""
    standing = Standing(Decimal(pending), Decimal(available), Decimal(held), 0, 1)
    return Wallet(
        wallet_id,
        "demo",
        "seller_456",
        "USD",
        AccountType.SELLER,
        status,
        Decimal(credit_limit),
        standing,
    )


def wallets(
    *held: Wallet,
    operations: tuple[Operation, ...] = (),
    closed: tuple[str, ...] = (),
    holds: tuple[Hold, ...] = (),
    pending: dict[Pot, Decimal] | None = None,
    now: datetime = NOW,
) -> Wallets:
    """Make a batch that holds wallets; without any, the seller's, empty."""
    return Wallets(held or (wallet(),), operations, closed, holds=holds, pending=pending, now=now)


def operation(
    operation_id: str,
    amount: str = "99.99",
    *,
    kind: Kind = Kind.CREDIT,
    wallet_id: str = SELLER,
    subject_id: str = "pay_1",
    currency: str = "USD",
    refers_to: str = "",
    releases_rest: bool = False,
    expires_at: datetime | None = None,
    expected_version: int | None = None,
    linked: bool = False,
) -> NewOperation:
    """Make an operation to be applied; a CREDIT when nothing else is said."""
    return NewOperation(
        operation_id,
        wallet_id,
        kind,
        Decimal(amount),
        currency,
        subject_id,
        refers_to,
        releases_rest,
        expires_at,
        expected_version,
        linked,
    )


def new_wallet(wallet_id: str) -> NewWallet:
    """Make a wallet to be opened."""
    return NewWallet.parse(wallet_id, client_id="demo", owner="seller_456", currency="USD")


def wire_wallet(
    wallet_id: str, *, owner: str = "seller_456", currency: str = "USD", **more: Any
) -> wallet_service_pb2.NewWallet:
    """Make a wallet to be opened, as a message."""
    return wallet_service_pb2.NewWallet(
        wallet_id=wallet_id, client_id="demo", owner=owner, currency=currency, **more
    )


def wire_operation(
    operation_id: str,
    amount: str = "99.99",
    *,
    kind: wallet_pb2.Operation.Kind.ValueType = wallet_pb2.Operation.CREDIT,
    wallet_id: str = SELLER,
    currency: str = "USD",
    subject_id: str = "pay_1",
    **more: Any,
) -> wallet_service_pb2.NewOperation:
    """Make an operation to be applied, as a message; a CREDIT when nothing else is said."""
    return wallet_service_pb2.NewOperation(
        operation_id=operation_id,
        wallet_id=wallet_id,
        kind=kind,
        amount=amount,
        currency=currency,
        subject_id=subject_id,
        **more,
    )


@asynccontextmanager
async def served(
    database: Database, *, books: LedgerBooks | None = None, watching: Watching | None = None
) -> AsyncIterator[WalletStub]:
    """Serve the wallets on a free port and answer a stub that calls them."""
    reader = WalletReader(database)
    watching = watching or Watching(reader.changed, every_s=0.02)
    servicer = WalletServicer(WalletStore(database), reader, watching, books)
    wiring = Wiring(
        register=[partial(add_WalletServiceServicer_to_server, servicer)],
        names=["paymesh.wallet.v1.WalletService"],
    )
    server = make_server("wallet.paymesh", timeout_s=20, rpc_count_max=1000)
    add_wiring(server, wiring, with_reflection=True)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    descriptor = wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"]
    channel: grpc.aio.Channel = open_channel(f"127.0.0.1:{port}", descriptor)
    try:
        yield WalletServiceStub(channel)
    finally:
        await channel.close()
        await server.stop(None)
        await watching.close()
