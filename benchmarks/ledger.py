"""Transactions per second of the ledger, beside posting row by row: `make bench ONLY=ledger`."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, LiteralString

import grpc
import psycopg
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as wire
from paymesh.ledger.v1 import posting_pb2
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from benchmarks.books import measure
from benchmarks.results import Measure
from benchmarks.row_at_a_time import ledger_sql
from benchmarks.scenarios import Shape
from benchmarks.workload import ACCOUNTS, OPENED_AT_ONCE, STAMP_PLACE, Answer, Stored
from devstack.services import SERVICES, Service

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

    LedgerStub = LedgerServiceAsyncStub
else:
    LedgerStub = LedgerServiceStub

PLATFORM = "psp:bench:USD"
_AMOUNT = "10.99"
_READ_S = 150.0

# pgbench takes a colon and a letter for a variable, in a text too.
_SPELT_PLATFORM = "'" + PLATFORM.replace(":", ":' || '") + "'"
_BARE = """
\\set debit random(0, {last})
\\set credit (:debit + random(1, {last})) % {accounts}
SELECT * FROM post_row(
    'charge:' || nextval('bare_numbers') || ':' || 'captured',
    'Captured', 'pay_bench', {debit}, 'seller:' || 'bench:' || lpad(:credit::text, 5, '0'),
    {amount}::numeric, 'USD');
"""


class LedgerWorkload:
    """Postings of two entries: of two sellers, or of the platform's account and a seller."""

    name = "ledger"
    service: Service = next(s for s in SERVICES if s.context == "ledger")
    method = "/paymesh.ledger.v1.LedgerService/PostTransactions"
    response: Callable[[bytes], Any] = wire.PostTransactionsResponse.FromString
    row_schema: Sequence[LiteralString] = ledger_sql.SCHEMA

    def bare_script(self, shape: Shape) -> str:
        """Write pgbench's script: one call of the baseline's function."""
        seller = "'seller:' || 'bench:' || lpad(:debit::text, 5, '0')"
        debit = _SPELT_PLATFORM if shape is Shape.HOT else seller
        return _BARE.format(last=ACCOUNTS - 1, accounts=ACCOUNTS, debit=debit, amount=_AMOUNT)

    def request(self, shape: Shape, size: int, choose: Random) -> bytes:
        """Make a request of `size` postings."""
        return wire.PostTransactionsRequest(
            postings=[_posting(shape, number, choose) for number in range(size)]
        ).SerializeToString()

    def judge(self, response: wire.PostTransactionsResponse) -> Answer:
        """Tell what a request came to."""
        results = response.results
        written = sum(1 for r in results if r.HasField("transaction") and not r.replayed)
        if written == len(results):
            return Answer(written)
        refusals = [r.refusal.reason for r in results if r.HasField("refusal")]
        return Answer(written, [*refusals, *("REPLAYED" for r in results if r.replayed)])

    async def open(self, channel: grpc.aio.Channel) -> None:
        """Open the sellers' accounts and the platform's."""
        await _accounts(channel)

    async def stored(self, channel: grpc.aio.Channel, database_url: str) -> Stored:
        """Ask for the trial balance, and whether the accounts agree with it."""
        answer = await LedgerStub(channel).GetTrialBalance(
            wire.GetTrialBalanceRequest(), timeout=_READ_S
        )
        faults = [
            f"the trial balance of {line.currency} is off by {line.difference}"
            for line in answer.lines
            if Decimal(line.difference) != 0
        ]
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            (row,) = await (
                await connection.execute("SELECT count(*) FROM transactions")
            ).fetchall()
        transactions = int(row[0])
        accounts = await _accounts(channel)
        entries = sum(account.entry_count for account in accounts)
        if entries != 2 * transactions:
            faults.append(f"{transactions:,} transactions, but accounts count {entries:,} entries")
        balances = {
            sign: sum(Decimal(a.balance) for a in accounts if (a.account_id == PLATFORM) == sign)
            for sign in (True, False)
        }
        if balances[True] != balances[False]:  # an asset against liabilities
            faults.append(f"the platform's balance is {balances[True]}, not {balances[False]}")
        return Stored(transactions, faults)


def _posting(shape: Shape, number: int, choose: Random) -> posting_pb2.Posting:
    debit, credit = choose.sample(range(ACCOUNTS), 2)
    sides = (
        (PLATFORM if shape is Shape.HOT else seller(debit), noun.SIDE_DEBIT),
        (seller(credit), noun.SIDE_CREDIT),
    )
    return posting_pb2.Posting(
        reference=f"charge:{STAMP_PLACE}{number:04d}:captured",
        entries=[
            noun.NewEntry(account_id=account, side=side, amount=_AMOUNT, currency="USD")
            for account, side in sides
        ],
        description="Captured",
        subject_id="pay_bench",
    )


def seller(number: int) -> str:
    """Name an account."""
    return f"seller:bench:{number:05d}"


async def _accounts(channel: grpc.aio.Channel) -> list[noun.Account]:
    """Open all accounts; those that are there answer as they are."""
    sellers = [
        posting_pb2.NewAccount(account_id=seller(n), type=noun.Account.LIABILITY, currency="USD")
        for n in range(ACCOUNTS)
    ]
    platform = posting_pb2.NewAccount(account_id=PLATFORM, type=noun.Account.ASSET, currency="USD")
    wanted, accounts = [platform, *sellers], []
    for first in range(0, len(wanted), OPENED_AT_ONCE):
        part = wire.OpenAccountsRequest(accounts=wanted[first : first + OPENED_AT_ONCE])
        answer = await LedgerStub(channel).OpenAccounts(part, timeout=_READ_S)
        accounts += [result.account for result in answer.results]
    return accounts


def run() -> list[Measure]:
    """Measure the ledger on a PostgreSQL of its own."""
    return measure(LedgerWorkload())
