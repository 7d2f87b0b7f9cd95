"""Wallets compared with a real ledger, both on real PostgreSQL and real gRPC."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import LiteralString

import grpc
import psycopg
import pytest
from paymesh.ledger.v1 import ledger_pb2 as ledger_noun
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import comparison_pb2 as comparing
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.telemetry import REGISTRY
from tests.contract.test_wallet_service import apply, facts
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc import builders as books
from tests.unit.wallet_svc.builders import (
    OTHER,
    SELLER,
    WalletStub,
    served,
    wire_operation,
    wire_wallet,
)
from wallet_svc.jobs import ledger_comparison
from wallet_svc.ledger_books import LedgerBooks
from wallet_svc.metrics import WALLET_DIFFERENCES, WALLETS_COMPARED_AT
from wallet_svc.ports import AccountPage
from wallet_svc.reader import WalletReader

BANK = "psp:bank:USD"


@pytest.fixture
async def ledger_stub(ledger_db: Database) -> AsyncIterator[books.LedgerStub]:
    """Serve a ledger with the sellers' accounts, and one that they are paid from."""
    async with books.served(ledger_db) as stub:
        accounts = [
            books.wire_account(BANK, ledger_noun.Account.ASSET),
            books.wire_account(SELLER, ledger_noun.Account.LIABILITY),
            books.wire_account(OTHER, ledger_noun.Account.LIABILITY),
        ]
        await stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=accounts))
        yield stub


@pytest.fixture
async def wallets(wallet_db: Database, ledger_stub: books.LedgerStub) -> AsyncIterator[WalletStub]:
    """Serve two wallets that know the ledger."""
    async with served(wallet_db, books=LedgerBooks(ledger_stub)) as stub:
        asked = [wire_wallet(SELLER), wire_wallet(OTHER, owner="seller_789")]
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=asked))
        yield stub


async def book(stub: books.LedgerStub, reference: str, amount: str, subject_id: str) -> None:
    """Book what a seller is credited."""
    posting = books.wire_posting(
        reference, amount, debit=BANK, credit=SELLER, subject_id=subject_id
    )
    answer = await stub.PostTransactions(ledger.PostTransactionsRequest(postings=[posting]))
    assert answer.results[0].HasField("transaction")


async def compare(
    wallets: WalletStub, prefix: str = ""
) -> tuple[list[comparing.WalletDifference], comparing.Comparison]:
    """Compare to the end; answer the differences and the last message."""
    request = service.CompareWithLedgerRequest(prefix=prefix)
    told = [one async for one in wallets.CompareWithLedger(request)]
    assert told[-1].comparison.is_done
    return [one.difference for one in told if one.HasField("difference")], told[-1].comparison


async def test_wallets_that_agree_are_counted(
    wallets: WalletStub, ledger_stub: books.LedgerStub
) -> None:
    """What is pending, available and held is what the account has."""
    await apply(
        wallets,
        wire_operation("c:1", "5.00"),
        wire_operation("s:1", "3.00", kind=noun.Operation.SETTLE),
        wire_operation("h:1", "1.00", kind=noun.Operation.HOLD),
    )
    await book(ledger_stub, "r:1", "5.00", "pay_1")

    differences, comparison = await compare(wallets)

    assert differences == []
    assert (comparison.wallet_count, comparison.difference_count) == (2, 0)
    assert (await compare(wallets, "none"))[1].wallet_count == 0


async def test_a_difference_names_the_object(
    wallets: WalletStub,
    ledger_stub: books.LedgerStub,
    wallet_database: ServiceDatabase,
) -> None:
    """In flight while it is young; an hour later it stands."""
    await apply(
        wallets,
        wire_operation("c:1", "5.00", subject_id="pay_1"),
        wire_operation("c:2", "7.00", subject_id="pay_2"),
    )
    await book(ledger_stub, "r:1", "5.00", "pay_1")
    await book(ledger_stub, "r:2", "6.50", "pay_2")

    (young,), _ = await compare(wallets)
    await book(ledger_stub, "r:2:reversal-by-hand", "0.50", "pay_2")
    agreed, _ = await compare(wallets)
    await apply(wallets, wire_operation("c:3", "1.00", subject_id="pay_3", wallet_id=OTHER))
    with psycopg.connect(wallet_database.owner_url) as owner:
        owner.execute("UPDATE operations SET created_at = created_at - interval '1 hour'")
    (old,), comparison = await compare(wallets)

    assert (young.wallet_id, young.currency) == (SELLER, "USD")
    assert (young.wallet_total, young.ledger_balance, young.difference) == (
        "12.00",
        "11.50",
        "0.50",
    )
    assert young.verdict == comparing.WalletDifference.IN_FLIGHT
    (subject,) = young.subjects
    assert (subject.subject_id, subject.wallet_sum, subject.ledger_sum) == ("pay_2", "7.00", "6.50")
    assert agreed == []
    assert (old.wallet_id, old.ledger_balance) == (OTHER, "0.00")
    assert old.verdict == comparing.WalletDifference.DIFFERENCE
    assert (comparison.difference_count, comparison.unexplained_count) == (1, 1)


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("UPDATE wallets SET available = available + 5 WHERE held > 0", "5.00"),
        ("UPDATE wallets SET available = available + 1, held = held - 1 WHERE held > 0", "0.00"),
        ("UPDATE wallets SET pending = pending - 1, available = 2 WHERE held > 0", "0.00"),
        (
            "UPDATE wallets SET operation_count = operation_count - 1 WHERE held > 0",
            "0.00",
        ),
        (
            "UPDATE holds SET open_amount = 0.50, captured_amount = 0.50",
            "0.00",
        ),
    ],
)
async def test_a_wallet_that_no_operation_made_is_told_at_once(
    wallets: WalletStub,
    ledger_stub: books.LedgerStub,
    wallet_database: ServiceDatabase,
    statement: LiteralString,
    difference: str,
) -> None:
    """Though its totals may agree, and though something was just done with it."""
    await apply(
        wallets,
        wire_operation("c:1", "5.00", subject_id="pay_1"),
        wire_operation("s:1", "2.00", kind=noun.Operation.SETTLE, subject_id="pay_1"),
        wire_operation("h:1", "1.00", kind=noun.Operation.HOLD, subject_id="pay_1"),
    )
    await book(ledger_stub, "r:1", "5.00", "pay_1")
    assert (await compare(wallets))[0] == []
    with psycopg.connect(wallet_database.owner_url) as owner:
        assert owner.execute(statement).rowcount == 1

    (found,), comparison = await compare(wallets)

    assert (found.difference, list(found.subjects)) == (difference, [])
    assert (found.verdict, found.is_unfounded) == (comparing.WalletDifference.DIFFERENCE, True)
    assert (comparison.difference_count, comparison.unexplained_count) == (1, 1)


