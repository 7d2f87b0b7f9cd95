"""Closing months, on a real database: what a checkpoint keeps, and how verification uses it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Action, Resolution
from ledger_svc.domain.verification import Offence, OffenceKind
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.list_proofs import list_checkpoints
from ledger_svc.verification_reader import PAGE
from tests.contract.four_months import Ledger, four_months, month_after, name_of
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import CLEARING, SELLER, new_account, posting


@pytest.fixture
async def ledger(ledger_db: Database, ledger_database: ServiceDatabase) -> Ledger:
    """Books of four months."""
    return await four_months(ledger_db, ledger_database.owner_url)


async def test_a_closed_month_is_kept(ledger: Ledger) -> None:
    """The checkpoint counts what was written before; asking again answers the same one."""
    first = await ledger.close(month_after(0))
    again = await ledger.close(month_after(0))
    second = await ledger.close(month_after(2))

    assert first == again
    assert (first.number, first.transaction_count, first.until) == (1, 2, month_after(1))
    assert (second.number, second.transaction_count, second.until) == (2, 6, month_after(3))
    balances = [one async for page in ledger.books.balances_at(second) for one in page]
    assert {one.account_id: str(one.balance) for one in balances} == {
        CLEARING: "6.00",
        SELLER: "6.00",
    }
    assert (await ledger.verify())[0] == []


async def test_an_entry_of_no_transaction_is_told_once(ledger: Ledger) -> None:
    """Right before the end of a closed month, behind the month's last transaction."""
    await ledger.close(month_after(0))
    name = chain.transaction_id(month_after(1) - timedelta(microseconds=1), 1, 1)
    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute(
            "INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit,"
            " amount, balance_after) VALUES (1, 9, %s, 1, true, 1, 1)",
            [name[4:]],
        )

    (offence,), _ = await ledger.verify()

    assert (offence.kind, offence.subject) == (OffenceKind.WRONG_STREAM, name)
    assert (await ledger.verify(since_last_checkpoint=True))[0] == []


async def test_checkpoints_are_listed_page_by_page(ledger: Ledger) -> None:
    """The newest first, each once."""
    for month in range(3):
        await ledger.close(month_after(month))
    found, token, sizes = [], "", []
    while not sizes or token:
        page = await list_checkpoints(ledger.books, before=0, page_size=2, page_token=token)
        found += [one.number for one in page.items]
        sizes.append(len(page.items))
        token = page.next_page_token

    assert (found, sizes) == ([3, 2, 1], [2, 1])


async def test_a_month_of_many_accounts_is_kept(ledger: Ledger) -> None:
    """Page by page, and whole; verification goes on from it."""
    store = LedgerStore(ledger.database, clock=ledger.clock)
    names = [f"m:{number:05}" for number in range(2 * PAGE + PAGE // 2)]
    await store.open_accounts([new_account(name, AccountType.LIABILITY) for name in names])
    await store.do([posting(f"p:{name}", "1.00", credit=name) for name in names])
    ledger.now = month_after(5) + timedelta(hours=2)
    assert isinstance(await ledger.do(posting("next", "1.00", credit=names[0])), Posted)

    made = await ledger.close(month_after(4))

    pages = [page async for page in ledger.books.balances_at(made)]
    assert sorted(one.account_id for page in pages for one in page) == sorted(
        [*names, CLEARING, SELLER]
    )
    assert max(map(len, pages)) == PAGE
    for since in (False, True):
        offences, summary = await ledger.verify(since_last_checkpoint=since)
        assert offences == []
        assert summary.account_count == len(names) + 2


async def test_a_month_closed_with_a_later_one_has_no_checkpoint(ledger: Ledger) -> None:
    """It says until when the books are closed."""
    await ledger.close(month_after(2))

    with pytest.raises(errors.MonthClosed, match="was closed with all"):
        await ledger.close(month_after(1))


async def test_a_clock_that_is_behind_writes_nothing_into_a_closed_month(ledger: Ledger) -> None:
    """Whoever writes after the closing writes after the month, whatever the clock says."""
    await ledger.close(month_after(3))

    outcome = await ledger.do(posting("late", "1.00"), month_after(4) - timedelta(hours=2))

    assert isinstance(outcome, Posted)
    assert outcome.transaction.created_at >= month_after(4)
    for since in (False, True):
        assert (await ledger.verify(since_last_checkpoint=since))[0] == []


async def test_a_month_must_be_over(ledger: Ledger) -> None:
    """A month is closed when it has been over for an hour."""
    ledger.now = month_after(4) + timedelta(minutes=59)

    with pytest.raises(errors.MonthNotOver):
        await ledger.close(month_after(3))
    ledger.now = month_after(4) + timedelta(minutes=60)
    assert (await ledger.close(month_after(3))).transaction_count == 8


async def test_unsound_books_are_not_closed(ledger: Ledger) -> None:
    """Each offence is told, and nothing is kept."""
    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute("UPDATE transactions SET description = 'x' WHERE reference = 'm0:1'")

    told: list[object] = []

    async def close() -> None:
        async for one in close_month(ledger.books, name_of(month_after(0)), ledger.clock):
            told.append(one)  # noqa: PERF401 - what was told before the error counts

    with pytest.raises(errors.BooksUnsound):
        await close()
    assert [one.kind for one in told if isinstance(one, Offence)] == ["WRONG_HASH"]
    assert await ledger.books.checkpoints(after=0, limit=10) == []


async def test_nothing_is_written_into_a_closed_month(ledger: Ledger) -> None:
    """A writer that had leased its stream before is fenced, and writes under a later time."""
    store = LedgerStore(ledger.database, clock=lambda: month_after(3) + timedelta(days=9))
    await store.do([posting("late:1", "1.00")])
    await ledger.close(month_after(3))
    with psycopg.connect(ledger.owner_url) as owner:
        rows = owner.execute("SELECT count(*) FROM streams WHERE leased_until > now()").fetchone()

    assert rows == (0,)
    (outcome,) = await store.do([posting("late:2", "1.00")])
    assert isinstance(outcome, Posted)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoints SET transaction_count = 1 WHERE number = 1",
        "UPDATE checkpoints SET hash = decode(repeat('00', 32), 'hex') WHERE number = 2",
        "UPDATE checkpoint_balances SET balance = 9 WHERE number = 2 AND balance > 0",
        "DELETE FROM checkpoints WHERE number = 1",
    ],
)
async def test_a_changed_checkpoint_is_found(ledger: Ledger, statement: Any) -> None:
    """Whoever owns the database cannot change one unnoticed, wherever verification begins."""
    await ledger.close(month_after(0))
    await ledger.close(month_after(1))
    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute(statement)

    offences, _ = await ledger.verify(since_last_checkpoint=True)
    assert "WRONG_CHECKPOINT" in {one.kind for one in offences}


