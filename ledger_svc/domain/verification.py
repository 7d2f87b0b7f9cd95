"""Proves the books anew, transaction after transaction, in the order of their ids.

It keeps something for each account, stream and open pending transaction, and a page of seals ahead;
nothing for what it has seen: so the books may be of any length.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import AccountType, Side, Standing
from ledger_svc.domain.chain import GENESIS, Head
from ledger_svc.domain.errors import Unbalanced
from ledger_svc.domain.posting import Line, require_balanced
from ledger_svc.domain.transaction import Entry, Kind, Transaction, hashed

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


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


class AccountNow(NamedTuple):
    """What an account says it has. All are held at once, so there is nothing else in it."""

    type: AccountType
    standing: Standing


Reserved = Mapping[tuple[str, Side], Decimal]
"""What open pending transactions reserve, by account and side."""


@dataclass(slots=True)
class Walked:
    """What an account's entries have made of it so far."""

    balance: Money
    entry_count: int = 0


@dataclass(slots=True)
class Followed:
    """How far a stream was followed."""

    number: int = 0
    hash: bytes = GENESIS


@dataclass(slots=True)
class Verifier:
    """Takes transactions in the order of their ids, and tells what is wrong.

    Args:
        accounts: all of them by id, as they were at one moment.
        sealed: the hashes that seals keep, by stream and number; those passed are taken out.
        transaction_count, entry_count: how many were seen, or proved before.
        effective_until: none of them takes effect later.
        walked: what the accounts' entries have made of them so far.
        streams: how far the streams were followed.
        open_lines: what pending transactions that are open so far reserve, by reference.
    """

    accounts: Mapping[str, AccountNow]
    sealed: dict[tuple[int, int], bytes] = field(default_factory=dict)
    transaction_count: int = 0
    entry_count: int = 0
    effective_until: datetime = _LONG_AGO
    walked: dict[str, Walked] = field(default_factory=dict)
    streams: dict[int, Followed] = field(default_factory=dict)
    open_lines: dict[str, Sequence[Line]] = field(default_factory=dict)

    def take(self, transaction: Transaction) -> Iterator[Offence]:
        """Look at the next transaction, the ids ascending; tell what is wrong with it."""
        self.transaction_count += 1
        self.entry_count += len(transaction.entries)
        self.effective_until = max(self.effective_until, transaction.heading.effective_at)
        yield from self._chain(transaction)
        try:
            require_balanced(transaction.lines)
        except Unbalanced as unbalanced:
            yield Offence(OffenceKind.UNBALANCED, transaction.transaction_id, unbalanced.message)
        for entry in transaction.entries:
            yield from self._walk(entry)
        self._note_pending(transaction)

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

    def finish_accounts(self, names: Iterable[str], reserved: Reserved) -> Iterator[Offence]:
        """Hold some accounts against what was seen, and what `reserved` tells."""
        for name in names:
            yield from self._end_of(name, reserved)

    def reserved(self) -> Reserved:
        """Sum what is pending."""
        return _sums(line for lines in self.open_lines.values() for line in lines)

    def _chain(self, transaction: Transaction) -> Iterator[Offence]:
        stream, number = chain.place(transaction.transaction_id)
        seen = self.streams.setdefault(stream, Followed())
        if number != seen.number + 1:
            yield Offence(
                OffenceKind.WRONG_STREAM,
                transaction.transaction_id,
                f"It is number {number} of stream {stream}, after {seen.number}.",
            )
        expected = hashed(
            seen.hash,
            transaction.transaction_id,
            transaction.heading,
            transaction.created_at,
            transaction.entries,
            transaction.pending,
        )
        if transaction.hash != expected:
            yield Offence(
                OffenceKind.WRONG_HASH,
                transaction.transaction_id,
                "Its hash does not follow from the one before and its content.",
            )
        sealed = self.sealed.pop((stream, number), None)
        if sealed is not None and sealed != transaction.hash:
            yield Offence(
                OffenceKind.WRONG_SEAL,
                transaction.transaction_id,
                "A seal keeps another hash of it.",
            )
        # Go on from what is written: one change is one offence, not all that follow.
        seen.number, seen.hash = number, transaction.hash

    def _walk(self, entry: Entry) -> Iterator[Offence]:
        account = self.accounts.get(entry.account_id)
        if account is None:
            yield Offence(
                OffenceKind.WRONG_ACCOUNT, entry.account_id, "It has entries, and is not there."
            )
            return
        nothing = Money.zero(account.standing.balance.currency)
        seen = self.walked.setdefault(entry.account_id, Walked(nothing))
        where = f"{entry.transaction_id} line {entry.line}"
        if entry.account_sequence != seen.entry_count + 1:
            yield Offence(
                OffenceKind.WRONG_SEQUENCE,
                where,
                f"It is entry {entry.account_sequence} of {entry.account_id}, after"
                f" {seen.entry_count}.",
            )
        grows = entry.side is account.type.normal_side
        # Decimals, since what was changed may come to more than a balance can be.
        before, amount = seen.balance.amount, entry.amount.amount
        balance = before + amount if grows else before - amount
        if entry.balance_after.amount != balance:
            yield Offence(
                OffenceKind.WRONG_BALANCE,
                where,
                f"It leaves {entry.balance_after} on {entry.account_id}, not {balance}.",
            )
        seen.balance, seen.entry_count = entry.balance_after, entry.account_sequence

    def _note_pending(self, transaction: Transaction) -> None:
        if transaction.kind is Kind.PENDING:
            self.open_lines[transaction.reference] = transaction.pending
        elif transaction.heading.resolves_reference:
            self.open_lines.pop(transaction.heading.resolves_reference, None)

    def _end_of(self, name: str, reserved: Reserved) -> Iterator[Offence]:
        account = self.accounts[name]
        now = account.standing
        nothing = Money.zero(now.balance.currency)
        seen = self.walked.get(name, Walked(nothing))
        if (now.balance, now.entry_count) != (seen.balance, seen.entry_count):
            yield Offence(
                OffenceKind.WRONG_ACCOUNT,
                name,
                f"It says {now.balance} by {now.entry_count} entries; they make {seen.balance}"
                f" by {seen.entry_count}.",
            )
        normal = account.type.normal_side
        coming = reserved.get((name, normal), nothing.amount)
        going = reserved.get((name, normal.opposite), nothing.amount)
        if (now.pending_in.amount, now.pending_out.amount) != (coming, going):
            yield Offence(
                OffenceKind.WRONG_PENDING,
                name,
                f"It says {now.pending_in} coming and {now.pending_out} going; open transactions"
                f" reserve {coming} and {going}.",
            )


def _sums(lines: Iterable[Line]) -> Reserved:
    sums: dict[tuple[str, Side], Decimal] = {}
    for account_id, side, amount in lines:
        place = account_id, side
        sums[place] = sums[place] + amount.amount if place in sums else amount.amount
    return sums
