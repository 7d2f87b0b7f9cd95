"""The wallets in PostgreSQL do what the plain model does: the machine of the unit tests, again."""

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from chassis.database import Database
from tests.servers import PostgresServer
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.wallet_machine import WalletMachine
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore


class _Whole(WalletStore):
    """The store and the reader as one, as the machine asks them."""

    def __init__(self, database: Database, machine: WalletMachine) -> None:
        super().__init__(database, clock=machine.clock)
        reader = WalletReader(database)
        self.wallets, self.hold = reader.wallets, reader.hold


class InPostgres(WalletMachine):
    """Decides on what a fresh database holds."""

    postgres: PostgresServer

    def make_store(self) -> _Whole:
        """Make an empty database, and open it."""
        self.own = ExitStack()
        made = self.own.enter_context(self.postgres.own_database("wallet_svc"))
        self.database = Database(made.app_url, connections=2)
        self.run(self.database.open())
        return _Whole(self.database, self)

    def teardown(self) -> None:
        """Prove the database by arithmetic, and close it."""
        if hasattr(self, "database"):
            found = self.run(faults(self.database))
            self.run(self.database.close())
            self.own.close()
            assert found == {}
        super().teardown()


@pytest.fixture
def machine(postgres: PostgresServer) -> type[InPostgres]:
    """Make the machine on the run's server."""
    InPostgres.postgres = postgres
    return InPostgres


def test_wallets_in_postgres_are_the_models(machine: type[InPostgres]) -> None:
    """Any interleaving of batches, chains, holds, reversals, freezes, expiries and retries."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
