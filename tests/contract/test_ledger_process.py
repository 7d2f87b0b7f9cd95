"""The ledger as it is deployed: `python -m ledger_svc`, told everything by its environment."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager

import grpc
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from tests.contract.service_process import DEADLINE_S, running
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import CLEARING, SELLER, wire_account, wire_posting


def started(
    database: ServiceDatabase,
) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", str]]:
    """Run the ledger until it serves; answer its process and address."""
    return running("ledger_svc", {"LEDGER_DATABASE_URL": database.app_url})


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

        assert process.wait(DEADLINE_S) == 0


def test_a_missing_setting_is_named() -> None:
    """Without its database's URL the service does not start, and says what is missing."""
    environment = {k: v for k, v in os.environ.items() if k != "LEDGER_DATABASE_URL"}

    ended = subprocess.run(
        [sys.executable, "-m", "ledger_svc"],
        env={**environment, "LISTEN": "127.0.0.1:0"},
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2
    assert b"LEDGER_DATABASE_URL must be set" in ended.stderr
