"""Books that are written by templates alone; the chart opens their accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.account import Account, Side
from ledger_svc.domain.books import Outcome, Posted
from ledger_svc.domain.templates.catalogue import published
from ledger_svc.domain.transaction import Transaction
from tests.unit.ledger_svc.builders import account, books, do


@dataclass
class TemplateBooks:
    """Posts what templates make, and keeps every balance."""

    accounts: dict[str, Account] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)

    def post(self, name: str, facts: Any) -> Transaction:
        """Expand a template's first version and post it; a refusal fails the test."""
        outcome = self.ask(name, facts)
        assert isinstance(outcome, Posted), outcome
        return outcome.transaction

    def ask(self, name: str, facts: Any) -> Outcome:
        """Expand a template's first version, and tell what the books say to it."""
        posting = published(name, 1).expand(facts)
        assert posting.reference not in {done.reference for done in self.transactions}
        for line in posting.lines:
            self.accounts.setdefault(line.account_id, opened(line.account_id))
        held = books(*self.accounts.values())
        outcome = do(held, posting)
        self.accounts |= {
            account.account_id: replace(account, standing=now) for account, now in held.changed
        }
        self.transactions += held.written
        return outcome

    def balance(self, account_id: str) -> Money:
        """Tell an account's balance in its normal direction; zero where nothing was booked."""
        return self.accounts.get(account_id, opened(account_id)).balance

    def uncleared(self) -> dict[str, str]:
        """Tell what stands on accounts that should have returned to zero."""
        return {
            name: str(held.balance)
            for name, held in self.accounts.items()
            if held.balance.amount and kind_of(name).clears_within is not None
        }

    def sums(self) -> Mapping[str, Decimal]:
        """Sum all accounts by currency, debits above zero."""
        result: dict[str, Decimal] = {}
        for held in self.accounts.values():
            sign = 1 if held.type.normal_side is Side.DEBIT else -1
            so_far = result.get(held.currency, Decimal(0))
            result[held.currency] = so_far + sign * held.balance.amount
        return result


def kind_of(account_id: str) -> chart.Kind:
    """Tell the kind of an account of the chart."""
    account = chart.parse(account_id)
    assert account is not None, account_id
    return account.kind


def opened(account_id: str) -> Account:
    """Open an account as the chart says."""
    charted = chart.parse(account_id)
    assert charted is not None, account_id
    new = charted.opening()
    return account(account_id, new.type, floor=new.floor, currency=new.currency)
