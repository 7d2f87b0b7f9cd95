"""Statuses, bounds and lists of accounts, over real gRPC and a real PostgreSQL."""

from collections.abc import AsyncIterator

import grpc
import pytest
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.database import Database
from tests.contract.test_ledger_service import facts, fields
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    LedgerStub,
    served,
    wire_account,
    wire_posting,
)

ACTOR = (("x-paymesh-actor", "operator:ada"),)


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


async def post(ledger: LedgerStub, *postings: posting_pb2.Posting) -> list[str]:
    """Post in one batch; tell each one's reason, empty for those that were posted."""
    response = await ledger.PostTransactions(service.PostTransactionsRequest(postings=postings))
    return [result.refusal.reason for result in response.results]


async def test_freezing_stops_what_is_new_and_lets_end_what_had_begun(ledger: LedgerStub) -> None:
    """A frozen account refuses postings, takes reversals, and opens again."""
    await post(ledger, wire_posting("a"))
    request = service.FreezeAccountRequest(account_id=SELLER, reason="asked to by the police")

    frozen = await ledger.FreezeAccount(request, metadata=ACTOR)
    again = await ledger.FreezeAccount(request, metadata=ACTOR)
    refused = await post(ledger, wire_posting("b"))
    back = await ledger.ReverseTransaction(
        service.ReverseTransactionRequest(reference="a", reason="undo")
    )
    opened = await ledger.UnfreezeAccount(
        service.UnfreezeAccountRequest(account_id=SELLER, reason="settled"), metadata=ACTOR
    )

    assert frozen.account.status == noun.Account.FROZEN
    assert again == frozen
    assert refused == ["ACCOUNT_FROZEN"]
    assert back.reversal.reference == "a:reversal"
    assert opened.account.status == noun.Account.OPEN
    assert await post(ledger, wire_posting("b")) == [""]


async def test_changes_tell_who_and_why(ledger: LedgerStub) -> None:
    """Each change of status is kept once, the newest first; without a certificate, unverified."""
    freeze = service.FreezeAccountRequest(account_id=SELLER, reason="a question")
    for _ in range(2):
        await ledger.FreezeAccount(freeze, metadata=ACTOR)
    await ledger.CloseAccount(service.CloseAccountRequest(account_id=SELLER, reason="left us"))

    listed = await ledger.ListAccountChanges(service.ListAccountChangesRequest(account_id=SELLER))

    status = noun.Account
    assert [(c.from_status, c.to_status, c.reason, c.actor) for c in listed.changes] == [
        (status.FROZEN, status.CLOSED, "left us", "unverified:system"),
        (status.OPEN, status.FROZEN, "a question", "unverified:operator:ada"),
    ]


async def test_changes_are_told_page_by_page(ledger: LedgerStub) -> None:
    """None is left out or told twice; a token holds for its account alone."""
    for turn in range(3):
        reason = f"turn {turn}"
        await ledger.FreezeAccount(service.FreezeAccountRequest(account_id=SELLER, reason=reason))
        thaw = service.UnfreezeAccountRequest(account_id=SELLER, reason=reason)
        await ledger.UnfreezeAccount(thaw)
    whole = await ledger.ListAccountChanges(service.ListAccountChangesRequest(account_id=SELLER))
    request = service.ListAccountChangesRequest(account_id=SELLER, page_size=2)

    pages = [await ledger.ListAccountChanges(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await ledger.ListAccountChanges(request))

    assert [len(page.changes) for page in pages] == [2, 2, 2]
    assert [change for page in pages for change in page.changes] == list(whole.changes)
    assert not whole.next_page_token
    request.account_id = CLEARING
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ledger.ListAccountChanges(request)
    assert fields(error.value) == ["page_token"]


async def test_an_account_is_closed_empty_and_for_good(ledger: LedgerStub) -> None:
    """With a balance it stays; closed it takes nothing, and is never opened again."""
    close = service.CloseAccountRequest(account_id=SELLER, reason="left us")
    await post(ledger, wire_posting("a"))
    with pytest.raises(grpc.aio.AioRpcError) as not_empty:
        await ledger.CloseAccount(close)
    await ledger.ReverseTransaction(service.ReverseTransactionRequest(reference="a", reason="x"))

    closed = await ledger.CloseAccount(close)
    with pytest.raises(grpc.aio.AioRpcError) as for_good:
        await ledger.UnfreezeAccount(
            service.UnfreezeAccountRequest(account_id=SELLER, reason="came back")
        )

    assert not_empty.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert facts(not_empty.value).reason == "ACCOUNT_NOT_EMPTY"
    assert facts(not_empty.value).metadata["balance"] == "99.99"
    assert closed.account.status == noun.Account.CLOSED
    assert facts(for_good.value).reason == "ACCOUNT_CLOSED"
    assert await post(ledger, wire_posting("b")) == ["ACCOUNT_CLOSED"]


async def test_a_change_needs_an_account_and_a_reason(ledger: LedgerStub) -> None:
    """Who changes what is not there, or says nothing, is told so."""
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await ledger.FreezeAccount(service.FreezeAccountRequest(account_id="x", reason="because"))
    with pytest.raises(grpc.aio.AioRpcError) as silent:
        await ledger.FreezeAccount(service.FreezeAccountRequest(account_id=SELLER))

    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert fields(silent.value) == ["reason"]


async def test_an_account_keeps_its_bounds_and_what_was_noted(ledger: LedgerStub) -> None:
    """Floor, ceiling and metadata come back; the ceiling is held."""
    asked = wire_account("capped", noun.Account.LIABILITY, floor="-1")
    asked.ceiling = "50"
    asked.metadata["contract"] = 'the "blue" one, {signed}'

    response = await ledger.OpenAccounts(service.OpenAccountsRequest(accounts=[asked]))
    account = response.results[0].account

    assert (account.floor, account.ceiling) == ("-1.00", "50.00")
    assert dict(account.metadata) == {"contract": 'the "blue" one, {signed}'}
    assert account.HasField("created_at")
    outcomes = await post(
        ledger,
        wire_posting("a", "50.00", credit="capped"),
        wire_posting("b", "0.01", credit="capped"),
    )
    assert outcomes == ["", "CEILING_PASSED"]


async def test_accounts_are_listed_by_their_beginning(ledger: LedgerStub) -> None:
    """Pages hold each account of a prefix once, by id."""
    names = [f"seller:demo:{n:02}:USD" for n in range(7)]
    accounts = [wire_account(name, noun.Account.LIABILITY) for name in reversed(names)]
    await ledger.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))
    found, token = [], ""
    while True:
        page = await ledger.ListAccounts(
            service.ListAccountsRequest(prefix="seller:demo:0", page_size=3, page_token=token)
        )
        found += [account.account_id for account in page.accounts]
        token = page.next_page_token
        if not token:
            break

    assert found == names


async def test_many_accounts_are_read_at_once(ledger: LedgerStub) -> None:
    """Those that are not there are named."""
    await post(ledger, wire_posting("a", "5.00"))

    read = await ledger.GetBalances(
        service.GetBalancesRequest(account_ids=["none", SELLER, CLEARING, SELLER, "nor_this"])
    )

    assert [(a.account_id, a.balance) for a in read.accounts] == sorted(
        [(SELLER, "5.00"), (CLEARING, "5.00")]
    )
    assert read.missing_account_ids == ["none", "nor_this"]
