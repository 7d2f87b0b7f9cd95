"""The books cut by month, on a real PostgreSQL, and old books carried over into them."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.conninfo import conninfo_to_dict

from chassis.clock import utc_now
from chassis.database import Database, upgrade
from chassis.telemetry import REGISTRY
from ledger_svc import jobs
from ledger_svc.domain.books import Posted
from ledger_svc.domain.chain import first_id
from ledger_svc.domain.verification import Offence
from ledger_svc.ports import EntryFilter, Page
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.verification_reader import VerificationReader
from tests.conftest import opened
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import SELLER, open_two, posting


def months_of(database: ServiceDatabase, table: str) -> list[str]:
    """List the tables that a table is cut into."""
    with psycopg.connect(database.owner_url) as owner:
        rows = owner.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        return [str(name) for (name,) in rows]


@pytest.mark.parametrize("table", ["transactions", "entries"])
def test_a_year_of_months_is_there(ledger_database: ServiceDatabase, table: str) -> None:
    """What there was, and the twelve months to come."""
    months = months_of(ledger_database, table)

    assert len(months) == 13
    assert f"{table}_first" in months


async def test_the_service_may_have_months_made(
    ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """More months are made once, by a role that may make no table."""
    first = await ledger_db.read("SELECT prepare_months(14) AS made")
    again = await ledger_db.read("SELECT prepare_months(14) AS made")

    assert (first[0]["made"], again[0]["made"]) == (4, 0)
    assert len(months_of(ledger_database, "entries")) == 15
    with (
        psycopg.connect(ledger_database.app_url) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("CREATE TABLE entries_mine (LIKE entries)")


async def test_months_ahead_are_counted_not_believed(
    ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """Up to the first that a table lacks, whether or not more could be made."""
    fifth = months_of(ledger_database, "entries")[4]
    role = conninfo_to_dict(ledger_database.app_url)["user"]
    with psycopg.connect(ledger_database.owner_url) as owner:
        owner.execute(f"DROP TABLE {fifth}")  # type: ignore[arg-type]
        owner.execute(f"REVOKE EXECUTE ON FUNCTION prepare_months(int) FROM {role}")  # type: ignore[arg-type]

    assert await gauged(ledger_db, ahead=3) == 4
    with psycopg.connect(ledger_database.owner_url) as owner:
        owner.execute(f"GRANT EXECUTE ON FUNCTION prepare_months(int) TO {role}")  # type: ignore[arg-type]
    assert await gauged(ledger_db, ahead=3) == 4
    assert await gauged(ledger_db, ahead=14) == 14


async def gauged(database: Database, ahead: int) -> float:
    """Have months made, and tell what the gauge says once it says something."""
    jobs.MONTHS_AHEAD.set(-1)
    stopping = asyncio.Event()
    job = asyncio.create_task(jobs.months(database, ahead)(stopping))
    try:
        async with asyncio.timeout(60):
            while (told := REGISTRY.get_sample_value("paymesh_ledger_months_ahead")) in (None, -1):
                await asyncio.sleep(0.01)
    finally:
        stopping.set()
        await job
    assert told is not None
    return told


@pytest.mark.parametrize("statement", ["UPDATE {} SET line = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_month_can_be_changed(ledger_database: ServiceDatabase, statement: str) -> None:
    """The app role is refused at each month's own table too."""
    for month in months_of(ledger_database, "entries"):
        with (
            psycopg.connect(ledger_database.app_url) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(statement.format(month))  # type: ignore[arg-type]


def test_sql_and_python_agree_on_bounds(ledger_database: ServiceDatabase) -> None:
    """The lowest id of a month is the same to both."""
    moment = datetime(2031, 2, 1, tzinfo=UTC)
    with psycopg.connect(ledger_database.owner_url) as owner:
        row = owner.execute("SELECT first_transaction_id(%s)", [moment]).fetchone()

    assert row is not None
    assert f"txn_{row[0].hex}" == first_id(moment)


async def test_books_over_several_months_read_as_one(ledger_db: Database) -> None:
    """Balances, lists and verification do not see where months meet."""
    start = utc_now()
    await open_two(LedgerStore(ledger_db))
    for month in range(4):
        moment = start + timedelta(days=31 * month)
        store = LedgerStore(ledger_db, clock=lambda moment=moment: moment)
        (outcome,) = await store.do([posting(f"m:{month}", "1.00")])
        assert isinstance(outcome, Posted)
    reader = LedgerReader(ledger_db)

    (seller,) = await reader.accounts([SELLER])
    then = await reader.balance_before(seller, start + timedelta(days=45))
    entries = await reader.entries(EntryFilter(account_id=SELLER), Page(10))

    assert (str(seller.balance), str(then.balance)) == ("4.00", "2.00")
    assert [listed.entry.reference for listed in entries] == ["m:3", "m:2", "m:1", "m:0"]
    assert await offences(ledger_db) == []
    assert await faults(ledger_db) == {}


async def offences(database: Database) -> list[Offence]:
    """Verify, and tell what is wrong."""
    told = [one async for one in verify_ledger(VerificationReader(database))]
    assert isinstance(told[-1], Summary)
    return [one for one in told if isinstance(one, Offence)]


_OLD_ROWS = """
INSERT INTO accounts VALUES
    ('psp:stripe:USD', 'ASSET', 'USD', 'OPEN', NULL, 7, 3, '2026-01-01T00:00Z'),
    ('seller:demo:seller_456:USD', 'LIABILITY', 'USD', 'FROZEN', -5, 7, 3, '2026-01-01T00:00Z');
INSERT INTO claims VALUES
    ('a', false, '', '2026-01-02T00:00Z'), ('b', false, '', '2026-01-03T00:00Z'),
    ('a:reversal', false, '', '2026-01-03T00:00Z'), ('c', true, 'undo', '2026-01-04T00:00Z');
INSERT INTO transactions VALUES
    ('txn_1', 'a', 'first', 'pay_1', '2026-01-01T12:00Z', '2026-01-02T00:00Z', ''),
    ('txn_2', 'b', '', 'pay_2', '2026-01-03T00:00Z', '2026-01-03T00:00Z', ''),
    ('txn_3', 'a:reversal', 'undo', 'pay_1', '2026-01-03T00:00Z', '2026-01-03T00:00Z', 'a');
INSERT INTO entries VALUES
    ('txn_1', 1, 'psp:stripe:USD', 'DEBIT', 10, 'USD', 10, 1, '2026-01-02T00:00Z'),
    ('txn_1', 2, 'seller:demo:seller_456:USD', 'CREDIT', 10, 'USD', 10, 1, '2026-01-02T00:00Z'),
    ('txn_2', 1, 'psp:stripe:USD', 'DEBIT', 7, 'USD', 17, 2, '2026-01-03T00:00Z'),
    ('txn_2', 2, 'seller:demo:seller_456:USD', 'CREDIT', 7, 'USD', 17, 2, '2026-01-03T00:00Z'),
    ('txn_3', 1, 'psp:stripe:USD', 'CREDIT', 10, 'USD', 7, 3, '2026-01-03T00:00Z'),
    ('txn_3', 2, 'seller:demo:seller_456:USD', 'DEBIT', 10, 'USD', 7, 3, '2026-01-03T00:00Z');
"""


@pytest.fixture
def old_database(postgres: PostgresServer, ledger_database: ServiceDatabase) -> ServiceDatabase:
    """Lay the books as schema 0001 had them, with three transactions and a closed reference."""
    name = f"old_{ledger_database.name}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER ledger_svc_owner")  # type: ignore[arg-type]
    old = ServiceDatabase(
        name, postgres.url(name, "ledger_svc_owner"), postgres.url(name, "ledger_svc_app")
    )
    config = Config()
    config.set_main_option("script_location", "chassis/migrations")
    config.set_main_option("version_locations", "ledger_svc/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes |= {"owner_url": old.owner_url, "app_role": "ledger_svc_app"}
    command.upgrade(config, "0001")
    with psycopg.connect(old.owner_url) as owner:
        owner.execute(_OLD_ROWS)
    return old


async def test_old_books_are_carried_over(old_database: ServiceDatabase) -> None:
    """Every balance, entry and closed reference is there, chained, and the books go on."""
    upgrade(old_database.owner_url, "ledger_svc", "ledger_svc_app")

    async with opened(old_database) as database:
        assert await offences(database) == []
        assert await faults(database) == {}
        reader = LedgerReader(database)
        (seller,) = await reader.accounts([SELLER])
        reversal = await reader.transaction("a:reversal")
        assert (str(seller.balance), str(seller.floor)) == ("7.00", "-5.00")
        assert reversal is not None
        assert reversal.heading.reverses_reference == "a"
        assert reversal.created_at > datetime(2026, 1, 3, tzinfo=UTC)
        (replayed,) = await LedgerStore(database).do([posting("b", "7.00")])
        (late,) = await LedgerStore(database).do([posting("c", "1.00")])
        assert isinstance(replayed, Posted)
        assert replayed.replayed
        assert type(late).__name__ == "ReversedBeforeArrival"
