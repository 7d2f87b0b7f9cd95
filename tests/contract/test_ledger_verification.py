"""Verification on a real PostgreSQL: what its owner changes by SQL is found and named."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import psycopg
import pytest
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import report_pb2

from chassis.database import Database
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Reversal
from ledger_svc.store import LedgerStore
from ledger_svc.verification_reader import PAGE, VerificationReader
from tests.contract.test_ledger_service import fields
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    LedgerStub,
    new_account,
    posting,
    served,
    wire_account,
    wire_posting,
)

COUNT = 50


@pytest.fixture
async def ledger(ledger_db: Database) -> AsyncIterator[LedgerStub]:
    """Serve a ledger with fifty transactions, one of them pending and one reversed."""
    async with served(ledger_db) as stub:
        accounts = [
            wire_account(CLEARING, noun.Account.ASSET),
            wire_account(SELLER, noun.Account.LIABILITY),
        ]
        await stub.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))
        postings = [wire_posting(f"a:{n}", "1.00") for n in range(COUNT - 1)]
        postings[7].pending = True
        await stub.PostTransactions(service.PostTransactionsRequest(postings=postings))
        await stub.ReverseTransaction(
            service.ReverseTransactionRequest(reference="a:3", reason="undo")
        )
        yield stub


async def verified(
    ledger: LedgerStub,
) -> tuple[list[report_pb2.Offence], report_pb2.VerificationSummary]:
    """Verify; the last message must be the summary."""
    messages = [m async for m in ledger.VerifyLedger(service.VerifyLedgerRequest())]
    assert messages[-1].WhichOneof("message") == "summary"
    assert messages[0].progress.total == COUNT
    return [m.offence for m in messages if m.HasField("offence")], messages[-1].summary


async def test_true_books_are_sound(ledger: LedgerStub) -> None:
    """The summary tells how much was looked at."""
    offences, summary = await verified(ledger)

    assert offences == []
    assert summary.sound
    counts = (summary.transaction_count, summary.entry_count, summary.account_count)
    assert counts == (COUNT, 2 * (COUNT - 1), 2)
    assert summary.stream_count == 1


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE entries SET amount = 9 WHERE account_sequence = 5 AND is_debit", "UNBALANCED"),
        ("UPDATE entries SET balance_after = 9 WHERE account_sequence = 5", "WRONG_BALANCE"),
        ("UPDATE entries SET balance_after = 999999999999999.9999", "WRONG_BALANCE"),
        ("UPDATE entries SET amount = amount + 0.0040 WHERE account_sequence = 5", "WRONG_HASH"),
        ("UPDATE entries SET balance_after = balance_after + 0.004", "WRONG_HASH"),
        ("UPDATE entries SET account_sequence = 99 WHERE account_sequence = 5", "WRONG_SEQUENCE"),
        ("UPDATE transactions SET description = 'x' WHERE reference = 'a:5'", "WRONG_HASH"),
        ("UPDATE transactions SET hash = decode(repeat('00', 32), 'hex')", "WRONG_HASH"),
        ("DELETE FROM transactions WHERE reference = 'a:5'", "WRONG_STREAM"),
        ("DELETE FROM transactions WHERE reference = 'a:3:reversal'", "WRONG_STREAM"),
        ("DELETE FROM entries WHERE account_sequence = 5 AND is_debit", "UNBALANCED"),
        (
            "INSERT INTO entries SELECT account_key, 99, '00000000-0000-8000-8001-000000000005', 1,"
            " true, 1, 1 FROM accounts WHERE type = 'ASSET'",
            "WRONG_STREAM",
        ),
        ("DELETE FROM pending_lines", "WRONG_PENDING"),
        ("DELETE FROM open_pendings", "WRONG_PENDING"),
        ("INSERT INTO open_pendings VALUES ('a:5', now())", "WRONG_PENDING"),
        ("UPDATE pending_lines SET amount = 999999999999999.99", "WRONG_PENDING"),
        ("UPDATE accounts SET balance = balance + 0.0040 WHERE type = 'ASSET'", "WRONG_ACCOUNT"),
        ("UPDATE accounts SET balance = balance + 1 WHERE type = 'ASSET'", "WRONG_ACCOUNT"),
        ("UPDATE accounts SET pending_in = 0", "WRONG_PENDING"),
        ("UPDATE claims SET reference = 'z' WHERE reference = 'a:5'", "WRONG_CLAIM"),
        ("DELETE FROM claims WHERE reference = 'a:5'", "WRONG_CLAIM"),
        ("UPDATE streams SET number = number - 1", "WRONG_STREAM"),
        ("DELETE FROM streams", "WRONG_STREAM"),
    ],
)
async def test_what_the_owner_changes_is_found(
    ledger: LedgerStub, ledger_database: ServiceDatabase, statement: str, kind: str
) -> None:
    """Each way of changing history has its offence."""
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute(statement)  # type: ignore[arg-type]

    messages = [m async for m in ledger.VerifyLedger(service.VerifyLedgerRequest())]

    summary = messages[-1].summary
    kinds = {
        report_pb2.Offence.Kind.Name(m.offence.kind) for m in messages if m.HasField("offence")
    }
    assert kind in kinds
    assert not summary.sound
    assert summary.offence_count >= 1


async def test_known_seals_that_differ_among_themselves_are_refused(ledger: LedgerStub) -> None:
    """One of the two would not be looked at; twice the same is held once."""
    known = [service.KnownSeal(number=7, hash=bytes([n]) * 32) for n in (1, 1, 2)]
    other = service.VerifyLedgerRequest(known_seals=known)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        _ = [one async for one in ledger.VerifyLedger(other)]
    same = service.VerifyLedgerRequest(known_seals=known[:2])
    told = [m.offence async for m in ledger.VerifyLedger(same) if m.HasField("offence")]

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(refused.value) == ["known_seals[2].hash"]
    assert [one.subject for one in told] == ["seal 7"]


async def test_seals_are_made_once_and_bind(
    ledger: LedgerStub, ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """Many sealers make one seal; who rewrites the last hash, head and all, does not fit it."""
    sealers = [VerificationReader(ledger_db) for _ in range(4)]

    made = await asyncio.gather(*(sealer.seal() for sealer in sealers))
    again = await sealers[0].seal()

    assert sum(seal is not None for seal in made) == 1
    assert again is None
    listed = await ledger.ListSeals(service.ListSealsRequest())
    (seal,) = listed.seals
    assert [(head.stream, head.number) for head in seal.heads] == [(1, COUNT)]
    offences, summary = await verified(ledger)
    assert (offences, summary.seal_count) == ([], 1)
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute("UPDATE seals SET sealed_at = now()")
    offences, _ = await verified(ledger)
    assert [offence.subject for offence in offences] == ["seal 1"]


async def test_seals_are_listed_page_by_page(ledger: LedgerStub, ledger_db: Database) -> None:
    """The newest first, each once; a token goes with what it was made with."""
    books, store = VerificationReader(ledger_db), LedgerStore(ledger_db)
    for number in range(5):
        await store.do([posting(f"s:{number}", "1.00")])
        assert await books.seal() is not None
    request = service.ListSealsRequest(page_size=2)
    found = []
    while True:
        page = await ledger.ListSeals(request)
        found += [seal.number for seal in page.seals]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
        token = page.next_page_token

    assert found == [5, 4, 3, 2, 1]
    rest = await ledger.ListSeals(service.ListSealsRequest(before=3))
    assert [seal.number for seal in rest.seals] == [2, 1]
    assert not rest.next_page_token
    for other in (
        ledger.ListSeals(service.ListSealsRequest(before=3, page_token=token)),
        ledger.ListCheckpoints(service.ListCheckpointsRequest(page_token=token)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await other
        assert fields(error.value) == ["page_token"]


async def test_accounts_of_many_pages_are_of_one_moment(
    ledger: LedgerStub, ledger_db: Database
) -> None:
    """What is moved meanwhile between accounts of the first page and the last stands on neither."""
    store = LedgerStore(ledger_db)
    names = [f"m:{number:05}" for number in range(2 * PAGE + PAGE // 2)]
    await store.open_accounts([new_account(name, AccountType.LIABILITY) for name in names])
    first, last = names[0], names[-1]
    stopped = asyncio.Event()

    async def write() -> None:
        turn = 0
        while not stopped.is_set():
            turn += 1
            await store.do([posting(f"w:{turn}", "1.00", debit=first, credit=last)])

    writer = asyncio.create_task(write())
    for _ in range(5):
        messages = [m async for m in ledger.VerifyLedger(service.VerifyLedgerRequest())]
        assert not [m.offence for m in messages if m.HasField("offence")]
        assert messages[-1].summary.account_count == len(names) + 2
    stopped.set()
    await writer


async def test_books_are_verified_while_they_are_written_to(
    ledger: LedgerStub, ledger_db: Database
) -> None:
    """What comes meanwhile is left for the next time, and nothing true is told as wrong."""
    store = LedgerStore(ledger_db)
    stopped = asyncio.Event()

    async def write(writer: int) -> int:
        turn = 0
        while not stopped.is_set():
            (outcome,) = await store.do([posting(f"w:{writer}:{turn}", "1.00")])
            assert isinstance(outcome, Posted)
            await store.do([Reversal(f"w:{writer}:{turn}", "undo")])
            turn += 1
        return turn

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    summaries = []
    for _ in range(10):
        messages = [m async for m in ledger.VerifyLedger(service.VerifyLedgerRequest())]
        assert not [m.offence for m in messages if m.HasField("offence")]
        summaries.append(messages[-1].summary.transaction_count)
    stopped.set()
    turns = await asyncio.gather(*writers)

    assert summaries == sorted(summaries)
    assert summaries[-1] > summaries[0] >= COUNT
    assert sum(turns) > 0
