"""What a server with nothing behind it answers is as long as what the books answer."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import grpc
from google.protobuf.message import Message
from paymesh.ledger.v1 import ledger_pb2, posting_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from benchmarks.ledger import LedgerWorkload
from benchmarks.nothing_behind import build, ledger_answer, wallet_answer
from benchmarks.scenarios import Shape
from benchmarks.wallet import WalletWorkload
from benchmarks.workload import STAMP_PLACE, Answer, Workload
from chassis.database import Database
from chassis.server import add_wiring, make_server
from chassis.settings import Environment, ServerSettings
from tests.unit.ledger_svc.builders import served as served_ledger
from tests.unit.wallet_svc.builders import served as served_wallets

_SIZE = 50


async def test_canned_transactions_are_like_real_ones(ledger_db: Database) -> None:
    """The same fields, and as many bytes, but for sums of fewer digits."""
    request = ledger.PostTransactionsRequest.FromString(_request(LedgerWorkload()))
    ids = {entry.account_id for posting in request.postings for entry in posting.entries}
    accounts = [
        posting_pb2.NewAccount(account_id=id_, type=ledger_pb2.Account.LIABILITY, currency="USD")
        for id_ in ids
    ]
    async with served_ledger(ledger_db) as stub:
        await stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=accounts))
        real = await stub.PostTransactions(request)

    canned = await _asked(LedgerWorkload())

    assert canned == ledger_answer(_SIZE).SerializeToString()
    _assert_alike(ledger_answer(_SIZE), real)


async def test_canned_operations_are_like_real_ones(wallet_db: Database) -> None:
    """The same fields, and as many bytes, but for sums of fewer digits."""
    request = wallet.ApplyOperationsRequest.FromString(_request(WalletWorkload()))
    wallets = [
        wallet.NewWallet(wallet_id=id_, client_id="bench", owner="bench", currency="USD")
        for id_ in {operation.wallet_id for operation in request.operations}
    ]
    async with served_wallets(wallet_db) as stub:
        await stub.OpenWallets(wallet.OpenWalletsRequest(wallets=wallets))
        real = await stub.ApplyOperations(request)

    canned = await _asked(WalletWorkload())

    assert canned == wallet_answer(_SIZE).SerializeToString()
    _assert_alike(wallet_answer(_SIZE), real)


async def _asked(workload: Workload) -> bytes:
    """Ask by the load's own method; the load counts every transaction as written."""
    async with _served(workload.name) as channel:
        call: Any = channel.unary_unary(workload.method)
        answer: bytes = await call(_request(workload))
    assert workload.judge(workload.response(answer)) == Answer(_SIZE)
    return answer


@asynccontextmanager
async def _served(books: str) -> AsyncIterator[grpc.aio.Channel]:
    environment = Environment({"NOTHING_OF": books, "LISTEN": "127.0.0.1:0"})
    settings = ServerSettings.read(environment, "nothing_behind")
    server = make_server("nothing.paymesh", timeout_s=20, rpc_count_max=1000)
    async with AsyncExitStack() as stack:
        add_wiring(server, await build(settings, environment, stack), with_reflection=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel
        finally:
            await server.stop(None)


def _request(workload: Workload) -> bytes:
    made = workload.request(Shape.UNIFORM, _SIZE, Random(1))
    return made.replace(STAMP_PLACE.encode(), b"0000000a")


def _assert_alike(canned: Message, real: Message) -> None:
    assert set(_fields(canned)) == set(_fields(real))
    assert abs(canned.ByteSize() / real.ByteSize() - 1) < 0.05


def _fields(message: Message, path: str = "") -> Iterator[str]:
    """Walk every field that is set."""
    for field, value in message.ListFields():
        name = f"{path}.{field.name}"
        yield name
        for part in value if field.is_repeated else [value]:
            if isinstance(part, Message):
                yield from _fields(part, name)
