"""Closing months and archiving them, on a real PostgreSQL: nothing is passed over silently."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.books import Outcome, Posted
from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.domain.posting import Action, Command, Resolution, Reversal
from ledger_svc.domain.verification import Offence, OffenceKind
from ledger_svc.ports import EntryFilter, Period, Stretch
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.export_entries import export_entries
from ledger_svc.use_cases.get_balance import get_balance
from ledger_svc.use_cases.get_statement import get_statement
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from ledger_svc.use_cases.list_entries import list_entries
from ledger_svc.use_cases.list_proofs import list_checkpoints
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.verification_reader import PAGE, VerificationReader
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import CLEARING, SELLER, new_account, open_two, posting

# The months to come have tables of their own; what is before them is one.
NOW = datetime.now(UTC)


def month_after(count: int) -> datetime:
    """Tell when the month begins that comes so many months after this one."""
    months = NOW.year * 12 + NOW.month - 1 + count
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def name_of(month: datetime) -> str:
    """Write a month as the RPC takes it."""
    return f"{month:%Y-%m}"


@dataclass
class Ledger:
    """Books of four months, two transactions in each, and a clock that stands in the fifth."""

    database: Database
    owner_url: str
    now: datetime
    few: int = 10_000

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    @property
    def books(self) -> VerificationReader:
        """Read for verification."""
        return VerificationReader(self.database, clock=self.clock)

    @property
    def reader(self) -> LedgerReader:
        """Read for reports."""
        return LedgerReader(self.database, few=self.few, clock=self.clock)

    async def do(self, command: Command, at: datetime | None = None) -> Outcome:
        """Do a command at a time; a writer of its own, so that times need not ascend."""
        store = LedgerStore(self.database, clock=lambda: at or self.now)
        (outcome,) = await store.do([command])
        return outcome

    async def close(self, month: datetime) -> Checkpoint:
        """Close a month."""
        told = [one async for one in close_month(self.books, name_of(month), self.clock)]
        assert isinstance(told[-1], Checkpoint)
        return told[-1]

    def archive(self, until: datetime) -> list[str]:
        """Archive what was written before a time, as an operator does."""
        return self._owner("SELECT archive_until(%s)", until)

    def restore(self, since: datetime) -> list[str]:
        """Bring back what was archived and written since a time."""
        return self._owner("SELECT restore_from(%s)", since)

    def _owner(self, statement: Any, moment: datetime) -> list[str]:
        with psycopg.connect(self.owner_url) as owner:
            return [str(part) for (part,) in owner.execute(statement, [moment])]

    async def verify(self, **how: Any) -> tuple[list[Offence], Summary]:
        """Verify."""
        told = [one async for one in verify_ledger(self.books, **how)]
        summary = told[-1]
        assert isinstance(summary, Summary)
        return [one for one in told if isinstance(one, Offence)], summary


@pytest.fixture
async def ledger(ledger_db: Database, ledger_database: ServiceDatabase) -> Ledger:
    """Write two transactions a month, over four months."""
    made = Ledger(ledger_db, ledger_database.owner_url, month_after(4) + timedelta(days=3))
    await open_two(LedgerStore(ledger_db))
    for month in range(4):
        for number in range(2):
            at = month_after(month) + timedelta(days=3 + number)
            outcome = await made.do(posting(f"m{month}:{number}", "1.00"), max(at, NOW))
            assert isinstance(outcome, Posted)
    return made


@pytest.fixture
async def archived(ledger: Ledger) -> Ledger:
    """Close and archive the first two months."""
    await ledger.close(month_after(0))
    await ledger.close(month_after(1))
    ledger.archive(month_after(2))
    return ledger


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


_HIDE = """
INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference, description,
    subject_id, hash)
VALUES (%(id)s, now(), now(), 'POSTED', 'hidden', '', '', sha256(''))
"""
_HIDE_ENTRIES = """
INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit, amount,
    balance_after)
