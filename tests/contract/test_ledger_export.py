"""Exports one after the other, while two instances write: nothing is left out or sent twice."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Command, Reversal
from ledger_svc.domain.transaction import Entry
from ledger_svc.ports import EntryFilter, Period
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.export_entries import export_entries
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import new_account, open_two, posting

_DEADLINE_S = 60
_LATE = timedelta(seconds=10)
_THEIRS = "theirs:a", "theirs:b"


class Pausing(FaultPoints):
    """Holds the next batch between its decision and its writing."""

    def __init__(self) -> None:
        super().__init__()
        self.decided, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def reach(self, name: str) -> None:
        """Wait at the point where a batch is decided."""
        if name == "ledger.batch.decided" and not self.go.is_set():
            self.decided.set()
            await self.go.wait()


def late_clock() -> datetime:
    """Tell the time ten seconds too late, as a clock may that is wrong."""
    return utc_now() - _LATE


async def exported(
    database: Database, since: datetime | None = None, token: str = ""
) -> tuple[list[Entry], datetime, str]:
    """Export from a time, or a token, on; tell the entries, up to when, and the next token."""
    which = EntryFilter(period=Period(since, None))
    chunks = [chunk async for chunk in export_entries(LedgerReader(database), which, token)]
    assert [chunk.whole_until is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    until = chunks[-1].whole_until
    assert until is not None
    return [e.entry for chunk in chunks for e in chunk.entries], until, chunks[-1].resume_token


async def exported_all(
    database: Database,
    count: int,
    since: datetime | None = None,
    token: str = "",
    *,
    by_token: bool = False,
) -> tuple[list[Entry], datetime, str]:
    """Export again and again, each going on where the last ended, until everything has come."""
    deadline = time.monotonic() + _DEADLINE_S
    found: list[Entry] = []
    while True:
        more, until, token = await exported(database, since, token)
        found += more
        if len(found) >= count:
            return found, until, token
        assert time.monotonic() < deadline
        if not by_token:
            since, token = until, ""
        await asyncio.sleep(0)


async def post(store: LedgerStore, *references: str) -> None:
    """Post between accounts that nobody else writes to."""
    debit, credit = _THEIRS
    await store.do([posting(name, "1.00", debit=debit, credit=credit) for name in references])


@pytest.mark.parametrize("path", ["ahead", "under locks"])
async def test_a_batch_on_its_way_comes_with_the_next_export(
    ledger_db: Database, path: str
) -> None:
    """It was decided before rows that are exported already: it is decided again, and comes later,
    though its writer's clock is late.
    """
    pausing = Pausing()
    slow, fast = LedgerStore(ledger_db, clock=late_clock, faults=pausing), LedgerStore(ledger_db)
    await open_two(slow)
    types = AccountType.ASSET, AccountType.LIABILITY
    await fast.open_accounts([new_account(*pair) for pair in zip(_THEIRS, types, strict=True)])
    await slow.do([posting("before", "1.00")])
    pausing.go.clear()
    commands: list[Command] = [posting("on its way", "1.00")]
    commands += [Reversal("before", "undo")] if path == "under locks" else []
    on_its_way = asyncio.create_task(slow.do(commands))
    await pausing.decided.wait()
    await post(fast, "meanwhile")

    first, until, token = await exported_all(ledger_db, 4, by_token=True)
    pausing.go.set()
    outcomes = await on_its_way
    late, _, _ = await exported_all(ledger_db, 2 * len(commands), until)
    rest, _, _ = await exported_all(ledger_db, 2 * len(commands), token=token, by_token=True)

    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert [e.reference for e in first] == ["before"] * 2 + ["meanwhile"] * 2
    assert [e.reference for e in late[:2]] == ["on its way"] * 2
    assert late == rest
    assert len(late) == 2 * len(commands)
    assert await faults(ledger_db) == {}


async def test_a_stream_that_is_new_begins_behind_every_export(ledger_db: Database) -> None:
    """Whoever comes up with a clock that is late writes nothing into what was exported."""
    first = LedgerStore(ledger_db)
    await open_two(first)
    await first.do([posting("a", "1.00")])
    _, until, _ = await exported(ledger_db)

    await LedgerStore(ledger_db, clock=late_clock).do([posting("b", "1.00")])

    found, _, _ = await exported_all(ledger_db, 2, until)
    assert [e.reference for e in found] == ["b", "b"]
    assert all(e.created_at >= until for e in found)


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_exports_under_load_send_each_entry_once(
    ledger_database: ServiceDatabase, ledger_db: Database, isolation: str
) -> None:
    """Two instances write to the same accounts; by time and by token all comes, once."""
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {ledger_database.name}"
            f" SET default_transaction_isolation = '{isolation}'"
        )
    async with opened(ledger_database) as database:
        stores = LedgerStore(database), LedgerStore(database)
        await open_two(stores[0])
        chance = random.Random(11)
        sizes = [[chance.choice((1, 3, 40)) for _ in range(12)] for _ in range(6)]
        writers = [
            asyncio.create_task(_write(stores[number % 2], number, mine))
            for number, mine in enumerate(sizes)
        ]

        count = 2 * sum(map(sum, sizes))
        by_time, by_token = await asyncio.gather(
            exported_all(database, count), exported_all(database, count, by_token=True)
        )
        await asyncio.gather(*writers)

    everything = [(e.transaction_id, e.line) for e in (await exported(ledger_db))[0]]
    for found, _, _ in (by_time, by_token):
        assert [(e.transaction_id, e.line) for e in found] == everything
    assert await faults(ledger_db) == {}


async def _write(store: LedgerStore, writer: int, sizes: Sequence[int]) -> None:
    for turn, size in enumerate(sizes):
        await store.do([posting(f"{writer}:{turn}:{n}", "1.00") for n in range(size)])
