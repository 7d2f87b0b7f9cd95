"""The ledger's database: append-only by privilege, and the schema that the code believes in."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from chassis.database import Database, upgrade
from ledger_svc.store import LedgerStore
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.ledger_svc.builders import open_two, posting

ROOT = Path(__file__).resolve().parents[2]
_NEWEST = max(path.name for path in (ROOT / "ledger_svc/migrations").glob("0*.py"))[:4]
_HISTORY = ["account_changes", "claims", "transactions", "entries", "pending_lines", "seals"]
_HISTORY += ["checkpoints", "checkpoint_balances"]


@pytest.mark.parametrize("table", _HISTORY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_cannot_be_changed(
    ledger_database: ServiceDatabase, table: str, statement: str
) -> None:
    """The app role is refused every way of changing or deleting what was written."""
    with psycopg.connect(ledger_database.app_url) as app:
        described = app.execute(f"SELECT * FROM {table}").description
        assert described is not None
        column = described[0].name

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.format(table, column, column))


def test_accounts_cannot_be_deleted(ledger_database: ServiceDatabase) -> None:
    """The app role may change an account, and is refused to delete it."""
    with psycopg.connect(ledger_database.app_url) as app:
        app.execute("UPDATE accounts SET balance = balance")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM accounts")


def test_ids_are_sorted_by_byte(ledger_database: ServiceDatabase) -> None:
    """Whatever the database's language: a list by prefix is a range of the index."""
    with psycopg.connect(ledger_database.owner_url) as owner:
        found = owner.execute(
            "SELECT a.attcollation = '\"C\"'::regcollation FROM pg_attribute a"
            " WHERE a.attrelid = 'accounts'::regclass AND a.attname = 'account_id'"
        ).fetchall()
    assert found == [(True,)]


def test_what_is_pending_has_its_place_after_an_upgrade(
    postgres: PostgresServer, ledger_database: ServiceDatabase
) -> None:
    """Its claim tells the transaction that its row did not know."""
    name = f"old_{ledger_database.name}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER ledger_svc_owner")  # type: ignore[arg-type]
    url = postgres.url(name, "ledger_svc_owner")
    config = Config()
    config.set_main_option("script_location", str(ROOT / "chassis/migrations"))
    config.set_main_option("version_locations", str(ROOT / "ledger_svc/migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"owner_url": url, "app_role": "ledger_svc_app"}
    command.upgrade(config, "0006")
    transaction_id = uuid4()
    with psycopg.connect(url) as owner:
        owner.execute("INSERT INTO claims VALUES ('p', %s, NULL)", [transaction_id])
        owner.execute("INSERT INTO open_pendings VALUES ('p', NULL)")

    command.upgrade(config, "head")

    with psycopg.connect(url) as owner:
        found = owner.execute("SELECT reference, transaction_id FROM open_pendings").fetchall()
    assert found == [("p", transaction_id)]


def test_migrating_again_changes_nothing(ledger_database: ServiceDatabase) -> None:
    """An upgrade of what is up to date is a no-op."""
    upgrade(ledger_database.owner_url, "ledger_svc", "ledger_svc_app")

    with psycopg.connect(ledger_database.owner_url) as owner:
        rows = owner.execute("SELECT version_num FROM alembic_version").fetchall()
        assert rows == [(_NEWEST,)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET amount = 0",
        "UPDATE entries SET line = 0",
        "UPDATE entries SET account_sequence = 0",
        "UPDATE entries SET account_key = 1, line = 1",
        "UPDATE transactions SET kind = 'ODD'",
        "UPDATE transactions SET hash = 'short'",
        "UPDATE transactions SET kind = 'PENDING_POSTED'",
        "UPDATE transactions SET resolves_reference = 'x'",
        "UPDATE transactions SET expires_at = now()",
        "UPDATE accounts SET type = 'WISH'",
        "UPDATE accounts SET status = 'ODD'",
        "UPDATE accounts SET currency = 'usd'",
        "UPDATE accounts SET floor = 100000",
        "UPDATE accounts SET ceiling = -100000",
        "UPDATE accounts SET pending_in = -1",
        "UPDATE accounts SET pending_out = -1",
        "UPDATE streams SET number = -1",
        "INSERT INTO claims VALUES ('charge:1', NULL, 'closed too')",
        "INSERT INTO claims VALUES ('neither', NULL, NULL)",
        "INSERT INTO streams VALUES (20000, 0, decode(repeat('00', 32), 'hex'), now(), 1, now())",
    ],
)
async def test_the_database_itself_refuses_nonsense(
    ledger_db: Database, ledger_database: ServiceDatabase, statement: str
) -> None:
    """Keys and checks hold even against the owner."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    await store.do([posting("charge:1"), posting("charge:2")])

    with (
        psycopg.connect(ledger_database.owner_url) as owner,
        pytest.raises(psycopg.errors.IntegrityError),
    ):
        owner.execute(statement)
