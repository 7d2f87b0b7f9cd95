"""Reports by when entries count from, with and without checkpoints, against plain sums."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from chassis.database import Database, Transaction
from chassis.errors import InvalidRequest
from ledger_svc.domain import errors
from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Posting
from ledger_svc.domain.transaction import Entry
from ledger_svc.effect_statements import ENTRIES, SHIFTS_OF_ACCOUNT
from ledger_svc.ports import BalanceAt, EntryFilter, Page, Period
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.get_balance import get_balance
from ledger_svc.use_cases.get_effective_statement import get_effective_statement
from ledger_svc.use_cases.get_statement import Statement, get_statement
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from tests.contract.four_months import NOW, Ledger, four_months, month_after
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import CLEARING, SELLER, open_two, posting

_DAY = timedelta(days=1)
_MANY = """
INSERT INTO transactions
    (transaction_id, created_at, effective_at, kind, reference, description, subject_id, hash)
SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 'POSTED', 'n:' || n, '', '', sha256('')
FROM generate_series(1, 5000) AS n
"""
_FIRST, _LAST = "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
_VALUES = {
    "at": "now()", "end": "now()", "after_at": "now()", "first": f"{_FIRST}::uuid",
    "last": f"{_LAST}::uuid", "after_id": f"{_FIRST}::uuid", "key": "1::bigint",
    "is_debit": "true", "after_line": "0", "limit": "10",
}  # fmt: skip
LONG_AGO = datetime(1960, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["of few", "of many"])
async def mixed(
    ledger_db: Database, ledger_database: ServiceDatabase, request: pytest.FixtureRequest
) -> Ledger:
    """Have accounts count as such with few entries, or many; both must tell the same.

    Write three transactions a month, over four months; the third counts from long before, or
    long after, it was written.
    """
    made = Ledger(ledger_db, ledger_database.owner_url, month_after(4) + 3 * _DAY)
    made.few = 10_000 if request.param == "of few" else 0
    await open_two(LedgerStore(ledger_db))
    for month, days in enumerate((75, -40, -100, 20)):
        for number in range(2):
            await _write(made, posting(f"{month}:{number}", "1.00"), month, number)
        asked = posting(f"{month}:shifted", f"{month + 1}.50", debit=SELLER, credit=CLEARING)
        at = month_after(month) + timedelta(days=days)
        await _write(made, replace(asked, effective_at=at), month, 2)
    return made


@pytest.fixture
async def ledger(ledger_db: Database, ledger_database: ServiceDatabase) -> Ledger:
    """Books of four months."""
    return await four_months(ledger_db, ledger_database.owner_url)


@pytest.fixture
async def archived(ledger: Ledger) -> Ledger:
    """Close and archive the first two months."""
    await ledger.close(month_after(1))
    ledger.archive(month_after(2))
    return ledger


async def _write(ledger: Ledger, asked: Posting, month: int, number: int) -> None:
    at = month_after(month) + timedelta(days=3 + number)
    assert isinstance(await ledger.do(asked, max(at, NOW)), Posted)


def sums(entries: list[Entry], at: datetime) -> Decimal:
    """Sum what counts up to a time on the seller's account."""
    return sum(
        (
            e.amount.amount if e.side.value == "CREDIT" else -e.amount.amount
            for e in entries
            if e.effective_at <= at
        ),
        Decimal(0),
    )


async def seller_entries(ledger: Ledger, *, oldest_first: bool = False) -> list[Entry]:
    """Read all entries of the seller's account."""
    page = Page(99, oldest_first=oldest_first)
    found = await ledger.reader.entries(EntryFilter(account_id=SELLER), page)
    return [listed.entry for listed in found]


async def statement(ledger: Ledger, period: Period, token: str = "") -> Statement:
    """Ask for a statement by pages of three."""
    return await get_effective_statement(
        ledger.reader, SELLER, period, page_size=3, page_token=token
    )


