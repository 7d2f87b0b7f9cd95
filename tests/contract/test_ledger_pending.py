"""Pending transactions, linked items and parts taken back, over real gRPC and PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import psycopg
import pytest
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.clock import utc_now
from chassis.database import Database
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Action, Resolution, Reversal
from ledger_svc.store import LedgerStore
from tests.contract.test_ledger_service import fields
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    LedgerStub,
    posting,
    served,
    wire_account,
    wire_posting,
)

POST, VOID = posting_pb2.Resolution.POST, posting_pb2.Resolution.VOID


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


def pending(
    reference: str, amount: str = "10.00", *, expires_at: datetime | None = None
) -> posting_pb2.Posting:
    """Make a pending posting."""
    asked = wire_posting(reference, amount, subject_id="pay_1")
    asked.pending = True
    if expires_at is not None:
        asked.expires_at.FromDatetime(expires_at)
    return asked


def part(amount: str) -> list[noun.NewEntry]:
    """Make the entries of a part."""
    return list(wire_posting("part", amount).entries)


async def post(
    ledger: LedgerStub, *postings: posting_pb2.Posting
) -> list[posting_pb2.PostingResult]:
    """Post in one batch."""
    response = await ledger.PostTransactions(service.PostTransactionsRequest(postings=postings))
    return list(response.results)


async def resolve(
    ledger: LedgerStub, *resolutions: posting_pb2.Resolution
) -> list[posting_pb2.ResolutionResult]:
    """Resolve in one batch."""
    request = service.ResolveTransactionsRequest(resolutions=resolutions)
    return list((await ledger.ResolveTransactions(request)).results)


async def seller(ledger: LedgerStub) -> tuple[str, str]:
    """Tell the seller's balance, and what is coming."""
    read = await ledger.GetBalance(service.GetBalanceRequest(account_id=SELLER))
    return read.account.balance, read.account.pending_in


async def test_what_is_pending_is_posted_in_part(ledger: LedgerStub, ledger_db: Database) -> None:
    """It reserves, then moves the part and frees the rest; it reads back as it was written."""
    (made,) = await post(ledger, pending("p"))
    before = await seller(ledger)

    (end,) = await resolve(
        ledger, posting_pb2.Resolution(reference="p", action=POST, entries=part("4.00"))
    )

    assert made.transaction.kind == noun.Transaction.PENDING
    assert [e.amount for e in made.transaction.pending_entries] == ["10.00", "10.00"]
    assert before == ("0.00", "10.00")
    assert end.transaction.kind == noun.Transaction.PENDING_POSTED
    assert end.transaction.resolves_reference == "p"
    assert await seller(ledger) == ("4.00", "0.00")
    for transaction in (made.transaction, end.transaction):
        request = service.GetTransactionRequest(reference=transaction.reference)
        assert (await ledger.GetTransaction(request)).transaction == transaction
    assert await faults(ledger_db) == {}


async def test_a_batch_of_ends_has_an_answer_each(ledger: LedgerStub) -> None:
    """Posted, voided, closed, refused: side by side."""
    await post(ledger, *[pending(name, "1.00") for name in ("a", "b", "c")])
    one = posting_pb2.Resolution

    results = await resolve(
        ledger,
        one(reference="a", action=POST),
        one(reference="b", action=VOID, reason="gave up"),
        one(reference="never", action=VOID),
        one(reference="nowhere", action=POST),
        one(reference="c", action=POST, entries=part("1.01")),
        one(reference="a", action=POST),
        one(reference="a", action=VOID),
    )

    assert [r.WhichOneof("outcome") for r in results] == [
        "transaction", "transaction", "closed_before_arrival", "refusal", "refusal",
        "transaction", "refusal",
    ]  # fmt: skip
    assert [r.refusal.reason for r in results if r.HasField("refusal")] == [
        "TRANSACTION_NOT_FOUND", "PART_TOO_LARGE", "ALREADY_RESOLVED",
    ]  # fmt: skip
    assert results[5].replayed
    assert results[1].transaction.description == "gave up"
    assert await seller(ledger) == ("1.00", "1.00")


async def test_what_has_had_its_time_expires(ledger: LedgerStub, ledger_db: Database) -> None:
    """The job ends it, once, however many jobs there are; what has time left stays."""
    soon = utc_now() + timedelta(seconds=30)
    await post(ledger, *[pending(f"p:{n}", "1.00", expires_at=soon) for n in range(5)])
    await post(ledger, pending("later", "1.00", expires_at=soon + timedelta(hours=1)))
    jobs = [LedgerStore(ledger_db, clock=lambda: soon) for _ in range(2)]

    looked_at = [await job.expire(limit=3) for job in jobs for _ in range(2)]

    assert looked_at == [3, 2, 0, 0]
    request = service.GetTransactionRequest(reference="p:0:resolution")
    found = (await ledger.GetTransaction(request)).transaction
    assert found.kind == noun.Transaction.PENDING_EXPIRED
    assert await seller(ledger) == ("0.00", "1.00")
    assert await faults(ledger_db) == {}


