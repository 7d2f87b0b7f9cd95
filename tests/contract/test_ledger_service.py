"""The ledger's RPCs over real gRPC and a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.database import Database
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    LedgerStub,
    served,
    wire_account,
    wire_posting,
)


@pytest.fixture
async def ledger(ledger_db: Database) -> AsyncIterator[LedgerStub]:
    """Serve a ledger with a clearing and a seller's account."""
    async with served(ledger_db) as stub:
        accounts = [
            wire_account(CLEARING, noun.Account.ASSET),
            wire_account(SELLER, noun.Account.LIABILITY, floor="0.00"),
        ]
        await stub.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))
        yield stub


async def post(
    ledger: LedgerStub, *postings: posting_pb2.Posting
) -> list[posting_pb2.PostingResult]:
    """Post in one batch."""
    response = await ledger.PostTransactions(service.PostTransactionsRequest(postings=postings))
    return list(response.results)


async def reverse(ledger: LedgerStub, reference: str) -> service.ReverseTransactionResponse:
    """Reverse one transaction."""
    request = service.ReverseTransactionRequest(reference=reference, reason="the charge failed")
    return await ledger.ReverseTransaction(request)


async def balance(ledger: LedgerStub, account_id: str) -> str:
    """Read an account's balance."""
    response = await ledger.GetBalance(service.GetBalanceRequest(account_id=account_id))
    return response.account.balance


