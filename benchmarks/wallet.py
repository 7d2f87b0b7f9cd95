"""Operations per second of the wallets, beside crediting row by row: `make bench ONLY=wallet`."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, LiteralString

import grpc
import psycopg
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as wire
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

from benchmarks.books import measure
from benchmarks.results import Measure
from benchmarks.row_at_a_time import wallet_sql
from benchmarks.scenarios import Shape
from benchmarks.workload import ACCOUNTS, OPENED_AT_ONCE, STAMP_PLACE, Answer, Stored
from devstack.services import SERVICES, Service

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceAsyncStub

    WalletStub = WalletServiceAsyncStub
else:
    WalletStub = WalletServiceStub

_PLATFORM = "platform:bench:USD"
_AMOUNT = "10.99"
_READ_S = 150.0

_HISTORY = """
SELECT coalesce(sum(operations), 0)::bigint, count(*) FILTER (WHERE newest <> operations)
FROM (
    SELECT count(*) AS operations, max(wallet_sequence) AS newest FROM operations GROUP BY wallet_id
) AS histories
"""
# pgbench takes a colon and a letter for a variable, in a text too.
_SPELT_PLATFORM = "'" + _PLATFORM.replace(":", ":' || '") + "'"
_BARE = """
\\set wallet random(0, {last})
SELECT * FROM credit_row(
    'order:' || nextval('bare_numbers') || ':' || 'credit',
    {wallet}, {amount}::numeric, 'USD', 'pay_bench');
"""


class WalletWorkload:
    """Credits: of any wallet, or all of the platform's."""

    name = "wallet"
    service: Service = next(s for s in SERVICES if s.context == "wallet")
    method = "/paymesh.wallet.v1.WalletService/ApplyOperations"
    response: Callable[[bytes], Any] = wire.ApplyOperationsResponse.FromString
    row_schema: Sequence[LiteralString] = wallet_sql.SCHEMA

    def bare_script(self, shape: Shape) -> str:
        """Write pgbench's script: one call of the baseline's function."""
        seller = "'seller:' || 'bench:' || lpad(:wallet::text, 5, '0')"
        wallet = _SPELT_PLATFORM if shape is Shape.HOT else seller
        return _BARE.format(last=ACCOUNTS - 1, wallet=wallet, amount=_AMOUNT)

    def request(self, shape: Shape, size: int, choose: Random) -> bytes:
        """Make a request of `size` credits."""
        return wire.ApplyOperationsRequest(
            operations=[_credit(shape, number, choose) for number in range(size)]
        ).SerializeToString()

    def judge(self, response: wire.ApplyOperationsResponse) -> Answer:
        """Tell what a request came to."""
        results = response.results
        written = sum(1 for r in results if r.HasField("operation") and not r.replayed)
        if written == len(results):
            return Answer(written)
        refusals = [r.refusal.reason for r in results if r.HasField("refusal")]
        return Answer(written, [*refusals, *("REPLAYED" for r in results if r.replayed)])

    async def open(self, channel: grpc.aio.Channel) -> None:
        """Open the sellers' wallets and the platform's."""
        await _wallets(channel)

    async def stored(self, channel: grpc.aio.Channel, database_url: str) -> Stored:
        """Read all wallets: how many operations they had, and whether each added its amount.

        The service lists operations by the page; SQL counts them.
        """
        wallets = await _wallets(channel)
        faults = [
            f"{wallet.wallet_id} holds {wallet.pending} after {wallet.operation_count} credits"
            for wallet in wallets
            if Decimal(wallet.pending) != wallet.operation_count * Decimal(_AMOUNT)
        ]
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            ((stored, broken),) = await (await connection.execute(_HISTORY)).fetchall()
        counted = sum(wallet.operation_count for wallet in wallets)
        if counted != stored:
            faults.append(f"wallets count {counted:,} operations, {stored:,} are stored")
        if broken:
            faults.append(f"{broken:,} wallets have gaps in their histories")
        return Stored(stored, faults)


def _credit(shape: Shape, number: int, choose: Random) -> wire.NewOperation:
    return wire.NewOperation(
        operation_id=f"order:{STAMP_PLACE}{number:04d}:credit",
        wallet_id=_PLATFORM if shape is Shape.HOT else _seller(choose.randrange(ACCOUNTS)),
        kind=noun.Operation.CREDIT,
        amount=_AMOUNT,
        currency="USD",
        subject_id="pay_bench",
    )


def _seller(number: int) -> str:
    return f"seller:bench:{number:05d}"


async def _wallets(channel: grpc.aio.Channel) -> list[noun.Wallet]:
    """Open all wallets; those that are there answer as they are. The platform's is the first."""
    wanted = [
        wire.NewWallet(wallet_id=wallet_id, client_id="bench", owner="bench", currency="USD")
        for wallet_id in (_PLATFORM, *map(_seller, range(ACCOUNTS)))
    ]
    wallets: list[noun.Wallet] = []
    for first in range(0, len(wanted), OPENED_AT_ONCE):
        part = wire.OpenWalletsRequest(wallets=wanted[first : first + OPENED_AT_ONCE])
        answer = await WalletStub(channel).OpenWallets(part, timeout=_READ_S)
        wallets += [result.wallet for result in answer.results]
    return wallets


def run() -> list[Measure]:
    """Measure the wallets on a PostgreSQL of their own."""
    return measure(WalletWorkload())
