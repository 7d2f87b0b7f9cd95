"""Every query of the wallets goes by an index, and a balance is updated where it stands."""

import re
from datetime import UTC, datetime

import psycopg
import pytest

from bookkeeping.arrays import plain, texts
from chassis.database import Database
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc import statements
from wallet_svc.domain.operation import Kind
from wallet_svc.ports import HoldPlace, Moment, OperationFilter, Period
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

NOW = datetime(2024, 1, 15, tzinfo=UTC)
ONE, TWO = texts([SELLER]), [texts([SELLER]), texts(["pay_1"])]

QUERIES: dict[str, tuple[str, list[object], set[str]]] = {
    "lock": (statements.LOCK_WALLETS, [ONE], {"wallets_pkey"}),
    "page": (statements.WALLETS_FROM, ["", "", "~", 10], {"wallets_pkey"}),
    "watch": (statements.CHANGED_WALLETS, [ONE, plain([1])], {"wallets_pkey"}),
    "claims": (
        statements.CLAIMED,
        [texts(["c:1"])],
        {"claims_operation_id", "operations_wallet_sequence"},
    ),
    "pending": (statements.PENDING, TWO, {"operations_subject_id"}),
    "holds": (statements.HOLDS, [texts(["h:1"])], {"holds_hold_id"}),
    "due": (statements.DUE_HOLDS, [NOW, 10], {"holds_due"}),
    "changes": (statements.CHANGES, [SELLER, 99, 51], {"wallet_changes_key"}),
    "sums": (statements.SUBJECT_SUMS, [SELLER, 40], {"operations_wallet_sequence"}),
    "before": (statements.BEFORE, [SELLER, NOW], {"operations_wallet_sequence"}),
}


@pytest.fixture
async def database(wallet_db: Database) -> Database:
    """Fill the wallets with something of each."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
    await store.do(
        [
            *(operation(f"c:{n}", "5.00", subject_id=f"pay_{n}") for n in range(50)),
            operation("s", "50.00", kind=Kind.SETTLE),
            *(operation(f"h:{n}", "1.00", kind=Kind.HOLD) for n in range(20)),
        ]
    )
    return wallet_db


async def plan(database: Database, query: str, parameters: list[object]) -> str:
    """Ask how a query would be run, as a service's connection plans it."""
    count = query.count("%s")
    names = [f"${n}" for n in range(1, count + 1)]
    numbered = re.sub("%s", lambda _: names.pop(0), query)
    literals = psycopg.sql.SQL(", ").join(map(psycopg.sql.Literal, parameters))

    async def work(tx: object) -> str:
        connection = tx._connection  # type: ignore[attr-defined]
        await connection.execute(f"PREPARE asked AS {numbered}")
        explain = psycopg.sql.SQL("EXPLAIN EXECUTE asked({})").format(literals)
        rows = await (await connection.execute(explain)).fetchall()
        await connection.execute("DEALLOCATE asked")
        return "\n".join(row["QUERY PLAN"] for row in rows)

    return await database.run(work)


@pytest.mark.parametrize("name", list(QUERIES))
async def test_a_query_goes_by_its_index(database: Database, name: str) -> None:
    """Of each table by the one that was made for it, however small the table is."""
    query, parameters, indexes = QUERIES[name]

    found = await plan(database, query, parameters)

    assert set(re.findall(r"Index (?:Only )?Scan(?: Backward)? using (\w+)", found)) == indexes
    assert "Seq Scan" not in found


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (OperationFilter(), "operations_created_at"),
        (OperationFilter(kind=Kind.HOLD), "operations_created_at"),
        (OperationFilter(created=Period(NOW, NOW)), "operations_created_at"),
        (OperationFilter(subject_id="pay_1"), "operations_subject_id"),
        (OperationFilter(SELLER, "pay_1", Kind.CREDIT), "operations_subject_id"),
    ],
)
@pytest.mark.parametrize("before", [None, Moment(NOW, 1, "c:1")])
async def test_a_list_goes_by_its_index(
    database: Database, which: OperationFilter, index: str, before: Moment | None
) -> None:
    """Whatever it is filtered by."""
    asked: list[tuple[str, list[object]]] = []

    class Recording:
        async def read(self, query: str, parameters: list[object]) -> list[object]:
            asked.append((query, parameters))
            return []

    reader = WalletReader(Recording())  # type: ignore[arg-type]
    await reader.operations(which, before=before, limit=10)
    await reader.wallet_operations(OperationFilter(SELLER), before=7, limit=10)
    for only_open in (True, False):
        await reader.holds(SELLER, only_open=only_open, before=HoldPlace(NOW, "h"), limit=10)

    plans = [await plan(database, query, parameters) for query, parameters in asked]

    used = [re.findall(r"Scan(?: Backward)? using (\w+)", found) for found in plans]
    assert used == [[index], ["operations_wallet_sequence"], ["holds_open"], ["holds_wallet_id"]]
    assert not any("Seq Scan" in found for found in plans)


def test_balances_are_updated_where_they_stand(wallet_database: ServiceDatabase) -> None:
    """There is room on the page, and no index of a column that an operation changes: such updates
    touch no index at all. Only a hold's end does.
    """
    changed = ["open_amount", "pending", "available", "held", "version", "operation_count"]
    with psycopg.connect(wallet_database.owner_url) as owner:
        options = owner.execute(
            "SELECT relname, reloptions FROM pg_class WHERE relname IN ('wallets', 'holds')"
            " ORDER BY 1"
        ).fetchall()
        indexed = owner.execute(
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)"
            " WHERE c.relname IN ('wallets', 'holds') AND a.attname = ANY(%s)",
            [changed],
        ).fetchall()
    assert options == [("holds", ["fillfactor=50"]), ("wallets", ["fillfactor=50"])]
    assert indexed == []
