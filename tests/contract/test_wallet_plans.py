"""Every query of the wallets goes by an index and reads about as many rows as it answers, and a
balance is updated where it stands.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from bookkeeping.arrays import plain, texts
from chassis.database import Database
from paging.page_token import write_token
from tests.contract.full_wallets import HOT, OPEN_HOLDS, OPERATIONS, SELLERS, FullWallets, fill
from tests.contract.full_wallets import SELLER as FULL_SELLER
from tests.contract.plans import MADE, Case, Explained, Plan, Recorder, explain, subsets
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc import lookup, statements
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallets import Pot
from wallet_svc.ports import LOOKED_AT_MAX, HoldPlace, OperationFilter, Period
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore
from wallet_svc.unlogged import UNLOGGED
from wallet_svc.use_cases.list_operations import filters_of, list_operations

PAGE = 21
RARE_AND_NOT = (Kind.CHARGEBACK, Kind.CREDIT)
NOW = datetime(2024, 1, 15, tzinfo=UTC)
ONE, TWO = texts([SELLER]), [texts([SELLER]), texts(["pay_1"])]

QUERIES: dict[str, tuple[str, list[Any], set[str]]] = {
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
    "due": (statements.DUE_HOLDS, [NOW, NOW, "", 10], {"holds_due"}),
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


async def test_what_nobody_logged_is_looked_up_wallet_by_wallet(database: Database) -> None:
    """By the indexes of changes and of the log: else all of both would be read for each wallet."""
    rows = await database.read("EXPLAIN " + UNLOGGED, {"since": NOW})

    found = "\n".join(row["QUERY PLAN"] for row in rows)
    looked_up = re.findall(r"using (\w+) on .*\n +Index Cond: .*\(w\w*\.wallet_id", found)
    assert sorted(looked_up) == ["audit_log_by_object", "wallet_changes_key", "wallet_changes_key"]


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads the wallets."""

    books: FullWallets
    database: Recorder
    reader: WalletReader
    store: WalletStore


# What reads more than a page, and why it may.
EXEMPT = {
    "history": "sums what was done in a wallet since a time, to compare it with the ledger",
    "unfounded with many holds": "sums a wallet's open holds, to compare it with them",
}
# What is not asked of them: it writes.
UNASKED = {"WRITE", "WRITE_HOLDS"}


