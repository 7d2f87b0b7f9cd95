"""Statements of an account that entries are written to meanwhile, on a real PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from chassis.database import Database
from chassis.money import Money
from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Posted
from ledger_svc.ports import BalanceAt, Effects, Period
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.get_effective_statement import get_effective_statement
from ledger_svc.use_cases.get_statement import Statement, get_statement
from tests.unit.ledger_svc.builders import SELLER, open_two, posting

TO_COME = datetime(2100, 1, 1, tzinfo=UTC)


class Overtaken(LedgerReader):
    """A reader of whom somebody writes an entry more after everything that it has read."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._store, self._numbers = LedgerStore(database), count()

    async def post(self) -> None:
        """Post 1.00."""
        (outcome,) = await self._store.do([posting(f"a:{next(self._numbers)}", "1.00")])
        assert isinstance(outcome, Posted)

    async def accounts(self, account_ids: Sequence[str]) -> Sequence[Account]:
        """Find accounts."""
        found = await super().accounts(account_ids)
        await self.post()
        return found

    async def balance_before(self, *asked: Any) -> BalanceAt:
        """Tell what an account had before a time."""
        found = await super().balance_before(*asked)
        await self.post()
        return found

    async def effects(self, *asked: Any) -> Effects:
        """Sum what counts before a period and until its end."""
        found = await super().effects(*asked)
        await self.post()
        return found


@pytest.mark.parametrize("make", [get_statement, get_effective_statement])
@pytest.mark.parametrize(
    "period",
    [Period(), Period(None, TO_COME), Period(TO_COME), Period(TO_COME, TO_COME)],
    ids=["everything", "to", "from", "nothing"],
)
async def test_a_statement_is_of_one_moment(ledger_db: Database, make: Any, period: Period) -> None:
    """What the account had, with its entries, makes what it has, however fast they come."""
    await open_two(LedgerStore(ledger_db))
    reader = Overtaken(ledger_db)
    await reader.post()

    made = await make(reader, SELLER, period, page_size=0, page_token="")

    sums = sum((listed.entry.amount for listed in made.entries), Money.zero("USD"))
    assert made.opening_balance + sums == made.closing_balance
    assert made.entry_count == len(made.entries)
    assert made.account.balance == made.closing_balance
    (now,) = await LedgerReader(ledger_db).accounts([SELLER])
    assert now.standing.entry_count > made.account.standing.entry_count


async def test_all_pages_by_effect_are_of_the_moment_of_the_first(ledger_db: Database) -> None:
    """What is written between two pages is of none, wherever it would stand."""
    await open_two(LedgerStore(ledger_db))
    reader = Overtaken(ledger_db)
    for _ in range(5):
        await reader.post()
    early = replace(posting("early", "7.00"), effective_at=datetime(2024, 1, 1, tzinfo=UTC))

    async def page(token: str) -> Statement:
        return await get_effective_statement(
            reader, SELLER, Period(), page_size=2, page_token=token
        )

    pages = [await page("")]
    await LedgerStore(ledger_db).do([early])
    while pages[-1].next_page_token:
        pages.append(await page(pages[-1].next_page_token))

    told = [listed.entry.reference for made in pages for listed in made.entries]
    assert told == [f"a:{number}" for number in range(5)]
    sums = {(str(m.opening_balance), str(m.closing_balance), m.entry_count) for m in pages}
    assert sums == {("0.00", "5.00", 5)}