@pytest.mark.parametrize("closed", [None, 0, 1, 2])
async def test_reports_are_the_sums_of_what_counts(mixed: Ledger, closed: int | None) -> None:
    """At any time, with whatever month closed; debits are as large as credits."""
    entries = await seller_entries(mixed, oldest_first=True)
    if closed is not None:
        await mixed.close(month_after(closed))
    moments = [e.effective_at + shift for e in entries for shift in (-_DAY / 24, _DAY * 0)]

    for moment in [*moments, month_after(9)]:
        then = await get_balance(mixed.reader, SELLER, moment, by_effective_at=True)
        (line,) = await get_trial_balance(mixed.reader, moment, by_effective_at=True)
        assert then.balance.amount == sums(entries, moment)
        assert then.standing.entry_count == sum(e.effective_at <= moment for e in entries)
        assert line.debits == line.credits == abs(sums(entries, moment))


async def test_a_balance_is_of_one_moment(ledger: Ledger) -> None:
    """What is written while it is read, and counts from later, is not taken off what it had."""

    class Interrupted(LedgerReader):
        async def balance_before(self, account: Account, moment: datetime) -> BalanceAt:
            found = await super().balance_before(account, moment)
            shifted = replace(posting("late", "5.00"), effective_at=ledger.now + 20 * _DAY)
            assert isinstance(await ledger.do(shifted), Posted)
            return found

    reader, at = Interrupted(ledger.database, few=0), ledger.now + 10 * _DAY

    then = await get_balance(reader, SELLER, at, by_effective_at=True)

    assert (str(then.balance), then.standing.entry_count) == ("8.00", 8)


@pytest.mark.parametrize("closed", [None, 1])
async def test_a_statement_has_what_counts_in_its_order(mixed: Ledger, closed: int | None) -> None:
    """Page by page; what it opens and closes with are the balances by effect."""
    entries = await seller_entries(mixed)
    if closed is not None:
        await mixed.close(month_after(closed))
    times = sorted(e.effective_at for e in entries)
    period = Period(times[2], times[-2])

    pages = [await statement(mixed, period)]
    while pages[-1].next_page_token:
        pages.append(await statement(mixed, period, pages[-1].next_page_token))

    found = [e.entry for page in pages for e in page.entries]
    wanted = [e for e in entries if times[2] <= e.effective_at < times[-2]]
    assert found == sorted(wanted, key=lambda e: (e.effective_at, e.transaction_id))
    for page in pages:
        assert page.entry_count == len(wanted) > 3
        assert page.opening_balance.amount == sums(entries, times[2] - _DAY / 24)
        assert page.closing_balance.amount == sums(entries, times[-2] - _DAY / 24)
    whole = await get_effective_statement(
        mixed.reader, SELLER, Period(), page_size=0, page_token=""
    )
    assert (len(whole.entries), whole.closing_balance) == (12, whole.account.balance)


async def test_a_token_of_another_statement_is_refused(mixed: Ledger) -> None:
    """Of another period; so is a period that ends before it starts."""
    token = (await statement(mixed, Period())).next_page_token

    with pytest.raises(InvalidRequest):
        await statement(mixed, Period(NOW, None), token)
    with pytest.raises(InvalidRequest):
        await statement(mixed, Period(NOW, NOW - _DAY))


@pytest.mark.parametrize(
    ("place", "part"),
    [
        (1, "txn_1"), (2, 0), (3, "much"), (3, "1e99"), (3, "NaN"), (4, -1), (5, "0.001"), (6, 0),
        (6, 2**63), (7, 10**30), (8, 3 * 10**17), (9, -1), (10, -(10**30)),
    ],
)  # fmt: skip
async def test_a_token_that_was_not_made_here_is_refused(
    mixed: Ledger, place: int, part: str | int
) -> None:
    """Whatever part of it says what none of ours could."""
    token = (await statement(mixed, Period(LONG_AGO, None))).next_page_token
    parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    parts[4] = 1  # before the period; so none at its end are too few
    parts[place] = part
    forged = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    with pytest.raises(InvalidRequest) as refused:
        await statement(mixed, Period(LONG_AGO, None), forged)

    assert refused.value.violations[0].field == "page_token"