async def test_the_longest_names_can_end_and_be_undone(ledger: LedgerStub) -> None:
    """Whatever can be posted can be ended, taken back, that too, and read."""
    name = "n" * 200
    await post(ledger, pending(name))

    (ended,) = await resolve(ledger, posting_pb2.Resolution(reference=name, action=POST))
    for reference in (f"{name}:resolution", f"{name}:resolution:reversal"):
        request = service.ReverseTransactionRequest(reference=reference, reason="undo")
        undone = (await ledger.ReverseTransaction(request)).reversal
        found = await ledger.GetTransaction(
            service.GetTransactionRequest(reference=undone.reference)
        )
        assert found.transaction == undone
        listed = service.ListEntriesRequest(reference=undone.reference)
        assert len((await ledger.ListEntries(listed)).entries) == 2

    assert ended.transaction.resolves_reference == name
    assert (await seller(ledger))[0] == "10.00"


async def test_what_cannot_end_keeps_nobody_from_expiring(
    ledger: LedgerStub, ledger_db: Database
) -> None:
    """Two whose end has another transaction, as older versions let it be, are passed over."""
    soon = utc_now() + timedelta(seconds=30)
    names = ("a:1", "a:2", "b:1", "b:2", "b:3")
    await post(ledger, *[pending(name, "1.00", expires_at=soon) for name in names])
    store = LedgerStore(ledger_db, clock=lambda: soon)
    await store.do([posting(f"a:{n}:resolution", "0.01") for n in (1, 2)])

    looked_at = [await store.expire(limit=2) for _ in range(4)]

    assert looked_at == [2, 2, 1, 2]
    assert await seller(ledger) == ("0.02", "2.00")


async def test_linked_items_stand_or_fall_together(ledger: LedgerStub) -> None:
    """A refused item, an unreadable one too, takes its chain with it and nobody else."""
    chain = [wire_posting(name, "1.00") for name in ("a", "b", "c")]
    chain[0].linked = chain[1].linked = True
    chain[2].entries[0].amount = "oops"
    other = [wire_posting("d", "1.00"), wire_posting("e", "1.00", debit="nobody")]
    other[0].linked = True

    results = await post(ledger, wire_posting("before"), *chain, *other, wire_posting("after"))

    assert [r.refusal.reason for r in results] == [
        "", "LINKED_REFUSED", "LINKED_REFUSED", "INVALID_AMOUNT", "LINKED_REFUSED",
        "ACCOUNT_NOT_FOUND", "",
    ]  # fmt: skip
    assert results[1].refusal.metadata["reference"] == "c"
    assert results[4].refusal.metadata["reference"] == "e"
    assert (await seller(ledger))[0] == "199.98"


async def test_parts_are_taken_back_by_their_own_reference(ledger: LedgerStub) -> None:
    """A part happens once per reference, and all parts never pass the whole."""
    await post(ledger, wire_posting("a", "10.00"))

    def back(own: str, amount: str) -> service.ReverseTransactionRequest:
        return service.ReverseTransactionRequest(
            reference="a", reason="one item", entries=part(amount), reversal_reference=own
        )

    first = await ledger.ReverseTransaction(back("r:1", "4.00"))
    again = await ledger.ReverseTransaction(back("r:1", "4.00"))
    too_much = await ledger.ReverseTransaction(back("r:2", "6.01"))
    rest = await ledger.ReverseTransaction(
        service.ReverseTransactionRequest(reference="a", reason="the rest")
    )
    nothing = await ledger.ReverseTransaction(back("r:3", "0.01"))

    assert again == first
    assert first.reversal.reverses_reference == "a"
    assert too_much.refusal.reason == "PART_TOO_LARGE"
    assert too_much.refusal.metadata["left"] == "6.00"
    assert [e.amount for e in rest.reversal.entries] == ["6.00", "6.00"]
    assert nothing.refusal.reason == "PART_TOO_LARGE"
    assert (await seller(ledger))[0] == "0.00"


async def test_what_makes_no_sense_names_its_field(ledger: LedgerStub) -> None:
    """A last item that is linked, a time without `pending`, entries of a void, half a part, a name
    of the ledger's own.
    """
    linked = wire_posting("a")
    linked.linked = True
    timed = wire_posting("b")
    timed.expires_at.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    void = posting_pb2.Resolution(reference="p", action=VOID, entries=part("1.00"))
    nameless = service.ReverseTransactionRequest(reference="a", reason="x", entries=part("1.00"))
    posing = service.ReverseTransactionRequest(
        reference="a", reason="x", entries=part("1.00"), reversal_reference="a:reversal"
    )
    calls = [
        ("postings[1].reference", post(ledger, wire_posting("x"), wire_posting("p:resolution"))),
        ("postings[0].reference", post(ledger, wire_posting("a:reversal"))),
        ("postings[0].linked", post(ledger, linked)),
        ("postings[0].expires_at", post(ledger, timed)),
        ("resolutions[0].entries", resolve(ledger, void)),
        ("reversal_reference", ledger.ReverseTransaction(nameless)),
        ("reversal_reference", ledger.ReverseTransaction(posing)),
    ]
    for field, call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == [field]


async def test_lines_that_were_added_to_what_was_posted_are_not_taken_back(
    ledger: LedgerStub, ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """Whoever may insert added them; the batch reads what is pending as well."""
    await post(ledger, wire_posting("a", "1.00"), pending("p"))
    with psycopg.connect(ledger_database.owner_url) as owner:
        owner.execute(
            "INSERT INTO pending_lines SELECT transaction_id, line, account_key, is_debit, 500"
            " FROM entries"
        )

    undone, ended = await LedgerStore(ledger_db).do(
        [Reversal("a", "undo"), Resolution("p", Action.POST)]
    )

    assert isinstance(undone, Posted)
    assert isinstance(ended, Posted)
    assert [str(entry.amount) for entry in undone.transaction.entries] == ["1.00", "1.00"]