def operation_cases() -> Iterator[tuple[str, Case]]:
    """List operations by each combination of filters, from the beginning and from the middle."""
    places = {HOT: OPERATIONS // 4, FULL_SELLER: OPERATIONS // SELLERS // 4}

    def case(chosen: dict[str, Any], *, from_middle: bool) -> Case:
        async def ask(of: Readers) -> None:
            middle, day = of.books.middle, timedelta(days=1)
            created = Period(
                middle - day if "from" in chosen else None, middle + day if "to" in chosen else None
            )
            names = {key: value for key, value in chosen.items() if key not in ("from", "to")}
            which, token = OperationFilter(**names, created=created), ""
            if from_middle and which.wallet_id and not which.subject_id:
                token = write_token(filters_of(which), [places[which.wallet_id]])
            elif from_middle:
                place = [middle.isoformat(), places[HOT], f"op:{OPERATIONS // 2}"]
                token = write_token(filters_of(which), place)
            await list_operations(of.reader, which, page_size=PAGE, page_token=token)

        return ask

    for wallet_id, kind in itertools.product(("", FULL_SELLER, HOT), (None, *RARE_AND_NOT)):
        of = {"wallet_id": wallet_id, "kind": kind}
        more = {"subject_id": f"pay_{OPERATIONS // 8}", "from": True, "to": True}
        for chosen in subsets({key: value for key, value in of.items() if value} | more):
            for from_middle in (False, True):
                yield (
                    f"operations by {chosen} {from_middle=}",
                    case(chosen, from_middle=from_middle),
                )


def other_cases() -> Iterator[tuple[str, Case]]:
    """Read all else."""
    prefixes = ("", "seller:", "seller:demo:s_1", "buyer:demo:b_19999:USD", "none")
    for prefix, after in itertools.product(prefixes, ("", "seller:demo:s_2")):
        yield f"wallets from {prefix=} {after=}", wallets_from(prefix, after)
    for only_open, from_middle in itertools.product((False, True), repeat=2):
        yield f"holds {only_open=} {from_middle=}", holds(only_open, from_middle)
    operations = [f"op:{n * 999}" for n in range(1, PAGE)]
    pots = [Pot(HOT, f"pay_{n * 99}") for n in range(1, PAGE)]
    yield from {
        "wallets": lambda of: of.reader.wallets([FULL_SELLER, HOT]),
        "changed": lambda of: of.reader.changed({FULL_SELLER: 1, HOT: 9}),
        "hold": lambda of: of.reader.hold("h:7"),
        "changes": lambda of: of.reader.changes(FULL_SELLER, before=2**62, limit=PAGE),
        "changes from the middle": lambda of: of.reader.changes(
            FULL_SELLER, before=2_000, limit=PAGE
        ),
        "due": lambda of: of.store.expire(limit=0),
        "lock": lambda of: of.database.run(lambda tx: lookup.lock(tx, [FULL_SELLER, HOT])),
        "claimed": lambda of: of.database.run(lambda tx: lookup.claimed(tx, operations)),
        "pending": lambda of: of.database.run(lambda tx: lookup.pending(tx, pots)),
        "history": lambda of: of.reader.history(FULL_SELLER, of.books.middle),
        "unfounded": lambda of: of.reader.unfounded([FULL_SELLER]),
        "unfounded with many holds": lambda of: of.reader.unfounded([HOT]),
    }.items()


def wallets_from(prefix: str, after: str) -> Case:
    """List wallets by prefix."""
    return lambda of: of.reader.wallets_from(prefix, after=after, limit=PAGE)


def holds(only_open: bool, from_middle: bool) -> Case:
    """List a wallet's holds."""

    async def ask(of: Readers) -> None:
        at = of.books.start + timedelta(minutes=OPEN_HOLDS)
        place = HoldPlace(at, "h:0") if from_middle else None
        await of.reader.holds(HOT, only_open=only_open, before=place, limit=PAGE)

    return ask


CASES = dict([*operation_cases(), *other_cases()])


def readers(recorder: Recorder, books: FullWallets) -> Readers:
    """Make what reads the wallets."""
    kept: Any = recorder
    return Readers(books, recorder, WalletReader(kept), WalletStore(kept))


@pytest.fixture(scope="module")
def explained(postgres: PostgresServer) -> Iterator[Explained]:
    """Explain every case by plans made while there were no wallets, and by new ones."""
    filled = partial(fill, now=datetime.now(UTC))
    with postgres.own_database("wallet_svc") as full, postgres.own_database("wallet_svc") as empty:
        yield explain(full, empty, filled, CASES, readers)


@pytest.mark.parametrize("made", MADE)
def test_a_page_costs_what_it_has(explained: Explained, made: str) -> None:
    """By an index, with as many rows as a page has and some on the way, or as many as a page looks
    at for what may be rare; but for what is said to read more.
    """

    def may_be(name: str, plan: Plan) -> bool:
        most = rows_max(name)
        is_small = plan.rows <= most and plan.blocks <= 3 * most and not plan.scans
        return name in EXEMPT or is_small

    assert explained.beyond(made, may_be) == []


def rows_max(name: str) -> int:
    """Tell how many rows a case may read."""
    may_be_rare = any(part in name for part in ("'kind'", "'from'", "'to'"))
    return LOOKED_AT_MAX + PAGE if may_be_rare and "subject" not in name else 6 * PAGE


def test_every_read_is_explained(explained: Explained) -> None:
    """What is new among the statements gets a case here."""
    assert explained.unasked(statements) <= UNASKED


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
