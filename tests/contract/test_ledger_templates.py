"""What templates make, in a real ledger: accounts open as the chart says, the books stay true."""

from collections.abc import AsyncIterator

import pytest
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.database import Database
from ledger_svc import messages
from ledger_svc.domain import chart
from ledger_svc.domain.templates.catalogue import published
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import LedgerStub, served
from tests.unit.ledger_svc.money_page import ACCOUNTS, LOST, STEPS
from tests.unit.ledger_svc.template_books import TemplateBooks
from tests.unit.ledger_svc.template_samples import PAYMENT
from tests.unit.ledger_svc.test_template_messages import written

STORY = (*STEPS, *LOST)


@pytest.fixture
async def ledger(ledger_db: Database) -> AsyncIterator[LedgerStub]:
    """Serve a ledger that holds the accounts of the story, each opened by its id alone."""
    async with served(ledger_db) as stub:
        opening = [new_account(name) for name in ACCOUNTS.values()]
        response = await stub.OpenAccounts(service.OpenAccountsRequest(accounts=opening))
        assert all(result.HasField("account") for result in response.results)
        yield stub


def new_account(account_id: str) -> posting_pb2.NewAccount:
    """Write an account as the chart opens it."""
    charted = chart.parse(account_id)
    assert charted is not None
    new = charted.opening()
    floor = None if new.floor is None else str(new.floor)
    return posting_pb2.NewAccount(
        account_id=account_id, type=messages.TYPES[new.type], currency=new.currency, floor=floor
    )


def story() -> list[posting_pb2.Posting]:
    """Ask for each step of the story by its template."""
    return [
        posting_pb2.Posting(
            reference=published(step.template, 1).expand(step.facts).reference,
            subject_id=PAYMENT,
            template=written(step.template, step.facts),
        )
        for step in STORY
    ]


async def test_the_story_is_what_a_real_ledger_says(
    ledger: LedgerStub, ledger_db: Database
) -> None:
    """Every step is posted, and every balance is the one that the guide shows."""
    books = TemplateBooks()
    for step in STORY:
        books.post(step.template, step.facts)

    request = service.PostTransactionsRequest(postings=story())
    response = await ledger.PostTransactions(request)

    assert [r.refusal.reason for r in response.results] == [""] * len(STORY)
    tags = [f"{step.template}/1" for step in STORY]
    assert [r.transaction.template for r in response.results] == tags
    first = service.ListEntriesRequest(reference=response.results[0].transaction.reference)
    assert {e.template for e in (await ledger.ListEntries(first)).entries} == {tags[0]}
    for name in ACCOUNTS.values():
        read = await ledger.GetBalance(service.GetBalanceRequest(account_id=name))
        assert read.account.balance == str(books.balance(name))
    assert await faults(ledger_db) == {}


async def test_the_story_told_again_is_replayed(ledger: LedgerStub) -> None:
    """A template asked for twice books once: its expansion is the same whenever it is made."""
    for replayed in (False, True):
        request = service.PostTransactionsRequest(postings=story())
        response = await ledger.PostTransactions(request)
        assert [result.replayed for result in response.results] == [replayed] * len(STORY)


async def test_an_event_out_of_its_turn_is_refused(ledger: LedgerStub) -> None:
    """A refund that nobody decided is not paid: the chart's floor holds in the real ledger."""
    paid = next(p for p in story() if p.reference.endswith(":paid"))

    request = service.PostTransactionsRequest(postings=[paid])
    response = await ledger.PostTransactions(request)

    assert [result.refusal.reason for result in response.results] == ["FLOOR_PASSED"]
