"""The part of the books that a batch touches, held in memory while its accounts are locked.

Items are decided here one after the other, so that a hot account costs one lock a batch and a
refused item changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger_svc.domain import errors
from ledger_svc.domain.account import Account
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.transaction import Entry, Posting, Transaction


@dataclass(frozen=True, slots=True)
class Posted:
    """The transaction stands in the books; `replayed` says that it had been posted before."""

    transaction: Transaction
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The reference was not there, and is closed from now on."""

    reference: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """Asks to reverse the transaction of a reference; `reason` is for a person."""

    reference: str
    reason: str


Outcome = Posted | Refusal
ReversalOutcome = Posted | Closed | Refusal


class Books:
    """Decides a batch; what is to be written is read off it afterwards.

    Args:
        accounts: those that the batch touches, as far as they exist.
        transactions: those that exist under the batch's references.
        closed: the references among them that were reversed before they arrived.
        now: when the batch is written.
        new_transaction_id: makes an id, later ones sorting after earlier ones.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        transactions: Iterable[Transaction],
        closed: Iterable[str],
        *,
        now: datetime,
        new_transaction_id: Callable[[], str],
    ) -> None:
        self._accounts = {account.account_id: account for account in accounts}
        self._transactions = {known.reference: known for known in transactions}
        self._closed = set(closed)
        self.now = now
        self._new_transaction_id = new_transaction_id
        self._changed: set[str] = set()
        self.posted: list[Transaction] = []
        self.closings: list[Reversal] = []

    @property
    def changed(self) -> list[Account]:
        """The accounts that have new entries, as they are now, by id."""
        return [self._accounts[account_id] for account_id in sorted(self._changed)]

    def post(self, posting: Posting) -> Outcome:
        """Post a transaction whole, answer as the first time, or refuse it."""
        try:
            return self._post(posting)
        except Refusal as refusal:
            return refusal

    def reverse(self, asked: Reversal) -> ReversalOutcome:
        """Post the reversal of a transaction, once; close a reference that is not there."""
        known = self._transactions.get(asked.reference)
        if known is not None:
            return self.post(known.reversal(asked.reason))
        if asked.reference not in self._closed:
            self._closed.add(asked.reference)
            self.closings.append(asked)
        return Closed(asked.reference)

    def _post(self, posting: Posting) -> Posted:
        known = self._transactions.get(posting.reference)
        if known is not None:
            known.require_same(posting)
            return Posted(known, replayed=True)
        if posting.reference in self._closed:
            raise errors.ReversedBeforeArrival(posting.reference)
        return Posted(self._write(posting), replayed=False)

    def _write(self, posting: Posting) -> Transaction:
        touched: dict[str, Account] = {}
        transaction_id = self._new_transaction_id()
        entries: list[Entry] = []
        for number, line in enumerate(posting.lines, 1):
            account = touched.get(line.account_id) or self._account(line.account_id)
            account = account.book(line.side, line.amount, field=f"entries[{number - 1}].amount")
            touched[line.account_id] = account
            entries.append(
                Entry(
                    transaction_id=transaction_id,
                    reference=posting.reference,
                    line=number,
                    account_id=line.account_id,
                    side=line.side,
                    amount=line.amount,
                    balance_after=account.balance,
                    account_sequence=account.entry_count,
                    created_at=self.now,
                )
            )
        # Every line was accepted: only now does anything change.
        self._accounts.update(touched)
        self._changed.update(touched)
        return self._keep(posting, transaction_id, entries)

    def _keep(self, posting: Posting, transaction_id: str, entries: Sequence[Entry]) -> Transaction:
        transaction = Transaction(
            transaction_id=transaction_id,
            reference=posting.reference,
            description=posting.description,
            subject_id=posting.subject_id,
            effective_at=posting.effective_at or self.now,
            created_at=self.now,
            reverses_reference=posting.reverses_reference,
            entries=tuple(entries),
        )
        self._transactions[posting.reference] = transaction
        self.posted.append(transaction)
        return transaction

    def _account(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            raise errors.AccountNotFound(account_id)
        return account
