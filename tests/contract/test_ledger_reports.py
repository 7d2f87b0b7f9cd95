"""Balances at any time, statements, exports and lists by time, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.database import Database
from tests.contract.test_ledger_service import fields
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    LedgerStub,
    served,
    wire_account,
    wire_posting,
)

COUNT = 6


@pytest.fixture
async def ledger(ledger_db: Database) -> AsyncIterator[LedgerStub]:
    """Serve a ledger with a clearing and a seller's account."""
    async with served(ledger_db) as stub:
        accounts = [
            wire_account(CLEARING, noun.Account.ASSET),
            wire_account(SELLER, noun.Account.LIABILITY),
        ]
        await stub.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))
        yield stub


@pytest.fixture
async def times(ledger: LedgerStub) -> list[Timestamp]:
    """Post 1.00 six times, one after the other; tell when each was written."""
    written = []
    for number in range(COUNT):
        asked = wire_posting(f"a:{number}", "1.00")
        asked.effective_at.FromDatetime(datetime(2024, 1, 1 + number, tzinfo=UTC))
        response = await ledger.PostTransactions(service.PostTransactionsRequest(postings=[asked]))
        written.append(response.results[0].transaction.created_at)
    return written


def just_before(stamp: Timestamp) -> Timestamp:
    """Go back a microsecond."""
    earlier = Timestamp()
    earlier.FromDatetime(stamp.ToDatetime(UTC) - timedelta(microseconds=1))
    return earlier


async def test_a_balance_is_told_at_any_time(ledger: LedgerStub, times: list[Timestamp]) -> None:
    """At the time of an entry it counts, a microsecond before it does not."""

    async def at(moment: Timestamp) -> tuple[str, int]:
        request = service.GetBalanceRequest(account_id=SELLER, at=moment)
        account = (await ledger.GetBalance(request)).account
        return account.balance, account.entry_count

    assert [await at(moment) for moment in times] == [(f"{n}.00", n) for n in range(1, COUNT + 1)]
    assert await at(just_before(times[3])) == ("3.00", 3)
    assert await at(just_before(times[0])) == ("0.00", 0)


