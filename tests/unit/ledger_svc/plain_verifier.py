"""Verification as plainly as it can be said: with money, and an object for each account.

The real one, which holds accounts in columns, is held to it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import Account, Side
from ledger_svc.domain.errors import Unbalanced
from ledger_svc.domain.posting import Line, require_balanced
from ledger_svc.domain.transaction import Entry, Kind, Transaction, hashed
from ledger_svc.domain.verification import OffenceKind

Found = Iterator[tuple[OffenceKind, str]]


@dataclass
class PlainVerifier:
    """Takes transactions in the order of their ids, and tells what is wrong with what."""

    accounts: Mapping[str, Account]
    walked: dict[str, tuple[Money, int]] = field(default_factory=dict)
    streams: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    open: dict[str, Sequence[Line]] = field(default_factory=dict)

    def all(self, history: Iterable[Transaction]) -> Found:
        """Look at a history, then at the accounts."""
        for one in history:
            yield from self._take(one)
        for name in self.accounts:
            yield from self._end(name)

    def _take(self, one: Transaction) -> Found:
        stream, number = chain.place(one.transaction_id)
        before, hash_ = self.streams.get(stream, (0, chain.GENESIS))
        if number != before + 1:
            yield OffenceKind.WRONG_STREAM, one.transaction_id
        said = one.heading, one.created_at, one.entries, one.pending
        if one.hash != hashed(hash_, one.transaction_id, *said):
            yield OffenceKind.WRONG_HASH, one.transaction_id
        self.streams[stream] = number, one.hash
        for entry in one.entries:
            yield from self._walk(entry)
        try:
            require_balanced(one.lines)
        except Unbalanced:
            yield OffenceKind.UNBALANCED, one.transaction_id
        if one.kind is Kind.PENDING:
            self.open[one.reference] = one.pending
        else:
            self.open.pop(one.heading.resolves_reference, None)

    def _walk(self, entry: Entry) -> Found:
        account = self.accounts.get(entry.account_id)
        if account is None:
            yield OffenceKind.WRONG_ACCOUNT, entry.account_id
            return
        balance, count = self._seen(entry.account_id)
        where = f"{entry.transaction_id} line {entry.line}"
        if entry.account_sequence != count + 1:
            yield OffenceKind.WRONG_SEQUENCE, where
        grows = entry.side is account.type.normal_side
        if entry.balance_after != (balance + entry.amount if grows else balance - entry.amount):
            yield OffenceKind.WRONG_BALANCE, where
        self.walked[entry.account_id] = entry.balance_after, entry.account_sequence

    def _end(self, name: str) -> Found:
        account = self.accounts[name]
        now = account.standing
        if (now.balance, now.entry_count) != self._seen(name):
            yield OffenceKind.WRONG_ACCOUNT, name
        normal = account.type.normal_side
        reserved = self._reserved(name, normal), self._reserved(name, normal.opposite)
        if (now.pending_in, now.pending_out) != reserved:
            yield OffenceKind.WRONG_PENDING, name

    def _seen(self, name: str) -> tuple[Money, int]:
        nothing = Money.zero(self.accounts[name].standing.balance.currency)
        return self.walked.get(name, (nothing, 0))

    def _reserved(self, name: str, side: Side) -> Money:
        lines = [line for own in self.open.values() for line in own]
        amounts = [line.amount for line in lines if (line.account_id, line.side) == (name, side)]
        return sum(amounts, Money.zero("USD"))
