"""Archiving closed months, on a real database: what goes on, what is refused, and the way back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from ledger_svc.domain import errors
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Action, Resolution, Reversal
from ledger_svc.ports import EntryFilter, Period
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.export_entries import export_entries
from ledger_svc.use_cases.get_balance import get_balance
from ledger_svc.use_cases.get_statement import get_statement
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from ledger_svc.use_cases.list_entries import list_entries
from tests.contract.four_months import Ledger, four_months, month_after
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import SELLER, posting


@pytest.fixture
async def ledger(ledger_db: Database, ledger_database: ServiceDatabase) -> Ledger:
    """Books of four months."""
    return await four_months(ledger_db, ledger_database.owner_url)


@pytest.fixture
async def archived(ledger: Ledger) -> Ledger:
    """Close and archive the first two months."""
    await ledger.close(month_after(0))
    await ledger.close(month_after(1))
    ledger.archive(month_after(2))
    return ledger


async def test_an_archived_month_is_told_and_the_rest_verified(archived: Ledger) -> None:
    """Verification begins where the archive ends, and finds the books sound."""
    offences, summary = await archived.verify()

    assert offences == []
    assert (summary.transaction_count, summary.from_checkpoint, summary.checkpoint_count) == (
        4,
        2,
        2,
    )
    outcome = await archived.do(posting("new", "1.00"))
    assert isinstance(outcome, Posted)
    assert await archived.close(month_after(3))
    assert (await archived.verify())[0] == []


async def test_balances_go_on_from_the_archive(archived: Ledger) -> None:
    """An account that nothing moved since has what it had; times before are refused."""
    with psycopg.connect(archived.owner_url) as owner:
        owner.execute("DELETE FROM entries")  # as though nothing had moved since
    boundary = month_after(2)

    there = await get_balance(archived.reader, SELLER, boundary, by_effective_at=False)
    lines = await get_trial_balance(archived.reader, boundary)

    assert (str(there.balance), there.standing.entry_count) == ("4.00", 4)
    assert [(str(line.debits), str(line.credits)) for line in lines] == [("4.0000", "4.0000")]
    early = boundary - timedelta(days=1)
    with pytest.raises(errors.PeriodArchived):
        await get_balance(archived.reader, SELLER, early, by_effective_at=False)
    with pytest.raises(errors.PeriodArchived):
        await get_trial_balance(archived.reader, early)


async def test_balances_by_effect_count_the_archive(archived: Ledger) -> None:
    """What is archived took effect before; a time at which it may not have is refused."""
    now = await get_balance(archived.reader, SELLER, archived.now, by_effective_at=True)

    assert str(now.balance) == "8.00"
    early = month_after(2) - timedelta(days=1)
    with pytest.raises(errors.PeriodArchived):
        await get_balance(archived.reader, SELLER, early, by_effective_at=True)


async def test_reports_do_not_pass_over_the_archive(archived: Ledger) -> None:
    """Statements and exports from before are refused; a list tells what it leaves out."""
    since = Period(month_after(2), archived.now)
    everything = EntryFilter(account_id=SELLER)
    page = await list_entries(archived.reader, everything, page_size=50, page_token="")

    assert (len(page.entries), page.archived_until) == (4, month_after(2))
    made = await get_statement(archived.reader, SELLER, since, page_size=50, page_token="")
    assert (str(made.opening_balance), made.entry_count) == ("4.00", 4)
    with pytest.raises(errors.PeriodArchived):
        await get_statement(
            archived.reader, SELLER, Period(None, None), page_size=50, page_token=""
        )
    with pytest.raises(errors.PeriodArchived):
        _ = [chunk async for chunk in export_entries(archived.reader, EntryFilter(), "")]
    chunks = [c async for c in export_entries(archived.reader, EntryFilter(period=since), "")]
    assert [len(chunk.entries) for chunk in chunks] == [8]


async def test_an_archived_reference_is_not_posted_again(archived: Ledger) -> None:
    """It was posted once: neither again, nor reversed, nor read; its neighbours are unharmed."""
    store = LedgerStore(archived.database, clock=archived.clock)

    again, new = await store.do([posting("m0:0", "1.00"), posting("new", "1.00")])
    back, closed = await store.do([Reversal("m1:1", "undo"), Reversal("never", "undo")])

    assert isinstance(again, errors.Archived)
    assert isinstance(back, errors.Archived)
    assert isinstance(new, Posted)
    assert not isinstance(closed, errors.Refusal)
    with pytest.raises(errors.Archived):
        await archived.reader.transaction("m0:0")
    assert (await archived.verify())[0] == []


async def test_what_is_archived_can_be_brought_back(archived: Ledger) -> None:
    """Restored, everything reads and verifies from the first transaction."""
    assert len(archived.restore(month_after(-600))) == 4

    offences, summary = await archived.verify()

    assert offences == []
    assert (summary.transaction_count, summary.from_checkpoint) == (8, 0)
    assert (await archived.reader.transaction("m0:0")) is not None


async def test_a_part_can_be_brought_back(archived: Ledger) -> None:
    """The last archived month alone; what was before it stays away."""
    assert len(archived.restore(month_after(1))) == 2

    offences, summary = await archived.verify()

    assert offences == []
    assert (summary.transaction_count, summary.from_checkpoint) == (6, 1)


async def test_what_is_pending_is_not_archived(ledger: Ledger) -> None:
    """A month goes when nothing of it can still be resolved."""
    at = month_after(1) - timedelta(minutes=1)
    assert isinstance(await ledger.do(replace(posting("p", "1.00"), is_pending=True), at), Posted)
    await ledger.close(month_after(3))
    with pytest.raises(psycopg.errors.RaiseException, match="pending still") as refused:
        ledger.archive(month_after(4))
    named = await ledger.reader.transaction("p")
    assert named is not None
    assert f"{named.transaction_id} (p)" in str(refused.value)
    assert "still, 1 in all" in str(refused.value)

    assert isinstance(await ledger.do(Resolution("p", Action.POST)), Posted)
    assert len(ledger.archive(month_after(4))) == 8
    assert (await ledger.verify())[0] == []


async def test_an_open_month_is_not_archived(ledger: Ledger) -> None:
    """Without a checkpoint nothing could be verified afterwards."""
    with pytest.raises(psycopg.errors.RaiseException, match="no checkpoint"):
        ledger.archive(month_after(1))


@pytest.fixture
def app(ledger_database: ServiceDatabase) -> Iterator[psycopg.Connection]:
    """Connect as the service does."""
    with psycopg.connect(ledger_database.app_url) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT archive_until(now())",
        "SELECT restore_from(now())",
        "DELETE FROM archives",
        "INSERT INTO archives VALUES ('a', 'b', NULL, gen_random_uuid(), now(), now())",
        "UPDATE checkpoints SET number = 1",
        "DELETE FROM checkpoints",
        "UPDATE checkpoint_balances SET balance = 0",
        "DELETE FROM checkpoint_balances",
    ],
)
def test_the_service_cannot_archive_or_change(app: psycopg.Connection, statement: Any) -> None:
    """Archiving is the owner's; a checkpoint is written once."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)