async def test_what_may_count_later_is_not_passed_over_in_the_archive(mixed: Ledger) -> None:
    """What is archived counts whole behind its last effect, and is refused before."""
    entries = await seller_entries(mixed)
    checkpoint = await mixed.close(month_after(1))
    mixed.archive(month_after(2))
    last = checkpoint.effective_until
    assert last > month_after(2)

    then = await get_balance(mixed.reader, SELLER, last, by_effective_at=True)
    (line,) = await get_trial_balance(mixed.reader, last, by_effective_at=True)
    since = await statement(mixed, Period(last + _DAY, None))

    assert then.balance.amount == sums(entries, last)
    assert line.debits == line.credits == abs(sums(entries, last))
    assert since.opening_balance.amount == sums(entries, last + _DAY)
    with pytest.raises(errors.PeriodArchived):
        await get_trial_balance(mixed.reader, last - _DAY, by_effective_at=True)
    with pytest.raises(errors.PeriodArchived):
        await statement(mixed, Period(last - _DAY, None))
    with pytest.raises(errors.PeriodArchived):
        await statement(mixed, Period())


@pytest.mark.parametrize("few", [10_000, 0])
async def test_a_statement_begins_where_the_archive_ends(archived: Ledger, few: int) -> None:
    """It opens with what is archived; by either way of summing, and of both kinds of statement."""
    archived.few = few
    period = Period(month_after(2), None)

    by_effect = await statement(archived, period)
    by_writing = await get_statement(archived.reader, SELLER, period, page_size=3, page_token="")

    assert (str(by_effect.opening_balance), str(by_effect.closing_balance)) == ("4.00", "8.00")
    assert replace(by_effect, next_page_token="") == replace(by_writing, next_page_token="")


@pytest.mark.parametrize("few", [10_000, 0])
async def test_what_is_archived_and_counts_from_its_end_on_is_not_passed_over(
    ledger_db: Database, ledger_database: ServiceDatabase, few: int
) -> None:
    """No statement that begins with the last of its effects could list it, so there is none."""
    made = Ledger(ledger_db, ledger_database.owner_url, month_after(2) + 3 * _DAY, few)
    await open_two(LedgerStore(ledger_db))
    await _write(made, posting("plain", "1.00"), 1, 0)
    await _write(made, replace(posting("shifted", "5.00"), effective_at=month_after(2)), 1, 1)
    assert (await made.close(month_after(1))).effective_until == month_after(2)
    made.archive(month_after(2))

    with pytest.raises(errors.PeriodArchived) as refused:
        await statement(made, Period(month_after(2), None))
    since = datetime.fromisoformat(refused.value.metadata["archivedUntil"])

    assert since == month_after(2) + timedelta(microseconds=1)
    assert str((await statement(made, Period(since, None))).opening_balance) == "6.00"


async def test_a_checkpoint_of_an_older_version_passes_over_nothing(archived: Ledger) -> None:
    """It said the end of the month itself; a statement from then on is refused, the next is not."""
    with psycopg.connect(archived.owner_url) as owner:
        owner.execute("UPDATE checkpoints SET effective_until = until")

    with pytest.raises(errors.PeriodArchived):
        await statement(archived, Period(month_after(2), None))
    later = await statement(archived, Period(month_after(2) + timedelta(microseconds=1), None))

    assert str(later.opening_balance) == "4.00"


@pytest.mark.parametrize("query", [SHIFTS_OF_ACCOUNT, ENTRIES])
async def test_what_is_shifted_is_found_by_its_index(mixed: Ledger, query: str) -> None:
    """However many the server believes there to be, which keeps no statistics of that."""
    async with await psycopg.AsyncConnection.connect(mixed.owner_url, autocommit=True) as owner:
        await owner.execute(_MANY)
        await owner.execute("ANALYZE transactions")

    found = await mixed.database.run(lambda tx: _plan(tx, query))

    of_transactions = [line for line in found if re.search(r" on transactions_\w+", line)]
    ways = {match[1] for line in of_transactions if (match := re.search(r"using (\w+) on", line))}
    assert any("effective_at" in way or "shifted" in way for way in ways)
    assert not [line for line in found if "Hash" in line or "Seq Scan" in line]


async def _plan(tx: Transaction, query: str) -> list[str]:
    """Ask how a query would be run, as a service's connection plans it."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", query)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", query)
    connection = tx._connection
    values = ", ".join(_VALUES[name] for name in names)
    await connection.execute(f"PREPARE asked AS {numbered}")  # type: ignore[arg-type]
    explained = await connection.execute(f"EXPLAIN EXECUTE asked({values})")  # type: ignore[arg-type]
    rows = await explained.fetchall()
    await connection.execute("DEALLOCATE asked")
    return [row["QUERY PLAN"] for row in rows]
