"""Builders of the ledger's objects, and a ledger served over gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

import grpc
from paymesh.ledger.v1 import ledger_pb2, ledger_service_pb2, posting_pb2
from paymesh.ledger.v1.ledger_service_pb2_grpc import (
    LedgerServiceStub,
    add_LedgerServiceServicer_to_server,
)

from chassis.channel import open_channel
from chassis.clock import Clock, utc_now
from chassis.database import Database
from chassis.money import Money
from chassis.server import Wiring, add_wiring, make_server
from ledger_svc.domain.account import (
    Account,
    AccountStatus,
    AccountType,
    NewAccount,
    Side,
    Standing,
)
from ledger_svc.domain.books import Books, Outcome, Posted
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.posting import Command, Line, Posting
from ledger_svc.domain.transaction import Transaction
from ledger_svc.reader import LedgerReader
from ledger_svc.servicer import LedgerServicer
from ledger_svc.store import LedgerStore
from ledger_svc.verification_reader import VerificationReader

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

    LedgerStub = LedgerServiceAsyncStub
else:
    LedgerStub = LedgerServiceStub

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
CLEARING, SELLER = "psp:stripe:USD", "seller:demo:seller_456:USD"


def usd(amount: str) -> Money:
    """Make dollars."""
    return Money.parse(amount, "USD")


def new_account(
    account_id: str,
    type_: AccountType,
    *,
    currency: str = "USD",
    floor: str | None = None,
    ceiling: str | None = None,
) -> NewAccount:
    """Make an account to be opened."""
    return NewAccount.parse(account_id, type_, currency, floor=floor, ceiling=ceiling)


def account(
    account_id: str,
    type_: AccountType = AccountType.ASSET,
    *,
    status: AccountStatus = AccountStatus.OPEN,
    floor: Money | None = None,
    ceiling: Money | None = None,
    currency: str = "USD",
) -> Account:
    """Make an account without entries."""
    nothing = Money.zero(currency)
    standing = Standing(nothing, nothing, nothing, 0)
    key = crc32(account_id.encode())
    return Account(account_id, key, type_, currency, status, floor, ceiling, standing, NOW)


def posting(
    reference: str,
    amount: str = "99.99",
    *,
    debit: str = CLEARING,
    credit: str = SELLER,
    description: str = "",
    subject_id: str = "",
) -> Posting:
    """Make a posting of two lines."""
    return Posting(
        reference,
        (Line(debit, Side.DEBIT, usd(amount)), Line(credit, Side.CREDIT, usd(amount))),
        description=description,
        subject_id=subject_id,
    )


def pending(reference: str, amount: str = "10.00", **facts: object) -> Posting:
    """Make a pending posting."""
    return replace(posting(reference, amount), is_pending=True, **facts)


def lines(amount: str) -> tuple[Line, Line]:
    """Make the two lines of a part."""
    return Line(CLEARING, Side.DEBIT, usd(amount)), Line(SELLER, Side.CREDIT, usd(amount))


def books(
    *accounts: Account,
    transactions: tuple[Transaction, ...] = (),
    closed: tuple[str, ...] = (),
    now: datetime = NOW,
) -> Books:
    """Make books that hold accounts; without any, a clearing and a seller's account."""
    held = accounts or (account(CLEARING), account(SELLER, AccountType.LIABILITY))
    return Books(held, transactions, closed, head=Head(1), now=now)


def do(held: Books, command: Command) -> Outcome:
    """Do one command on books."""
    (outcome,) = decide(held, [command])
    return outcome


def posted(outcome: object) -> Transaction:
    """Take the transaction of an outcome that must be one."""
    assert isinstance(outcome, Posted), outcome
    return outcome.transaction


def balances(held: Books) -> dict[str, str]:
    """Tell what the accounts that changed have now."""
    return {account.account_id: str(standing.balance) for account, standing in held.changed}


def wire_account(
    account_id: str, type_: ledger_pb2.Account.Type.ValueType, floor: str | None = None
) -> posting_pb2.NewAccount:
    """Make an account to be opened, as a message."""
    return posting_pb2.NewAccount(account_id=account_id, type=type_, currency="USD", floor=floor)


def wire_posting(
    reference: str,
    amount: str = "99.99",
    *,
    debit: str = CLEARING,
    credit: str = SELLER,
    currency: str = "USD",
    subject_id: str = "",
) -> posting_pb2.Posting:
    """Make a posting of two lines, as a message."""
    sides = ((debit, ledger_pb2.SIDE_DEBIT), (credit, ledger_pb2.SIDE_CREDIT))
    return posting_pb2.Posting(
        reference=reference,
        subject_id=subject_id,
        entries=[
            ledger_pb2.NewEntry(account_id=name, side=side, amount=amount, currency=currency)
            for name, side in sides
        ],
    )


async def open_two(store: LedgerStore) -> None:
    """Open the clearing and the seller's account."""
    await store.open_accounts(
        [new_account(CLEARING, AccountType.ASSET), new_account(SELLER, AccountType.LIABILITY)]
    )


@asynccontextmanager
async def served(database: Database, *, clock: Clock = utc_now) -> AsyncIterator[LedgerStub]:
    """Serve the ledger on a free port and answer a stub that calls it."""
    servicer = LedgerServicer(
        LedgerStore(database, clock=clock),
        LedgerReader(database, clock=clock),
        VerificationReader(database),
    )
    wiring = Wiring(
        register=[partial(add_LedgerServiceServicer_to_server, servicer)],
        names=["paymesh.ledger.v1.LedgerService"],
    )
    server = make_server("ledger.paymesh", timeout_s=20, rpc_count_max=1000)
    add_wiring(server, wiring, with_reflection=True)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    descriptor = ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]
    channel: grpc.aio.Channel = open_channel(f"127.0.0.1:{port}", descriptor)
    try:
        yield LedgerServiceStub(channel)
    finally:
        await channel.close()
        await server.stop(None)
