"""Proves the books anew, transaction after transaction, in the order of their ids.

It keeps something for each account, stream and open pending transaction, and a page of seals ahead;
nothing for what it has seen: so the books may be of any length.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from chassis.money import currency_decimals
from ledger_svc.domain import chain
from ledger_svc.domain.account import Side
from ledger_svc.domain.chain import GENESIS, Head
from ledger_svc.domain.errors import Unbalanced
from ledger_svc.domain.held_accounts import HeldAccounts, WalkedAccounts
from ledger_svc.domain.posting import Line, require_balanced
from ledger_svc.domain.transaction import Entry, Kind, Transaction, hashed

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_NOTHING = Decimal(0)
_DEBIT = Side.DEBIT


class OffenceKind(StrEnum):
    """What is wrong: see the proto."""

    UNBALANCED = "UNBALANCED"
    WRONG_BALANCE = "WRONG_BALANCE"
    WRONG_SEQUENCE = "WRONG_SEQUENCE"
    WRONG_ACCOUNT = "WRONG_ACCOUNT"
    WRONG_HASH = "WRONG_HASH"
    WRONG_STREAM = "WRONG_STREAM"
    WRONG_CLAIM = "WRONG_CLAIM"
    WRONG_SEAL = "WRONG_SEAL"
    WRONG_PENDING = "WRONG_PENDING"
    WRONG_CHECKPOINT = "WRONG_CHECKPOINT"


@dataclass(frozen=True, slots=True)
class Offence:
    """Something that is not as it was written: what, where, and a sentence."""

    kind: OffenceKind
    subject: str
    message: str


Reserved = Mapping[tuple[str, Side], Decimal]
"""What open pending transactions reserve, by account and side."""


@dataclass(slots=True)
class Followed:
    """How far a stream was followed."""

    number: int = 0
    hash: bytes = GENESIS


@dataclass(slots=True)
class Verifier:
    """Takes transactions in the order of their ids, and tells what is wrong.

    Args:
        accounts: all of them, as they were at one moment.
        sealed: the hashes that seals keep, by stream and number; those passed are taken out.
        transaction_count, entry_count: how many were seen, or proved before.
        effective_until: none of them takes effect later.
        streams: how far the streams were followed.
        open_lines: what pending transactions that are open so far reserve, by reference.

    Attributes:
        walked: what the accounts' entries have made of them so far.
    """

    accounts: HeldAccounts
    sealed: dict[tuple[int, int], bytes] = field(default_factory=dict)
    transaction_count: int = 0
    entry_count: int = 0
    effective_until: datetime = _LONG_AGO
    streams: dict[int, Followed] = field(default_factory=dict)
    open_lines: dict[str, Sequence[Line]] = field(default_factory=dict)
    walked: WalkedAccounts = field(init=False)

    def __post_init__(self) -> None:
        self.walked = WalkedAccounts(self.accounts)

    def take(self, transaction: Transaction) -> Sequence[Offence]:
        """Look at the next transaction, the ids ascending; tell what is wrong with it."""
        found: list[Offence] = []
        heading, entries = transaction.heading, transaction.entries
        self.transaction_count += 1
        self.entry_count += len(entries)
        if heading.effective_at > self.effective_until:
            self.effective_until = heading.effective_at
        self._chain(transaction, found)
        if not self._walk(entries, found) or transaction.pending:
            found += _unbalanced(transaction)
        if heading.kind is Kind.PENDING:
            self.open_lines[heading.reference] = transaction.pending
        elif heading.resolves_reference:
            self.open_lines.pop(heading.resolves_reference, None)
        return found

    def finish_streams(self, heads: Mapping[int, Head]) -> Iterator[Offence]:
        """Hold the ends of the streams against what was seen.

        Args:
            heads: where each stream ended when the accounts were read; nothing later was taken.
        """
        for stream, head in sorted(heads.items()):
            seen = self.streams.get(stream, Followed())
            if (seen.number, seen.hash) != (head.number, head.hash):
                yield Offence(
                    OffenceKind.WRONG_STREAM,
                    f"stream {stream}",
                    f"It ends at {seen.number}; its head says {head.number}"
                    + ("." if seen.number != head.number else ", with another hash."),
                )

    def finish_pendings(self, open_references: Collection[str]) -> Iterator[Offence]:
        """Hold what is pending against the list of what is still to end, when all was taken."""
        for name in sorted(self.open_lines.keys() - open_references):
            told = "It is pending, and not among what is to end: it would never expire."
            yield Offence(OffenceKind.WRONG_PENDING, name, told)
        for name in sorted(set(open_references) - self.open_lines.keys()):
            told = "It is among what is to end, and not pending."
            yield Offence(OffenceKind.WRONG_PENDING, name, told)

    def finish_accounts(self, names: Iterable[str], reserved: Reserved) -> Iterator[Offence]:
        """Hold some accounts against what was seen, and what `reserved` tells."""
        for name in names:
            yield from self._end_of(name, reserved)

    def reserved(self) -> Reserved:
        """Sum what is pending."""
        return _sums(line for lines in self.open_lines.values() for line in lines)

    def _chain(self, transaction: Transaction, found: list[Offence]) -> None:
        id_, heading, created_at, entries, pending, hash_ = transaction
        place = chain.place(id_)
        stream, number = place
        seen = self.streams.get(stream)
        if seen is None:
            seen = self.streams[stream] = Followed()
        if number != seen.number + 1:
            message = f"It is number {number} of stream {stream}, after {seen.number}."
            found.append(Offence(OffenceKind.WRONG_STREAM, id_, message))
        if hash_ != hashed(seen.hash, id_, heading, created_at, entries, pending):
            message = "Its hash does not follow from the one before and its content."
            found.append(Offence(OffenceKind.WRONG_HASH, id_, message))
        sealed = self.sealed.pop(place, None)
        if sealed is not None and sealed != hash_:
            message = "A seal keeps another hash of it."
            found.append(Offence(OffenceKind.WRONG_SEAL, id_, message))
        # Go on from what is written: one change is one offence, not all that follow.
        seen.number, seen.hash = number, hash_

    def _walk(self, entries: Sequence[Entry], found: list[Offence]) -> bool:
        """Follow entries on their accounts, without `Money` and in local variables, since there are
        millions; tell whether debits equal credits, as far as all are of one currency.
        """
        accounts, walked, difference = self.accounts, self.walked, _NOTHING
        places, grows_by_debit = accounts.places, accounts.grows_by_debit
        balances, counts = walked.balances, walked.counts
        currency = entries[0].amount.currency if entries else ""
        for entry in entries:
            _, _, _, account_id, side, money, after, sequence, _, _, _ = entry
            amount, is_debit = money.amount, side is _DEBIT
            difference = difference + amount if is_debit else difference - amount
            if money.currency != currency:
                currency = ""
            place = places.get(account_id)
            if place is None:
                message = "It has entries, and is not there."
                found.append(Offence(OffenceKind.WRONG_ACCOUNT, account_id, message))
                continue
            balance, after_ = balances[place], after.amount
            balance = balance + amount if is_debit is grows_by_debit[place] else balance - amount
            if sequence != counts[place] + 1 or after_ != balance:
                found += _misplaced(entry, balance, counts[place])
            balances[place], counts[place] = after_, sequence
        return not difference and bool(currency or not entries)

    def _end_of(self, name: str, reserved: Reserved) -> Iterator[Offence]:
        accounts, walked = self.accounts, self.walked
        place = accounts.places[name]
        now, seen = accounts.balances[place], walked.balances[place]
        counts = accounts.counts[place], walked.counts[place]
        if now != seen or counts[0] != counts[1]:
            yield Offence(
                OffenceKind.WRONG_ACCOUNT,
                name,
                f"It says {accounts.money(now, place)} by {counts[0]} entries; they make"
                f" {accounts.money(seen, place)} by {counts[1]}.",
            )
        normal = Side.DEBIT if accounts.grows_by_debit[place] else Side.CREDIT
        coming, going = (reserved.get((name, side), _NOTHING) for side in (normal, normal.opposite))
        says = accounts.pending_at(place)
        if says != (coming, going):
            told = [accounts.money(amount, place) for amount in (*says, coming, going)]
            yield Offence(
                OffenceKind.WRONG_PENDING,
                name,
                f"It says {told[0]} coming and {told[1]} going; open transactions"
                f" reserve {told[2]} and {told[3]}.",
            )


def _unbalanced(transaction: Transaction) -> Iterator[Offence]:
    try:
        require_balanced(transaction.lines)
    except Unbalanced as unbalanced:
        yield Offence(OffenceKind.UNBALANCED, transaction.transaction_id, unbalanced.message)


def _misplaced(entry: Entry, balance: Decimal, count: int) -> Iterator[Offence]:
    """Tell what is wrong with an entry that does not follow from what its account had."""
    where = f"{entry.transaction_id} line {entry.line}"
    if entry.account_sequence != count + 1:
        yield Offence(
            OffenceKind.WRONG_SEQUENCE,
            where,
            f"It is entry {entry.account_sequence} of {entry.account_id}, after {count}.",
        )
    if entry.balance_after.amount != balance:
        expected = round(balance, currency_decimals(entry.balance_after.currency))
        yield Offence(
            OffenceKind.WRONG_BALANCE,
            where,
            f"It leaves {entry.balance_after} on {entry.account_id}, not {expected}.",
        )


def _sums(lines: Iterable[Line]) -> Reserved:
    sums: dict[tuple[str, Side], Decimal] = {}
    for account_id, side, amount in lines:
        place = account_id, side
        sums[place] = sums.get(place, _NOTHING) + amount.amount
    return sums