async def test_a_balance_is_told_by_when_entries_count_from(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """Backdated entries count from their time of effect, when that is asked for."""
    request = service.GetBalanceRequest(account_id=SELLER, by_effective_at=True)
    request.at.FromDatetime(datetime(2024, 1, 3, tzinfo=UTC))

    account = (await ledger.GetBalance(request)).account

    assert (account.balance, account.entry_count) == ("3.00", 3)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ledger.GetBalance(service.GetBalanceRequest(account_id=SELLER, by_effective_at=True))
    assert fields(error.value) == ["by_effective_at"]


async def test_a_trial_balance_is_told_at_any_time(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """At each moment it sums to zero."""
    sums = []
    for moment in (just_before(times[0]), *times):
        request = service.GetTrialBalanceRequest(at=moment)
        (line,) = (await ledger.GetTrialBalance(request)).lines
        sums.append((line.debits, line.credits, line.difference, dict(line.by_type)))

    assert sums == [
        (f"{n}.00", f"{n}.00", "0.00", {"ASSET": f"{n}.00", "LIABILITY": f"{n}.00"})
        for n in range(COUNT + 1)
    ]


async def test_a_statement_tells_a_period(ledger: LedgerStub, times: list[Timestamp]) -> None:
    """What the account had before, each entry within, what it had at the end; page by page."""
    request = service.GetStatementRequest(account_id=SELLER, to=times[5], page_size=2)
    getattr(request, "from").CopyFrom(times[1])
    pages = []
    while True:
        pages.append(await ledger.GetStatement(request))
        request.page_token = pages[-1].next_page_token
        if not request.page_token:
            break

    for page in pages:
        told = page.opening_balance, page.closing_balance, page.entry_count
        assert told == ("1.00", "5.00", 4)
        assert page.account.balance == "6.00"
    found = [entry for page in pages for entry in page.entries]
    assert [e.reference for e in found] == ["a:1", "a:2", "a:3", "a:4"]
    assert [e.balance_after for e in found] == ["2.00", "3.00", "4.00", "5.00"]
    assert found[0].effective_at.ToDatetime(UTC) == datetime(2024, 1, 2, tzinfo=UTC)


async def test_a_statement_of_everything_needs_no_times(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """From the first entry to now."""
    told = await ledger.GetStatement(service.GetStatementRequest(account_id=SELLER))

    assert len(times) == len(told.entries) == told.entry_count == COUNT
    assert (told.opening_balance, told.closing_balance) == ("0.00", "6.00")


async def test_a_period_that_ends_before_it_starts_is_refused(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """The field is named."""
    request = service.GetStatementRequest(account_id=SELLER, to=times[0])
    getattr(request, "from").CopyFrom(times[1])

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ledger.GetStatement(request)

    assert fields(error.value) == ["to"]


async def test_entries_are_listed_by_transaction_and_by_time(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """From a time on, and before another; a reference that is not there has none."""

    async def listed(request: service.ListEntriesRequest) -> list[tuple[str, str]]:
        return [(e.reference, e.account_id) for e in (await ledger.ListEntries(request)).entries]

    within = service.ListEntriesRequest(
        account_id=SELLER, created_from=times[2], created_to=times[4]
    )
    assert await listed(within) == [("a:3", SELLER), ("a:2", SELLER)]
    assert await listed(service.ListEntriesRequest(reference="a:1")) == [
        ("a:1", SELLER),
        ("a:1", CLEARING),
    ]
    assert await listed(service.ListEntriesRequest(reference="none")) == []


async def test_an_export_sends_everything_and_goes_on_where_it_broke_off(
    ledger: LedgerStub, times: list[Timestamp]
) -> None:
    """The oldest first; a token goes on after what was sent, and holds for the same filters."""
    postings = [wire_posting(f"b:{n}", "0.01") for n in range(700)]
    await ledger.PostTransactions(service.PostTransactionsRequest(postings=postings))
    request = service.ExportEntriesRequest(created_to=times[5])
    everything = service.ExportEntriesRequest()

    some = [message async for message in ledger.ExportEntries(request)]
    all_ = [message async for message in ledger.ExportEntries(everything)]
    everything.resume_token = all_[0].resume_token
    rest = [message async for message in ledger.ExportEntries(everything)]

    assert [e.reference for m in some for e in m.entries] == [
        f"a:{n // 2}" for n in range(2 * (COUNT - 1))
    ]
    assert [len(message.entries) for message in all_] == [250] * 5 + [162]
    assert [list(m.entries) for m in rest] == [list(m.entries) for m in all_[1:]]
    request.resume_token = all_[0].resume_token
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await anext(aiter(ledger.ExportEntries(request)))
    assert fields(error.value) == ["resume_token"]


async def test_an_entry_says_what_its_transaction_does(ledger: LedgerStub) -> None:
    """Its kind, what it is for and what it undoes or ends, in every list; nothing of it is said
    twice inside of a transaction.
    """
    asked = [wire_posting("a", "1.00"), wire_posting("p", "2.00")]
    asked[0].description, asked[1].pending = "An apple", True
    posted = await ledger.PostTransactions(service.PostTransactionsRequest(postings=asked))
    end = posting_pb2.Resolution(reference="p", action=posting_pb2.Resolution.POST, reason="paid")
    await ledger.ResolveTransactions(service.ResolveTransactionsRequest(resolutions=[end]))
    back = service.ReverseTransactionRequest(reference="a", reason="rotten")
    await ledger.ReverseTransaction(back)

    lists = [
        list((await ledger.ListEntries(service.ListEntriesRequest(account_id=SELLER))).entries),
        list((await ledger.ListEntries(service.ListEntriesRequest(reference="a"))).entries)[:1],
    ]
    for by_effective_at in (False, True):
        statement = service.GetStatementRequest(account_id=SELLER, by_effective_at=by_effective_at)
        lists.append(list((await ledger.GetStatement(statement)).entries))
    export = service.ExportEntriesRequest(account_id=SELLER)
    lists.append([e async for chunk in ledger.ExportEntries(export) for e in chunk.entries])

    def said(entry: noun.Entry) -> tuple[object, ...]:
        does = noun.Transaction.Kind.Name(entry.kind), entry.description
        return *does, entry.reverses_reference, entry.resolves_reference

    first, ended, reversed_ = [
        ("POSTED", "An apple", "", ""),
        ("PENDING_POSTED", "paid", "", "p"),
        ("POSTED", "rotten", "a", ""),
    ]
    assert [said(entry) for entry in lists[0]] == [reversed_, ended, first]
    assert [said(entry) for entry in lists[1]] == [first]
    for told in lists[2:]:
        assert [said(entry) for entry in told] == [first, ended, reversed_]
    within = posted.results[0].transaction.entries[0]
    assert said(within) == ("KIND_UNSPECIFIED", "", "", "")


async def test_times_before_any_computer_are_times(ledger: LedgerStub) -> None:
    """There are no ids of before 1970: such a period begins with the first entry, or is empty."""
    await ledger.PostTransactions(
        service.PostTransactionsRequest(postings=[wire_posting("a", "1.00")])
    )
    long_ago = Timestamp(seconds=-1_000_000_000)

    since = await ledger.ListEntries(service.ListEntriesRequest(created_from=long_ago))
    until = await ledger.ListEntries(service.ListEntriesRequest(created_to=long_ago))
    then = await ledger.GetBalance(service.GetBalanceRequest(account_id=SELLER, at=long_ago))

    assert (len(since.entries), len(until.entries)) == (2, 0)
    assert then.account.balance == "0.00"


async def test_an_export_of_nothing_ends_at_once(ledger: LedgerStub) -> None:
    """An account without entries has nothing to send but up to when that is so."""
    request = service.ExportEntriesRequest(account_id=SELLER)

    (last,) = [message async for message in ledger.ExportEntries(request)]

    assert list(last.entries) == []
    assert last.resume_token == ""
    assert last.HasField("whole_until")


async def test_before_1970_there_was_nothing(ledger: LedgerStub, times: list[Timestamp]) -> None:
    """Times that no transaction's id can say are times all the same."""
    then = Timestamp()
    then.FromDatetime(datetime(1960, 1, 1, tzinfo=UTC))
    whole = service.GetStatementRequest(account_id=SELLER)
    getattr(whole, "from").CopyFrom(then)

    account = await ledger.GetBalance(service.GetBalanceRequest(account_id=SELLER, at=then))
    trial = await ledger.GetTrialBalance(service.GetTrialBalanceRequest(at=then))
    since = await ledger.ListEntries(service.ListEntriesRequest(created_from=then))
    until = service.ExportEntriesRequest(created_to=then)
    (chunk,) = [chunk async for chunk in ledger.ExportEntries(until)]
    statement = await ledger.GetStatement(whole)

    assert (account.account.balance, account.account.entry_count) == ("0.00", 0)
    assert [(line.debits, line.credits) for line in trial.lines] == [("0.00", "0.00")]
    assert len(since.entries) == 2 * COUNT
    assert len(chunk.entries) == 0
    assert (statement.opening_balance, statement.entry_count) == ("0.00", COUNT)


@pytest.mark.parametrize("month", ["0000-01", "1969-12", "9999-12", "2026-13"])
async def test_a_month_that_is_none_names_its_field(ledger: LedgerStub, month: str) -> None:
    """Nothing can have been written in such a month."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async for _ in ledger.CloseMonth(service.CloseMonthRequest(month=month, reason="over")):
            pass

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error.value) == ["month"]
