"""Taking statements in, while others write the same payouts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chassis.faults import FaultPoints
from psp_gateway.bank_statements import Statements, import_statement
from psp_gateway.domain.payout import Payout, State
from psp_gateway.payout_ports import PayoutSaved, Terms
from psp_gateway.ports import Exchange
from psp_gateway.providers.bank.payouts import TERMS
from psp_gateway.providers.bank.transfers import CreditTransfer
from psp_gateway.use_cases.execute_payouts import Paying
from tests.builders import NOW
from tests.unit.psp_gateway.bank_files import account, document, transfer
from tests.unit.psp_gateway.payout_fakes import FakeBook
from tests.unit.psp_gateway.test_bank_payouts import PAYOUTS, paid


class Bank:
    """`payout_ports.PayOut`, as far as statements go."""

    terms: Terms = TERMS


class Orders:
    """`orders.OrderBook`, as far as statements go: it has the one order."""

    async def ordered_as(self, end_to_end_ids: Sequence[str]) -> Sequence[CreditTransfer]:
        """See `orders.OrderBook.ordered_as`."""
        return [transfer()]


@dataclass
class Overtaken(FakeBook):
    """A book in which somebody else writes a payout just before us, a number of times."""

    times: int = 0

    async def save(self, payout: Payout, exchange: Exchange) -> PayoutSaved:
        """See `payout_ports.PayoutBook.save`."""
        if self.times:
            self.times -= 1
            stored = self.rows[payout.attempt_id]
            self.rows[payout.attempt_id] = replace(stored, version=stored.version + 1)
        return await super().save(payout, exchange)


async def imported(book: FakeBook, *entries: str) -> list[str]:
    """Take in a statement of these entries; tell what it has for a person."""
    payers: dict[str, Any] = {"bank": Bank()}
    paying = Paying(book, payers, {}, lambda: NOW, FaultPoints.parse("", "development"))
    orders: Any = Orders()
    found = await import_statement(Statements(PAYOUTS, orders, paying), document(account(*entries)))
    return found.notes


def of_bank(state: State) -> Payout:
    """Make the payout of the one order."""
    return Payout(
        attempt_id=transfer().attempt_id,
        payout_id="pout_1",
        client_id="demo",
        psp="bank",
        amount=transfer().amount,
        fingerprint="f",
        created_at=NOW,
        updated_at=NOW,
        key_since=NOW,
        state=state,
    )


async def test_what_came_back_is_stored_though_others_write_the_payout() -> None:
    """A poll that is faster has the return read and written once more: nobody brings the statement
    a second time.
    """
    book = Overtaken(times=2)
    book.rows["att_1"] = of_bank(State.PAID)

    assert await imported(book, paid(), paid(side="CRDT")) == []
    assert book.rows["att_1"].state is State.RETURNED


async def test_who_is_always_overtaken_says_so() -> None:
    """It ends, and a person is told to import again."""
    book = Overtaken(times=100)
    book.rows["att_1"] = of_bank(State.PAID)

    assert await imported(book, paid(side="CRDT")) == ["Others wrote the payout at the same time."]
    assert book.rows["att_1"].state is State.PAID