VALUES (1, 9, %(id)s, 1, true, 1, 500), (2, 9, %(id)s, 2, false, 1, 500)
"""


@pytest.mark.parametrize("stream", [1, 77])
@pytest.mark.parametrize("statements", [[_HIDE, _HIDE_ENTRIES], [_HIDE_ENTRIES]])
async def test_what_is_hidden_behind_the_end_of_a_stream_is_told(
    ledger: Ledger, statements: list[Any], stream: int
) -> None:
    """With its transaction or without; balances at a time would be taken from it. So the month is
    not closed.
    """
    name = chain.transaction_id(month_after(1) + timedelta(days=20), stream, 999)
    with psycopg.connect(ledger.owner_url) as owner:
        for statement in statements:
            owner.execute(statement, {"id": name[4:]})

    (offence,), _ = await ledger.verify()

    assert offence.kind is OffenceKind.WRONG_STREAM
    assert name in offence.subject + offence.message
    with pytest.raises(errors.BooksUnsound):
        await ledger.close(month_after(1))
    assert (await ledger.close(month_after(0))).number == 1


@pytest.mark.parametrize("statements", [[_HIDE, _HIDE_ENTRIES], [_HIDE_ENTRIES]])
async def test_what_is_hidden_before_the_first_id_is_told(
    ledger: Ledger, statements: list[Any]
) -> None:
    """The lowest of all, which no transaction has."""
    with psycopg.connect(ledger.owner_url) as owner:
        for statement in statements:
            owner.execute(statement, {"id": chain.NOTHING[4:]})

    (offence,), _ = await ledger.verify()

    assert (offence.kind, offence.subject) == (OffenceKind.WRONG_STREAM, "stream 0")


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


async def test_a_month_that_lost_to_an_earlier_one_is_not_said_to_be_closed(ledger: Ledger) -> None:
    """Of two closings at once one keeps its checkpoint; the other is to be asked for again."""

    class Slow(VerificationReader):
        async def keep(self, *made: Any) -> None:
            await ledger.close(month_after(0))
            await super().keep(*made)

    slow = Slow(ledger.database, clock=ledger.clock)
    with pytest.raises(Unavailable):
        _ = [one async for one in close_month(slow, name_of(month_after(1)), ledger.clock)]

    assert (await ledger.close(month_after(1))).number == 2


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


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint_balances SET balance = balance + 100 WHERE number = 1",
        "UPDATE checkpoint_balances SET entry_count = 9 WHERE number = 2",
        "UPDATE checkpoint_balances SET number = -1 WHERE number = 1",
        "UPDATE checkpoint_balances SET number = 9 WHERE number = 2",
        "DELETE FROM checkpoint_balances WHERE number = 1 AND account_key = 1",
        "INSERT INTO checkpoint_balances VALUES (3, 1, 100, 0)",
        "INSERT INTO checkpoint_balances VALUES (3, 1, 100, 1)",
        "INSERT INTO checkpoint_balances VALUES (3, -1, 100, 1)",
    ],
)
@pytest.mark.parametrize("is_archived", [False, True])
async def test_changed_balances_of_any_checkpoint_are_found(
    ledger: Ledger, statement: Any, *, is_archived: bool
) -> None:
    """Reports are read off them, be what they cover archived or not."""
    store = LedgerStore(ledger.database)
    await store.open_accounts([new_account("unused", AccountType.LIABILITY)])  # key 3
    await ledger.close(month_after(0))
    await ledger.close(month_after(1))
    if is_archived:
        ledger.archive(month_after(2))
    assert (await ledger.verify())[0] == []
    with psycopg.connect(ledger.owner_url) as owner:
        assert owner.execute(statement).rowcount > 0

    offences, _ = await ledger.verify()

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


async def test_a_month_that_is_archived_meanwhile_does_not_make_the_books_unsound(
    ledger: Ledger,
) -> None:
    """What is missing then is no offence; so there is no verdict."""
    await ledger.close(month_after(0))

    class Interrupted(VerificationReader):
        async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
            if not after:
                ledger.archive(month_after(1))
            return await super().stretch(after, before=before, limit=limit)

    books, told = Interrupted(ledger.database), list[object]()
    with pytest.raises(Unavailable):
        told += [one async for one in verify_ledger(books)]

    assert not any(isinstance(one, Summary) for one in told)
    assert (await ledger.verify())[0] == []


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