async def test_verification_may_begin_at_the_last_checkpoint(ledger: Ledger) -> None:
    """Only what came after is read, and the accounts still agree."""
    await ledger.close(month_after(1))

    offences, summary = await ledger.verify(since_last_checkpoint=True)

    assert offences == []
    assert (summary.transaction_count, summary.from_checkpoint) == (4, 1)


async def test_what_was_pending_before_a_checkpoint_may_be_open_behind_it(ledger: Ledger) -> None:
    """It is known where verification begins, open and ended; what is not so is still found."""
    at = month_after(4) - timedelta(minutes=1)
    assert isinstance(await ledger.do(replace(posting("p", "1.00"), is_pending=True), at), Posted)
    assert isinstance(await ledger.do(replace(posting("q", "2.00"), is_pending=True), at), Posted)
    assert (await ledger.close(month_after(3))).transaction_count == 10
    assert isinstance(await ledger.do(Resolution("q", Action.POST)), Posted)

    assert (await ledger.verify(since_last_checkpoint=True))[0] == []
    assert (await ledger.verify())[0] == []
    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute("UPDATE accounts SET pending_in = 3 WHERE pending_in > 0")
    changed, _ = await ledger.verify(since_last_checkpoint=True)
    assert {one.kind for one in changed} == {"WRONG_PENDING"}


async def test_known_seals_betray_a_cut(ledger: Ledger) -> None:
    """The newest transactions and seals taken away together are noticed by who kept a seal."""
    first = await ledger.books.seal()
    await ledger.do(posting("last", "1.00"))
    second = await ledger.books.seal()
    assert first is not None
    assert second is not None
    known = {first.number: first.hash, second.number: second.hash}
    assert (await ledger.verify(known_seals=known))[0] == []

    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute("DELETE FROM seals WHERE number = 2")
    cut, _ = await ledger.verify(known_seals=known)
    other, _ = await ledger.verify(known_seals={1: bytes(32)})

    assert [(one.kind, one.subject) for one in cut] == [("WRONG_SEAL", "seal 2")]
    assert [(one.kind, one.subject) for one in other] == [("WRONG_SEAL", "seal 1")]


async def test_a_seal_outlives_what_it_sealed(ledger: Ledger) -> None:
    """A stream that was rewound behind a seal is noticed without anybody keeping one."""
    await ledger.do(posting("last", "1.00"))
    await ledger.books.seal()
    with psycopg.connect(ledger.owner_url) as owner:
        owner.execute("UPDATE streams SET number = number - 1")

    offences, _ = await ledger.verify()

    assert "WRONG_SEAL" in {one.kind for one in offences}
