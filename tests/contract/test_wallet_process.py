"""The wallets as they are deployed: `python -m wallet_svc`, told all by their environment."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

from chassis.database import Database
from tests.contract.service_process import DEADLINE_S, running
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import OTHER, SELLER, wire_operation, wire_wallet

_KILL_AFTER = 1_000  # operations that were answered
_HALF_CHAINS = """
SELECT left(operation_id, -4) AS pair FROM operations
GROUP BY left(operation_id, -4) HAVING count(*) <> 2
"""


def started(
    database: ServiceDatabase, **more: str
) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", str]]:
    """Run the wallets until they serve; answer their process and address."""
    return running("wallet_svc", {"WALLET_DATABASE_URL": database.app_url, **more})


def test_what_was_answered_survives_the_process(wallet_database: ServiceDatabase) -> None:
    """An operation that was answered stands after the process is killed and started again."""
    with started(wallet_database) as (process, address), grpc.insecure_channel(address) as channel:
        wallets = WalletServiceStub(channel)
        wallets.OpenWallets(service.OpenWalletsRequest(wallets=[wire_wallet(SELLER)]))
        request = service.ApplyOperationsRequest(operations=[wire_operation("c:1")])
        (first,) = wallets.ApplyOperations(request).results
        process.kill()

    with started(wallet_database) as (_, address), grpc.insecure_channel(address) as channel:
        (second,) = WalletServiceStub(channel).ApplyOperations(request).results

    assert second.replayed
    assert second.operation == first.operation


async def test_a_kill_in_mid_batch_loses_nothing_and_leaves_no_half(
    wallet_database: ServiceDatabase, wallet_db: Database
) -> None:
    """What was acknowledged is there as it was told; of the rest each chain is whole or absent, and
    asking again completes it.
    """
    told: dict[str, noun.Operation] = {}
    asked: list[service.ApplyOperationsRequest] = []
    with started(wallet_database) as (process, address):
        with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(8) as threads:
            wallets = WalletServiceStub(channel)
            opening = [wire_wallet(SELLER), wire_wallet(OTHER)]
            wallets.OpenWallets(service.OpenWalletsRequest(wallets=opening))
            callers = [threads.submit(insist, wallets, n, told, asked) for n in range(8)]
            deadline = time.monotonic() + DEADLINE_S
            while len(told) < _KILL_AFTER and time.monotonic() < deadline:
                await asyncio.sleep(0.001)
            process.kill()
            broken = [caller.result(DEADLINE_S) for caller in callers]
    halves = await wallet_db.read(_HALF_CHAINS)
    wrong = await faults(wallet_db)

    with started(wallet_database) as (_, address), grpc.insecure_channel(address) as channel:
        again = [
            result
            for request in asked
            for result in WalletServiceStub(channel).ApplyOperations(request).results
        ]

    assert all(broken), "the kill came too late"
    assert len(told) >= _KILL_AFTER
    assert (halves, wrong) == ([], {})
    repeated = {result.operation.operation_id: result for result in again}
    assert all(repeated[name].replayed for name in told)
    assert all(repeated[name].operation == operation for name, operation in told.items())
    assert all(result.HasField("operation") for result in again)
    assert await faults(wallet_db) == {}


def insist(
    wallets: WalletServiceStub,
    caller: int,
    told: dict[str, noun.Operation],
    asked: list[service.ApplyOperationsRequest],
) -> bool:
    """Send batches of linked pairs until one is not answered; keep what was."""
    for turn in range(10_000):
        pairs = (
            (f"{caller}:{turn}:{n}:one", f"{caller}:{turn}:{n}:two") for n in range(1 + turn % 30)
        )
        request = service.ApplyOperationsRequest(
            operations=[
                wire_operation(name, "1.00", wallet_id=wallet_id, linked=linked)
                for one, two in pairs
                for name, wallet_id, linked in ((one, SELLER, True), (two, OTHER, False))
            ]
        )
        asked.append(request)
        try:
            answer = wallets.ApplyOperations(request, timeout=DEADLINE_S)
        except grpc.RpcError:
            return True
        told.update((r.operation.operation_id, r.operation) for r in answer.results)
    return False


def test_holds_expire_by_themselves(wallet_database: ServiceDatabase) -> None:
    """The service ends a hold that had its time; nobody needs to ask."""
    ends = Timestamp()
    with started(wallet_database) as (_, address), grpc.insecure_channel(address) as channel:
        wallets = WalletServiceStub(channel)
        opening = [wire_wallet(SELLER, credit_limit="5.00")]
        wallets.OpenWallets(service.OpenWalletsRequest(wallets=opening))
        ends.FromDatetime(datetime.now(UTC) + timedelta(seconds=2))
        held = wire_operation("h:1", "5.00", kind=noun.Operation.HOLD, expires_at=ends)
        wallets.ApplyOperations(service.ApplyOperationsRequest(operations=[held]))

        watch = wallets.WatchWallet(
            service.WatchWalletRequest(wallet_id=SELLER, after_version=2), timeout=DEADLINE_S
        )
        after = next(iter(watch)).wallet
        hold = wallets.GetHold(service.GetHoldRequest(hold_id="h:1")).hold

    assert (after.version, after.held, after.available) == (3, "0.00", "0.00")
    assert hold.status == noun.Hold.EXPIRED


def test_sigterm_ends_the_service_cleanly(wallet_database: ServiceDatabase) -> None:
    """SIGTERM drains and exits 0."""
    with started(wallet_database) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(DEADLINE_S) == 0


def test_a_missing_setting_is_named() -> None:
    """Without its database's URL the service does not start, and says what is missing."""
    environment = {k: v for k, v in os.environ.items() if k != "WALLET_DATABASE_URL"}

    ended = subprocess.run(
        [sys.executable, "-m", "wallet_svc"],
        env={**environment, "LISTEN": "127.0.0.1:0"},
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2
    assert b"WALLET_DATABASE_URL must be set" in ended.stderr


async def test_who_watches_leaves_room_for_who_moves_money(
    wallet_database: ServiceDatabase,
) -> None:
    """Half of the requests that are taken at once may watch; one more is refused, and an operation
    is applied.
    """
    with started(wallet_database, RPC_COUNT_MAX="8") as (_, address):
        async with grpc.aio.insecure_channel(address) as channel:
            wallets = WalletServiceStub(channel)
            await wallets.OpenWallets(service.OpenWalletsRequest(wallets=[wire_wallet(SELLER)]))
            request = service.WatchWalletRequest(wallet_id=SELLER)
            watchers = [wallets.WatchWallet(request, timeout=DEADLINE_S) for _ in range(4)]
            for watcher in watchers:
                await watcher.read()
            more = [wallets.WatchWallet(request, timeout=DEADLINE_S) for _ in range(4)]
            for refused in more:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await refused.read()
                assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert error.value.details() == "Too many watch here; try again soon."
            asked = service.ApplyOperationsRequest(operations=[wire_operation("c:1")])
            answer = await wallets.ApplyOperations(asked, timeout=DEADLINE_S)
            for watcher in watchers:
                watcher.cancel()

    assert answer.results[0].HasField("operation")
