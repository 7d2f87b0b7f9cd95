"""What the use cases need from outside: a place that keeps the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from ledger_svc.domain.account import Account, NewAccount
from ledger_svc.domain.books import Outcome, Reversal, ReversalOutcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.transaction import Entry, Posting, Transaction


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; an empty text filters nothing."""

    account_id: str = ""
    subject_id: str = ""


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    """One currency's sums over the whole ledger."""

    currency: str
    debits: Decimal
    credits: Decimal
    transaction_count: int


class LedgerWriter(Protocol):
    """Writes the books. Each call is durable when it answers, and safe to repeat."""

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | Refusal]:
        """Open the accounts that are not there yet; answer each in order."""
        ...

    async def post(self, postings: Sequence[Posting]) -> Sequence[Outcome]:
        """Post transactions, each whole or not at all; answer each in order."""
        ...

    async def reverse(self, reversal: Reversal) -> ReversalOutcome:
        """Reverse one transaction, or close its reference."""
        ...


class LedgerReader(Protocol):
    """Reads the books."""

    async def transaction(self, reference: str) -> Transaction | None:
        """Find a transaction by its reference."""
        ...

    async def account(self, account_id: str) -> Account | None:
        """Find an account."""
        ...

    async def account_entries(
        self, account_id: str, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        """List an account's entries, the newest first, from before an `account_sequence`."""
        ...

    async def entries(
        self, which: EntryFilter, *, before: tuple[str, int] | None, limit: int
    ) -> Sequence[Entry]:
        """List entries, the newest transaction first, from before (transaction id, line)."""
        ...

    async def trial_balance(self) -> Sequence[TrialBalanceLine]:
        """Sum the entries per currency, by currency."""
        ...
