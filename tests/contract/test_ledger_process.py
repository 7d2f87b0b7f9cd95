"""The ledger as it is deployed: `python -m ledger_svc`, told everything by its environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from tests.servers import ServiceDatabase, free_port
from tests.unit.ledger_svc.builders import CLEARING, SELLER, wire_account, wire_posting

_DEADLINE_S = 60


@contextmanager
def started(database: ServiceDatabase) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the service and wait until it serves; answer its process and address."""
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "LISTEN": address,
        "ENVIRONMENT": "development",
        "LEDGER_DATABASE_URL": database.app_url,
    }
    process = subprocess.Popen([sys.executable, "-m", "ledger_svc"], env={**os.environ, **settings})
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
                answer = ask(health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                assert time.monotonic() < deadline


def test_what_was_answered_survives_the_process(ledger_database: ServiceDatabase) -> None:
    """A posting that was answered stands after the process is killed and started again."""
    with started(ledger_database) as (process, address), grpc.insecure_channel(address) as channel:
        ledger = LedgerServiceStub(channel)
        ledger.OpenAccounts(
            service.OpenAccountsRequest(
                accounts=[
                    wire_account(CLEARING, noun.Account.ASSET),
                    wire_account(SELLER, noun.Account.LIABILITY),
                ]
            )
        )
        request = service.PostTransactionsRequest(postings=[wire_posting("charge:1")])
        (first,) = ledger.PostTransactions(request).results
        process.kill()

    with started(ledger_database) as (_, address), grpc.insecure_channel(address) as channel:
        (second,) = LedgerServiceStub(channel).PostTransactions(request).results

    assert second.replayed
    assert second.transaction == first.transaction


def test_sigterm_ends_the_service_cleanly(ledger_database: ServiceDatabase) -> None:
    """SIGTERM drains and exits 0."""
    with started(ledger_database) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(_DEADLINE_S) == 0


def test_a_missing_setting_is_named() -> None:
    """Without its database's URL the service does not start, and says what is missing."""
    environment = {k: v for k, v in os.environ.items() if k != "LEDGER_DATABASE_URL"}

    ended = subprocess.run(
        [sys.executable, "-m", "ledger_svc"],
        env={**environment, "LISTEN": "127.0.0.1:0"},
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2
    assert b"LEDGER_DATABASE_URL must be set" in ended.stderr
