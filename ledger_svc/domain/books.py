"""The part of the books that a batch touches, held in memory while its accounts are locked.

Commands are decided here one after the other, so that a hot account costs one lock a batch and a
refused one changes nothing. What a command may do is said in `posting_rules`, `resolution_rules`
and `reversal_rules`; here is what they share: a draft that is kept whole or dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import Account, AccountStatus, Standing
from ledger_svc.domain.chain import Head
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Line
from ledger_svc.domain.records import record
from ledger_svc.domain.transaction import Entry, Heading, Transaction, hashed


@record(frozen=True, slots=True)
class Posted:
    """The transaction stands in the books; `replayed` says that it had been posted before."""

    transaction: Transaction
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The reference was not there and is closed; `replayed` says that it was closed before."""

    reference: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """A reference that no transaction will ever have, and why."""

    reference: str
    reason: str


Outcome = Posted | Closed | Refusal


class Books:
    """What a batch knows and decides; what is to be written is read off it afterwards.

    Args:
        accounts: those that the batch touches, as far as they exist.
        transactions: those that exist under the batch's references and those that it makes.
        closed: the references among them that were reversed or voided before they arrived.
        archived: the transaction ids of those among them that were written in an archived month.
        reversals: what was taken back before of the transactions that the batch reverses, by
            reference.
        standings: what the accounts have, where that is later than what they say themselves.
        head: the end of the stream that the batch is written to.
        now: when the batch is written: later than the head and than any entry of the accounts.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        transactions: Iterable[Transaction],
        closed: Iterable[str],
        *,
        archived: Mapping[str, str] | None = None,
        reversals: Mapping[str, Sequence[Transaction]] | None = None,
        standings: Mapping[str, Standing] | None = None,
        head: Head,
        now: datetime,
    ) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.before = standings or {name: a.standing for name, a in self.accounts.items()}
        self.standings = dict(self.before)
        self.transactions = {known.reference: known for known in transactions}
        self.closed = set(closed)
        self.archived = archived or {}
        self.reversals = {reference: list(some) for reference, some in (reversals or {}).items()}
        self.head = head
        self.now = now
        self.written: list[Transaction] = []
        self.closings: list[Closing] = []

    @property
    def changed(self) -> list[tuple[Account, Standing]]:
        """The accounts whose standing has changed, with what they have now; by key."""
        accounts, now = self.accounts, self.standings
        names = [name for name, had in self.before.items() if now[name] is not had]
        names.sort(key=lambda name: accounts[name].key)
        return [(accounts[name], now[name]) for name in names]

    def keep(self, draft: "Draft") -> None:
        """Make a draft part of the books."""
        self.head = draft.head
        self.standings.update(draft.standings)
        self.transactions.update(draft.written)
        self.written += draft.written.values()
        if draft.closings:
            self.closings.extend(draft.closings.values())
            self.closed.update(draft.closings)
        for made in draft.reversing:
            self.reversals.setdefault(made.heading.reverses_reference, []).append(made)


_OPEN = AccountStatus.OPEN
# Half the price of calling a named tuple's class.
_tuple = tuple.__new__


class Draft:
    """What a command, or a chain of linked ones, would change. It sees the books and itself."""

    __slots__ = ("_books", "closings", "head", "now", "reversing", "standings", "written")

    def __init__(self, books: Books) -> None:
        self._books = books
        self.head = books.head
        self.now = books.now
        self.standings: dict[str, Standing] = {}
        self.written: dict[str, Transaction] = {}
        self.closings: dict[str, Closing] = {}
        self.reversing: list[Transaction] = []

    def transaction(self, reference: str) -> Transaction | None:
        """Find the transaction of a reference.

        Raises:
            Archived: there is one, and it cannot be read.
        """
        books = self._books
        if reference in books.archived:
            raise errors.Archived(reference, books.archived[reference])
        return self.written.get(reference) or books.transactions.get(reference)

    def is_closed(self, reference: str) -> bool:
        """Tell whether a reference was reversed or voided before it arrived."""
        return reference in self.closings or reference in self._books.closed

    def reversals(self, reference: str) -> list[Transaction]:
        """Find what was taken back of a transaction so far."""
        own = [t for t in self.reversing if t.heading.reverses_reference == reference]
        return [*self._books.reversals.get(reference, ()), *own]

    def close(self, reference: str, reason: str) -> Closed:
        """Close a reference, once."""
        if self.is_closed(reference):
            return Closed(reference, replayed=True)
        self.closings[reference] = Closing(reference, reason)
        return Closed(reference, replayed=False)

    def reserve(self, lines: Iterable[Line]) -> None:
        """Set lines aside on their accounts.

        Raises:
            Refusal: an account does not take one.
        """
        for place, (account_id, side, amount) in enumerate(lines):
            account = self._account(account_id)
            account.require_takes(is_ending=False)
            self.standings[account_id] = account.reserve(
                self._standing(account), side, amount, place=place
            )

    def release(self, lines: Iterable[Line]) -> None:
        """Let lines that were set aside go."""
        for account_id, side, amount in lines:
            account = self._account(account_id)
            self.standings[account_id] = account.release(self._standing(account), side, amount)

    def write(
        self,
        heading: Heading,
        lines: Sequence[Line] = (),
        *,
        pending: tuple[Line, ...] = (),
        is_ending: bool = False,
    ) -> Posted:
        """Write a transaction that moves `lines`, at the end of the stream.

        Args:
            heading: what is said of it.
            lines: what it moves, in the order of its entries.
            pending: what it reserves.
            is_ending: whether it reverses or resolves what had begun.

        Raises:
            Refusal: an account does not take an entry.
        """
        stream, last, hash_, _ = self.head
        now, number = self.now, last + 1
        transaction_id = chain.transaction_id(now, stream, number)
        entries = self._book(heading, transaction_id, lines, is_ending=is_ending)
        hash_ = hashed(hash_, transaction_id, heading, now, entries, pending)
        made = _tuple(Transaction, (transaction_id, heading, now, entries, pending, hash_))
        self.head = _tuple(Head, (stream, number, hash_, now))
        self.written[heading.reference] = made
        if heading.reverses_reference:
            self.reversing.append(made)
        return Posted(made, False)  # noqa: FBT003 - by name it costs twice as much

    def _book(
        self, heading: Heading, transaction_id: str, lines: Sequence[Line], *, is_ending: bool
    ) -> tuple[Entry, ...]:
        """Book lines one after the other: in local variables, since a batch has thousands."""
        books, standings, entries = self._books, self.standings, []
        accounts, before, now = books.accounts, books.standings, self.now
        reference, _, _, subject_id, effective_at, *_ = heading
        for place, (account_id, side, amount) in enumerate(lines):
            account = accounts.get(account_id)
            if account is None:
                raise errors.AccountNotFound(account_id)
            if account.status is not _OPEN:
                account.require_takes(is_ending=is_ending)
            standing = standings.get(account_id) or before[account_id]
            after = account.book(standing, side, amount, place=place)
            standings[account_id] = after
            balance, _, _, entry_count = after
            said = (transaction_id, reference, place + 1, account_id, side, amount, balance)
            own = (entry_count, now, effective_at, subject_id)
            entries.append(_tuple(Entry, said + own))
        return tuple(entries)

    def _account(self, account_id: str) -> Account:
        account = self._books.accounts.get(account_id)
        if account is None:
            raise errors.AccountNotFound(account_id)
        return account

    def _standing(self, account: Account) -> Standing:
        name = account.account_id
        return self.standings.get(name) or self._books.standings[name]