async def test_a_sellers_account_without_a_wallet_is_told(
    wallets: WalletStub, ledger_stub: books.LedgerStub
) -> None:
    """In flight while it is young: its wallet may be on its way."""
    stranger = "seller:demo:stranger:USD"
    account = books.wire_account(stranger, ledger_noun.Account.LIABILITY)
    await ledger_stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=[account]))
    assert (await compare(wallets))[0] == []
    posting = books.wire_posting("r:1", "5.00", debit=BANK, credit=stranger, subject_id="pay_1")
    await ledger_stub.PostTransactions(ledger.PostTransactionsRequest(postings=[posting]))

    (found,), comparison = await compare(wallets)

    assert (found.wallet_id, found.has_no_wallet, found.currency) == (stranger, True, "USD")
    assert (found.wallet_total, found.difference) == ("0.00", "-5.00")
    assert found.verdict == comparing.WalletDifference.IN_FLIGHT
    assert found.HasField("compared_from")
    assert (comparison.wallet_count, comparison.account_count) == (2, 3)


async def test_without_a_ledger_nothing_is_compared(wallet_db: Database) -> None:
    """FAILED_PRECONDITION, with the reason."""
    async with served(wallet_db) as alone:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await compare(alone)

    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert facts(error.value).reason == "LEDGER_NOT_CONFIGURED"


def differing() -> float | None:
    """Read the gauge."""
    return REGISTRY.get_sample_value("paymesh_wallet_differences", {"verdict": "DIFFERENCE"})


def compared_at() -> float | None:
    """Read when a comparison last came to its end."""
    return REGISTRY.get_sample_value("paymesh_wallet_comparison_last_success_timestamp")


async def test_the_job_tells_prometheus(
    wallets: WalletStub, wallet_db: Database, ledger_stub: books.LedgerStub
) -> None:
    """How many differ, by verdict, as of the newest comparison, and when it came to its end."""
    await apply(wallets, wire_operation("c:1", "5.00"))
    stopping = asyncio.Event()
    reader, ledger_books = WalletReader(wallet_db), LedgerBooks(ledger_stub)
    later = utc_now() + timedelta(hours=1)
    job = ledger_comparison(reader, ledger_books, lambda: later, every_s=0.01)
    WALLET_DIFFERENCES.labels("DIFFERENCE").set(-1)
    WALLETS_COMPARED_AT.set(0)
    running = asyncio.create_task(job(stopping))
    async with asyncio.timeout(60):
        while compared_at() == 0:
            await asyncio.sleep(0.01)
        assert (differing(), compared_at()) == (1, later.timestamp())
        await book(ledger_stub, "r:1", "5.00", "pay_1")
        while differing() != 0:
            await asyncio.sleep(0.01)
    stopping.set()
    await running


async def test_a_comparison_that_does_not_end_is_seen(
    wallet_db: Database, ledger_stub: books.LedgerStub
) -> None:
    """The time of the last whole one stays what it was, while its job goes on trying."""
    tried, stopping = asyncio.Event(), asyncio.Event()

    class Down(LedgerBooks):
        async def accounts_from(self, prefix: str, token: str) -> AccountPage:
            tried.set()
            raise Unavailable("The ledger does not answer.")

    WALLETS_COMPARED_AT.set(7)
    job = ledger_comparison(WalletReader(wallet_db), Down(ledger_stub), utc_now, every_s=0.01)
    running = asyncio.create_task(job(stopping))
    async with asyncio.timeout(60):
        for _ in range(2):  # the second try tells that the first is over
            await tried.wait()
            tried.clear()
    stopping.set()
    await running

    assert compared_at() == 7
