"""The wallets' database: append-only by privilege, and the schema that the code believes in."""

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from chassis.database import Database, upgrade
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.domain.wallets import Applied
from wallet_svc.store import WalletStore
from wallet_svc.tables import METADATA

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("table", ["claims", "operations", "wallet_changes"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_cannot_be_changed(
    wallet_database: ServiceDatabase, table: str, statement: str
) -> None:
    """The app role is refused every way of changing or deleting what was written."""
    column = "reason" if table == "wallet_changes" else "operation_id"
    with psycopg.connect(wallet_database.app_url) as app:
        app.execute(f"SELECT * FROM {table}")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.format(table, column, column))


@pytest.mark.parametrize("table", ["wallets", "holds"])
def test_what_changes_cannot_be_deleted(wallet_database: ServiceDatabase, table: str) -> None:
    """The app role may change a wallet or a hold, and is refused to delete it."""
    with psycopg.connect(wallet_database.app_url) as app:
        app.execute(f"UPDATE {table} SET currency = currency")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"DELETE FROM {table}")


def test_tables_are_what_the_migrations_leave(wallet_database: ServiceDatabase) -> None:
    """`tables.py` and the migrated schema do not differ."""
    url = wallet_database.owner_url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_migrating_again_changes_nothing(wallet_database: ServiceDatabase) -> None:
    """An upgrade of what is up to date is a no-op."""
    upgrade(wallet_database.owner_url, "wallet_svc", "wallet_svc_app")

    with psycopg.connect(wallet_database.owner_url) as owner:
        assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("0005",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operations SET amount = 0",
        "UPDATE operations SET amount = 1",
        "UPDATE operations SET kind = 'SETTLE'",
        "UPDATE operations SET kind = 'GIFT'",
        "UPDATE operations SET held_change = 1",
        "UPDATE operations SET available_change = 1 WHERE kind = 'CAPTURE_HOLD'",
        "UPDATE operations SET available_change = 1, held_change = held_change - 1"
        " WHERE kind = 'CAPTURE_HOLD'",
        "UPDATE operations SET refers_to = 'c:1' WHERE kind = 'CREDIT'",
        "UPDATE operations SET refers_to = '' WHERE kind = 'TRANSFER'",
        "UPDATE operations SET releases_rest = true WHERE kind = 'CREDIT'",
        "UPDATE operations SET pending_after = -1",
        "UPDATE operations SET held_after = -1",
        "UPDATE operations SET wallet_sequence = 0",
        "UPDATE operations SET wallet_sequence = 1",
        "UPDATE operations SET wallet_version = 1",
        "UPDATE wallets SET pending = -1",
        "UPDATE wallets SET held = -1",
        "UPDATE wallets SET credit_limit = -1",
        "UPDATE wallets SET version = operation_count",
        "UPDATE wallets SET status = 'ODD'",
        "UPDATE wallets SET account_type = 'ODD'",
        "UPDATE wallets SET currency = 'usd'",
        "UPDATE holds SET open_amount = open_amount + 1",
        "UPDATE holds SET open_amount = -1, captured_amount = amount + 1",
        "UPDATE holds SET status = 'RELEASED'",
        "UPDATE holds SET open_amount = 0, captured_amount = amount",
        "UPDATE holds SET open_amount = 0, captured_amount = 0, released_amount = amount,"
        " status = 'EXPIRED', expires_at = NULL",
        "UPDATE wallet_changes SET after = before",
        "UPDATE wallet_changes SET reason = ''",
        "UPDATE wallet_changes SET what = 'OWNER'",
        "UPDATE claims SET closed_at = now()",
        "UPDATE claims SET wallet_id = NULL",
        "INSERT INTO claims (operation_id, closed_at) VALUES ('c:1', now())",
    ],
)
async def test_the_database_itself_refuses_nonsense(
    wallet_db: Database, wallet_database: ServiceDatabase, statement: str
) -> None:
    """Keys and checks hold even against the owner."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
    outcomes = await store.do(
        [
            operation("c:1"),
            operation("s:1", kind=Kind.SETTLE),
            operation("h:1", "20.00", kind=Kind.HOLD),
            operation("k:1", "5.00", kind=Kind.CAPTURE_HOLD, refers_to="h:1"),
            operation("t:1", "5.00", kind=Kind.TRANSFER, refers_to=OTHER),
        ]
    )
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    await store.change_status(SELLER, WalletStatus.FROZEN, reason="a test", actor="tester")

    with (
        psycopg.connect(wallet_database.owner_url) as owner,
        pytest.raises(psycopg.errors.IntegrityError),
    ):
        owner.execute(statement)


def test_old_wallets_are_carried_over(postgres: PostgresServer) -> None:
    """What version 0001 kept is there after 0002, found by id, and closed ids stay closed."""
    database = postgres.fresh_database("wallet_svc")
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("DROP SCHEMA public CASCADE")
        owner.execute("CREATE SCHEMA public")
        owner.execute("GRANT USAGE ON SCHEMA public TO wallet_svc_app")
    _upgrade_to(database, "0001")
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            "INSERT INTO wallets VALUES ('w', 'demo', 's', 'USD', 'OPEN', 1, 0, 0, 1, now())"
        )
        owner.execute("INSERT INTO claims VALUES ('c:1', false, now()), ('c:2', true, now())")
        owner.execute(
            "INSERT INTO operations VALUES"
            " ('c:1', 'w', 'CREDIT', 1, 'USD', 'p', 1, 0, 1, 0, 0, 1, now(), '')"
        )
    _upgrade_to(database, "head")

    with psycopg.connect(database.owner_url) as owner:
        claims = owner.execute(
            "SELECT operation_id, wallet_id, wallet_sequence, closed_at IS NULL FROM claims"
            " ORDER BY 1"
        ).fetchall()
        (wallet,) = owner.execute("SELECT version, account_type FROM wallets").fetchall()
        (made,) = owner.execute("SELECT wallet_version, held_change FROM operations").fetchall()
    assert claims == [("c:1", "w", 1, True), ("c:2", None, None, False)]
    assert wallet == (2, "SELLER")
    assert made == (2, 0)


def _upgrade_to(database: ServiceDatabase, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "chassis" / "migrations"))
    config.set_main_option("version_locations", str(ROOT / "wallet_svc" / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["owner_url"] = database.owner_url
    config.attributes["app_role"] = "wallet_svc_app"
    command.upgrade(config, revision)
