"""What templates make, in a real ledger: accounts open as the chart says, the books stay true."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf import json_format
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.database import Database
from chassis.money import Money
from ledger_svc import messages
from ledger_svc.domain import chart
from ledger_svc.domain.templates.catalogue import published
from ledger_svc.domain.templates.settlements import ChargeKept
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import LedgerStub, served
from tests.unit.ledger_svc.money_page import ACCOUNTS, LOST, STEPS
from tests.unit.ledger_svc.template_books import TemplateBooks
from tests.unit.ledger_svc.template_samples import PAYMENT
from tests.unit.ledger_svc.test_template_messages import written

STORY = (*STEPS, *LOST)
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "dead-letters.md"


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


async def test_what_stands_in_suspense_is_explained_as_the_guide_says(ledger_db: Database) -> None:
    """The accountant's call, as printed: what the PSP kept has left suspense, and once."""
    (printed,) = re.findall(r"PostTransactions -d '(.+?)'", GUIDE.read_text(), re.DOTALL)
    asked = json_format.Parse(printed, service.PostTransactionsRequest())
    released = asked.postings[0].template.suspense_released
    suspense, currency = f"suspense:{released.source}:{released.currency}", released.currency
    clearing = f"psp:{released.source}:clearing:{currency}"
    kept = posting_pb2.Posting(
        reference=f"charge:{released.release_id}:kept",
        subject_id=asked.postings[0].subject_id,
        template=written(
            "charge_kept",
            ChargeKept(
                released.release_id, released.source, Money.parse(released.amount, currency)
            ),
        ),
    )
    async with served(ledger_db) as stub:
        names = (suspense, clearing, released.explained_by)
        await stub.OpenAccounts(
            service.OpenAccountsRequest(accounts=[new_account(name) for name in names])
        )
        booking = service.PostTransactionsRequest(postings=[kept])
        answers = [await stub.PostTransactions(one) for one in (booking, asked, asked)]
        balances = [
            (await stub.GetBalance(service.GetBalanceRequest(account_id=name))).account.balance
            for name in names
        ]

    assert all(answer.results[0].HasField("transaction") for answer in answers)
    assert balances == ["0.00", released.amount, f"-{released.amount}"]
