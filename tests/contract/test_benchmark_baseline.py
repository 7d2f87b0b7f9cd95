"""The baseline that the books are measured against keeps what it promises, or it would be no
baseline.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from paymesh.ledger.v1 import ledger_pb2, posting_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from benchmarks import postgres_figures
from benchmarks.ledger import LedgerWorkload
from benchmarks.postgres_figures import NotDurable
from benchmarks.row_at_a_time.ledger_rows import LedgerRows
from benchmarks.row_at_a_time.wallet_rows import WalletRows
from benchmarks.scenarios import Shape
from benchmarks.wallet import WalletWorkload
from chassis.database import Database
from tests.servers import PostgresServer

BY_FUNCTION = pytest.mark.parametrize("by_function", [True, False], ids=["function", "statements"])
SELLERS = [f"seller:{number}" for number in range(4)]


@pytest.fixture
async def ledger_rows_url(postgres: PostgresServer) -> str:
    """A fresh database with the baseline ledger's tables."""
    return await _made(postgres, LedgerWorkload.row_schema)


@pytest.fixture
async def wallet_rows_url(postgres: PostgresServer) -> str:
    """A fresh database with the baseline wallets' tables."""
    return await _made(postgres, WalletWorkload.row_schema)


async def _made(postgres: PostgresServer, schema: Any) -> str:
    name = f"rows_{uuid4().hex}"
    return await postgres_figures.make_database(postgres.url("postgres"), name, schema)


async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.open()
    yield database
    await database.close()


def _posting(reference: str, debit: str, credit: str, amount: str) -> posting_pb2.Posting:
    sides = ((debit, ledger_pb2.SIDE_DEBIT), (credit, ledger_pb2.SIDE_CREDIT))
    entries = [
        ledger_pb2.NewEntry(account_id=account, side=side, amount=amount, currency="USD")
        for account, side in sides
    ]
    return posting_pb2.Posting(reference=reference, entries=entries)


@BY_FUNCTION
async def test_postings_at_once_keep_balances_and_sequences(
    ledger_rows_url: str, *, by_function: bool
) -> None:
    """Whatever runs at once, each account's entries are numbered and summed without a gap."""
    async for database in _opened(ledger_rows_url):
        rows: Any = LedgerRows(database, by_function=by_function)
        liability = ledger_pb2.Account.LIABILITY
        opened = [
            posting_pb2.NewAccount(account_id=id_, type=liability, currency="USD")
            for id_ in SELLERS
        ]
        await rows.OpenAccounts(ledger.OpenAccountsRequest(accounts=opened), None)
        asked = [
            _posting(f"charge:{n}", SELLERS[n % 4], SELLERS[(n + 1 + n % 3) % 4], f"{n}.25")
            for n in range(1, 61)
        ]

        answers = await asyncio.gather(
            *(
                rows.PostTransactions(ledger.PostTransactionsRequest(postings=[posting]), None)
                for posting in asked
            )
        )
        again = await rows.PostTransactions(
            ledger.PostTransactionsRequest(postings=asked[:1]), None
        )

        assert again.results[0].replayed
        entries = [e for a in answers for e in a.results[0].transaction.entries]
        for seller in SELLERS:
            balance = Decimal(0)
            history = sorted(
                (entry for entry in entries if entry.account_id == seller),
                key=lambda entry: entry.account_sequence,
            )
            for sequence, entry in enumerate(history, start=1):
                sign = 1 if entry.side == ledger_pb2.SIDE_CREDIT else -1
                balance += sign * Decimal(entry.amount)
                assert entry.account_sequence == sequence
                assert Decimal(entry.balance_after) == balance
        (line,) = (await rows.GetTrialBalance(ledger.GetTrialBalanceRequest(), None)).lines
        assert Decimal(line.difference) == 0


@BY_FUNCTION
async def test_credits_at_once_keep_balances_and_sequences(
    wallet_rows_url: str, *, by_function: bool
) -> None:
    """Whatever runs at once, a wallet's operations are numbered and summed without a gap."""
    async for database in _opened(wallet_rows_url):
        rows: Any = WalletRows(database, by_function=by_function)
        opened = [wallet.NewWallet(wallet_id=SELLERS[0], currency="USD")]
        await rows.OpenWallets(wallet.OpenWalletsRequest(wallets=opened), None)
        asked = [
            wallet.NewOperation(
                operation_id=f"order:{n}", wallet_id=SELLERS[0], amount="0.25", currency="USD"
            )
            for n in range(40)
        ]

        answers = await asyncio.gather(
            *(
                rows.ApplyOperations(wallet.ApplyOperationsRequest(operations=[operation]), None)
                for operation in asked
            )
        )
        again = await rows.ApplyOperations(
            wallet.ApplyOperationsRequest(operations=asked[:1]), None
        )

        assert again.results[0].replayed
        operations = [answer.results[0].operation for answer in answers]
        assert sorted(operation.wallet_sequence for operation in operations) == list(range(1, 41))
        assert all(
            Decimal(o.pending_after) == o.wallet_sequence * Decimal("0.25") for o in operations
        )


@pytest.mark.parametrize("shape", list(Shape))
async def test_the_scripts_of_pgbench_run(
    ledger_rows_url: str, wallet_rows_url: str, shape: Shape
) -> None:
    """By pgbench too: it calls the same functions, and each of its transactions is stored."""
    where = (
        (
            LedgerWorkload(),
            ledger_rows_url,
            "accounts (account_id, type, currency)",
            "transactions",
        ),
        (WalletWorkload(), wallet_rows_url, "wallets (wallet_id, currency)", "operations"),
    )
    for workload, url, accounts, table in where:
        kind = "'LIABILITY', " if workload.name == "ledger" else ""
        fill = f"""
            INSERT INTO {accounts} SELECT id, {kind} 'USD' FROM (
                SELECT 'seller:bench:' || lpad(n::text, 5, '0') FROM generate_series(0, 9999) n
                UNION SELECT unnest(ARRAY['psp:bench:USD', 'platform:bench:USD'])
            ) AS accounts (id)
        """
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(fill)  # type: ignore[arg-type]

        tally = await postgres_figures.pgbench(
            url, workload.bare_script(shape), clients=4, seconds=1
        )

        async with await psycopg.AsyncConnection.connect(url) as connection:
            count = await connection.execute(f"SELECT count(*) FROM {table}")  # type: ignore[arg-type]
            assert await count.fetchone() == (tally.done,)
        assert tally.done > 0


async def test_a_database_that_could_lose_something_is_not_measured(
    postgres: PostgresServer,
) -> None:
    """The tests' PostgreSQL runs without fsync; no figure is made of such a one."""
    with pytest.raises(NotDurable, match="fsync=off"):
        await postgres_figures.settings(postgres.url("postgres"))