def facts(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Read the ErrorInfo of an error."""
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Read the fields of the BadRequest of an error."""
    status = rpc_status.from_call(error)
    assert status is not None
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    return [violation.field for violation in bad.field_violations]


async def test_posting_answers_the_transaction(ledger: LedgerStub) -> None:
    """A posted transaction comes back whole, with what each entry left on its account."""
    (result,) = await post(ledger, wire_posting("charge:1", "99.9", subject_id="pay_1"))

    posted = result.transaction
    assert not result.replayed
    assert posted.transaction_id.startswith("txn_")
    assert (posted.reference, posted.subject_id) == ("charge:1", "pay_1")
    assert posted.effective_at == posted.created_at
    assert [(e.account_id, e.side, e.amount, e.balance_after) for e in posted.entries] == [
        (CLEARING, noun.SIDE_DEBIT, "99.90", "99.90"),
        (SELLER, noun.SIDE_CREDIT, "99.90", "99.90"),
    ]
    assert [e.account_sequence for e in posted.entries] == [1, 1]


async def test_replay_answers_the_first_answer(ledger: LedgerStub) -> None:
    """The same posting again answers the same bytes, however the books have moved since."""
    (first,) = await post(ledger, wire_posting("charge:1"))
    await post(ledger, wire_posting("charge:2"))

    (second,) = await post(ledger, wire_posting("charge:1"))

    assert second.replayed
    assert second.transaction == first.transaction
    assert await balance(ledger, SELLER) == "199.98"


async def test_reference_with_other_entries_is_refused(ledger: LedgerStub) -> None:
    """A reference posted again with other entries is refused, naming what differs."""
    await post(ledger, wire_posting("charge:1", "10.00"))

    (result,) = await post(ledger, wire_posting("charge:1", "11.00"))

    assert result.refusal.reason == "REFERENCE_REUSED"
    assert dict(result.refusal.metadata) == {"reference": "charge:1", "differs": "amounts"}
    assert await balance(ledger, SELLER) == "10.00"


async def test_refused_items_leave_their_neighbours_alone(ledger: LedgerStub) -> None:
    """Each item has its own answer, in the order asked, whatever became of the others."""
    unbalanced = wire_posting("bad:unbalanced")
    unbalanced.entries[1].amount = "1.00"
    results = await post(
        ledger,
        wire_posting("good:1", "1.00"),
        unbalanced,
        wire_posting("bad:amount", "1.001"),
        wire_posting("bad:zero", "0"),
        wire_posting("bad:currency", currency="ZZZ"),
        wire_posting("bad:account", debit="nobody"),
        wire_posting("bad:mismatch", currency="EUR"),
        wire_posting("bad:floor", "5.00", debit=SELLER, credit=CLEARING),
        wire_posting("good:2", "2.00"),
        wire_posting("good:1", "1.00"),
    )

    reasons = [result.refusal.reason for result in results]
    assert reasons == [
        "", "UNBALANCED", "INVALID_AMOUNT", "INVALID_AMOUNT", "UNKNOWN_CURRENCY",
        "ACCOUNT_NOT_FOUND", "CURRENCY_MISMATCH", "FLOOR_PASSED", "", "",
    ]  # fmt: skip
    assert results[2].refusal.metadata["field"] == "entries[0].amount"
    assert results[7].refusal.metadata["balance"] == "1.00"
    assert [result.replayed for result in results] == [False] * 9 + [True]
    assert await balance(ledger, SELLER) == "3.00"


async def test_reversal_exchanges_the_sides_once(ledger: LedgerStub) -> None:
    """A reversal brings the balances back, and happens once however often it is asked for."""
    await post(ledger, wire_posting("charge:1", subject_id="pay_1"))

    first = await reverse(ledger, "charge:1")
    second = await reverse(ledger, "charge:1")

    assert first == second
    assert first.reversal.reference == "charge:1:reversal"
    assert first.reversal.reverses_reference == "charge:1"
    assert (first.reversal.subject_id, first.reversal.description) == ("pay_1", "the charge failed")
    assert [e.side for e in first.reversal.entries] == [noun.SIDE_CREDIT, noun.SIDE_DEBIT]
    assert await balance(ledger, SELLER) == "0.00"
    assert await balance(ledger, CLEARING) == "0.00"


async def test_undo_may_overtake_its_do(ledger: LedgerStub) -> None:
    """Reversing what is not there closes the reference for the posting that arrives later."""
    first = await reverse(ledger, "charge:1")
    second = await reverse(ledger, "charge:1")

    (late,) = await post(ledger, wire_posting("charge:1"))

    assert first.closed_before_arrival
    assert second.closed_before_arrival
    assert late.refusal.reason == "REVERSED_BEFORE_ARRIVAL"
    assert await balance(ledger, SELLER) == "0.00"


async def test_an_undo_cannot_be_undone_in_advance(ledger: LedgerStub) -> None:
    """Nobody closes the name that a reversal will have: the reversal could never come."""
    await post(ledger, wire_posting("charge:1"))

    early = await reverse(ledger, "charge:1:reversal")
    done = await reverse(ledger, "charge:1")
    late = await reverse(ledger, "charge:1:reversal")

    assert early.refusal.reason == "TRANSACTION_NOT_FOUND"
    assert done.reversal.reference == "charge:1:reversal"
    assert late.reversal.reverses_reference == "charge:1:reversal"
    assert await balance(ledger, SELLER) == "99.99"


async def test_reversal_can_be_refused(ledger: LedgerStub) -> None:
    """A reversal that would pass a floor is refused, and may succeed later."""
    await post(ledger, wire_posting("in", "10.00"))
    await post(ledger, wire_posting("out", "10.00", debit=SELLER, credit=CLEARING))

    refused = await reverse(ledger, "in")
    await reverse(ledger, "out")
    done = await reverse(ledger, "in")

    assert refused.refusal.reason == "FLOOR_PASSED"
    assert done.reversal.reverses_reference == "in"


async def test_opening_again_answers_the_account_or_what_differs(
    ledger: LedgerStub,
) -> None:
    """An account that is there answers as it is; asked for with other facts it is refused."""
    await post(ledger, wire_posting("charge:1", "5.00"))

    response = await ledger.OpenAccounts(
        service.OpenAccountsRequest(
            accounts=[
                wire_account(SELLER, noun.Account.LIABILITY, floor="0"),
                wire_account(SELLER, noun.Account.ASSET, floor="-1"),
                wire_account("fees:USD", noun.Account.REVENUE),
                wire_account("fees:USD", noun.Account.REVENUE),
                wire_account("odd", noun.Account.ASSET, floor="1e3"),
            ]
        )
    )

    same, other, new, again, odd = response.results
    assert (same.account.balance, same.account.entry_count) == ("5.00", 1)
    assert other.refusal.reason == "ACCOUNT_DIFFERS"
    assert other.refusal.metadata["differs"] == "type,floor"
    assert new.account.status == noun.Account.OPEN
    assert again == new
    assert odd.refusal.reason == "INVALID_AMOUNT"


async def test_what_is_not_there_is_not_found(ledger: LedgerStub) -> None:
    """Unknown references and accounts are NOT_FOUND, with the reason and the id."""
    with pytest.raises(grpc.aio.AioRpcError) as no_transaction:
        await ledger.GetTransaction(service.GetTransactionRequest(reference="none"))
    with pytest.raises(grpc.aio.AioRpcError) as no_account:
        await ledger.GetBalance(service.GetBalanceRequest(account_id="none"))

    assert no_transaction.value.code() == grpc.StatusCode.NOT_FOUND
    info = facts(no_transaction.value)
    assert (info.reason, info.domain) == ("TRANSACTION_NOT_FOUND", "ledger.paymesh")
    assert dict(info.metadata) == {"reference": "none"}
    assert no_account.value.code() == grpc.StatusCode.NOT_FOUND
    assert facts(no_account.value).reason == "ACCOUNT_NOT_FOUND"


async def test_closed_reference_has_no_transaction(ledger: LedgerStub) -> None:
    """A closed reference reads as not there."""
    await reverse(ledger, "charge:1")

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ledger.GetTransaction(service.GetTransactionRequest(reference="charge:1"))

    assert facts(error.value).reason == "TRANSACTION_NOT_FOUND"


async def test_get_transaction_reads_what_was_posted(ledger: LedgerStub) -> None:
    """A transaction reads as it was answered, its own time of effect included."""
    asked = wire_posting("charge:1")
    asked.description = "pay-in of order 789"
    asked.effective_at.FromDatetime(datetime(2024, 1, 15, tzinfo=UTC))
    (posted,) = await post(ledger, asked)

    found = await ledger.GetTransaction(service.GetTransactionRequest(reference="charge:1"))

    assert found.transaction == posted.transaction
    assert found.transaction.effective_at == asked.effective_at
    assert found.transaction.description == "pay-in of order 789"


async def test_bad_requests_name_the_field(ledger: LedgerStub) -> None:
    """What can never be right is INVALID_ARGUMENT, with the field's path, and posts nothing."""
    lonely = wire_posting("ok")
    del lonely.entries[1]
    nul = wire_posting("nul")
    nul.description = "a\0b"
    ancient = wire_posting("ancient")
    ancient.effective_at.seconds = -62135596800
    wrong = {
        "postings[0].reference": wire_posting("spaces are out"),
        "postings[0].entries": lonely,
        "postings[0].description": nul,
        "postings[0].effective_at": ancient,
    }
    for field, asked in wrong.items():
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await post(ledger, asked, wire_posting("neighbour"))

        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == [field]
    assert await balance(ledger, SELLER) == "0.00"


async def listed(ledger: LedgerStub, page_size: int, **filters: str) -> list[tuple[str, str]]:
    """Walk all pages; answer (reference, account id) of each entry."""
    found, token = [], ""
    while True:
        page = await ledger.ListEntries(
            service.ListEntriesRequest(page_size=page_size, page_token=token, **filters)
        )
        assert len(page.entries) <= page_size
        found += [(entry.reference, entry.account_id) for entry in page.entries]
        token = page.next_page_token
        if not token:
            return found
        assert len(found) < 100, "the pages do not end"


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
async def test_pages_hold_every_entry_once_the_newest_first(
    ledger: LedgerStub, page_size: int
) -> None:
    """Walking the pages sees each entry once, whatever the filter and the page size."""
    await post(ledger, *[wire_posting(f"a:{n}", subject_id="pay_1") for n in range(4)])
    await post(ledger, *[wire_posting(f"b:{n}", subject_id="pay_2") for n in range(3)])
    newest_first = ["b:2", "b:1", "b:0", "a:3", "a:2", "a:1", "a:0"]

    everything = await listed(ledger, page_size)
    of_seller = await listed(ledger, page_size, account_id=SELLER)
    of_payment = await listed(ledger, page_size, subject_id="pay_2")
    of_both = await listed(ledger, page_size, subject_id="pay_1", account_id=CLEARING)

    assert everything == [(r, name) for r in newest_first for name in (SELLER, CLEARING)]
    assert of_seller == [(r, SELLER) for r in newest_first]
    assert of_payment == [(r, name) for r in newest_first[:3] for name in (SELLER, CLEARING)]
    assert of_both == [(r, CLEARING) for r in newest_first[3:]]


async def test_page_token_is_bound_to_its_filters(ledger: LedgerStub) -> None:
    """A token with other filters, or one that is none of ours, is INVALID_ARGUMENT."""
    await post(ledger, *[wire_posting(f"a:{n}") for n in range(3)])
    page = await ledger.ListEntries(service.ListEntriesRequest(account_id=SELLER, page_size=1))

    for token, account_id in ((page.next_page_token, CLEARING), ("!", SELLER), ("bnVsbA", SELLER)):
        request = service.ListEntriesRequest(account_id=account_id, page_token=token)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await ledger.ListEntries(request)

        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == ["page_token"]


async def test_trial_balance_sums_each_currency(ledger: LedgerStub) -> None:
    """The trial balance has a line per currency, with the currency's own decimals."""
    yen = [
        posting_pb2.NewAccount(account_id=name, type=noun.Account.ASSET, currency="JPY")
        for name in ("y:1", "y:2")
    ]
    await ledger.OpenAccounts(service.OpenAccountsRequest(accounts=yen))
    await post(
        ledger,
        wire_posting("a", "1.50"),
        wire_posting("b", "2"),
        wire_posting("c", "700", debit="y:1", credit="y:2", currency="JPY"),
    )

    response = await ledger.GetTrialBalance(service.GetTrialBalanceRequest())

    lines = [
        (x.currency, x.debits, x.credits, x.difference, x.account_count) for x in response.lines
    ]
    assert lines == [("JPY", "700", "700", "0", 2), ("USD", "3.50", "3.50", "0.00", 2)]
