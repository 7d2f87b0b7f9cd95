"""The wallets' database: append-only by privilege, and the schema that the code believes in."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from chassis.database import Database, upgrade
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.builders import SELLER, new_wallet, operation
from wallet_svc.store import WalletStore
from wallet_svc.tables import METADATA


@pytest.mark.parametrize("table", ["claims", "operations"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_cannot_be_changed(
    wallet_database: ServiceDatabase, table: str, statement: str
) -> None:
    """The app role is refused every way of changing or deleting what was written."""
    column = "operation_id"
    with psycopg.connect(wallet_database.app_url) as app:
        app.execute(f"SELECT * FROM {table}")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.format(table, column, column))


def test_wallets_cannot_be_deleted(wallet_database: ServiceDatabase) -> None:
    """The app role may change a wallet, and is refused to delete it."""
    with psycopg.connect(wallet_database.app_url) as app:
        app.execute("UPDATE wallets SET pending = pending")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM wallets")


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
        assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operations SET amount = 0",
        "UPDATE operations SET amount = 1",
        "UPDATE operations SET kind = 'SETTLE'",
        "UPDATE operations SET kind = 'GIFT'",
        "UPDATE operations SET reverses = 'c:1'",
        "UPDATE operations SET pending_after = -1",
        "UPDATE operations SET available_after = -1",
        "UPDATE operations SET held_after = -1",
        "UPDATE operations SET wallet_sequence = 0",
        "UPDATE operations SET wallet_sequence = 1",
        "UPDATE operations SET wallet_id = 'nobody'",
        "UPDATE operations SET operation_id = 'unclaimed'",
        "UPDATE operations SET operation_id = 'c:1'",
        "UPDATE wallets SET pending = -1",
        "UPDATE wallets SET available = -1",
        "UPDATE wallets SET held = -1",
        "UPDATE wallets SET status = 'ODD'",
        "UPDATE wallets SET currency = 'usd'",
        "INSERT INTO claims VALUES ('c:1', true, now())",
    ],
)
async def test_the_database_itself_refuses_nonsense(
    wallet_db: Database, wallet_database: ServiceDatabase, statement: str
) -> None:
    """Keys and checks hold even against the owner."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER)])
    await store.apply([operation("c:1"), operation("c:2")])

    with (
        psycopg.connect(wallet_database.owner_url) as owner,
        pytest.raises(psycopg.errors.IntegrityError),
    ):
        owner.execute(statement)
