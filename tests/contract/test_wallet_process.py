"""The wallets as they are deployed: `python -m wallet_svc`, told all by their environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

from tests.servers import ServiceDatabase, free_port
from tests.unit.wallet_svc.builders import SELLER, wire_operation, wire_wallet

_DEADLINE_S = 30


@contextmanager
def started(database: ServiceDatabase) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the service and wait until it serves; answer its process and address."""
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "LISTEN": address,
        "ENVIRONMENT": "development",
        "WALLET_DATABASE_URL": database.app_url,
    }
    process = subprocess.Popen([sys.executable, "-m", "wallet_svc"], env={**os.environ, **settings})
    try:
        await_serving(address)
        yield process, address
    finally:
        process.kill()
        process.wait(_DEADLINE_S)


def await_serving(address: str) -> None:
    """Ask for the health until it is SERVING."""
    deadline = time.monotonic() + _DEADLINE_S
    with grpc.insecure_channel(address) as channel:
        ask = health_pb2_grpc.HealthStub(channel).Check
        while True:
            try:
                answer = ask(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                assert time.monotonic() < deadline


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


def test_sigterm_ends_the_service_cleanly(wallet_database: ServiceDatabase) -> None:
    """SIGTERM drains and exits 0."""
    with started(wallet_database) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(_DEADLINE_S) == 0


def test_a_missing_setting_is_named() -> None:
    """Without its database's URL the service does not start, and says what is missing."""
    environment = {k: v for k, v in os.environ.items() if k != "WALLET_DATABASE_URL"}

    ended = subprocess.run(
        [sys.executable, "-m", "wallet_svc"],
        env={**environment, "LISTEN": "127.0.0.1:0"},
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2
    assert b"WALLET_DATABASE_URL must be set" in ended.stderr
