"""Transactions and their entries: written once, never changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from chassis.money import Money
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Line, Posting, differing

# Of what is hashed: it changes when the content or its order does.
_FORMAT = 1


class Kind(StrEnum):
    """What a transaction does: see the proto."""

    POSTED = "POSTED"
    PENDING = "PENDING"
    PENDING_POSTED = "PENDING_POSTED"
    PENDING_VOIDED = "PENDING_VOIDED"
    PENDING_EXPIRED = "PENDING_EXPIRED"


class Entry(NamedTuple):
    """One line of a transaction, with what it left on the account. A tuple, as `Line` is.

    `line` is its place in the transaction, `account_sequence` that in the account's history; both
    count from 1, without gaps.
    """

    transaction_id: str
    reference: str
    line: int
    account_id: str
    side: Side
    amount: Money
    balance_after: Money
    account_sequence: int
    created_at: datetime
    effective_at: datetime
    subject_id: str


class Heading(NamedTuple):
    """What is said of a transaction beside its lines. A tuple, as `Line` is.

    `expires_at` is of a PENDING one; `reverses_reference` and `resolves_reference` name what it
    takes back or ends, empty for nothing; `template` the rule that made its lines.
    """

    reference: str
    kind: Kind
    description: str
    subject_id: str
    effective_at: datetime
    expires_at: datetime | None = None
    reverses_reference: str = ""
    resolves_reference: str = ""
    template: str = ""


class ListedEntry(NamedTuple):
    """An entry by itself, with what is said of its transaction."""

    entry: Entry
    heading: Heading


class Transaction(NamedTuple):
    """Entries that were posted together, or lines that were reserved together. A tuple, as `Line`.

    `entries` moved value; `pending` are the lines that a PENDING one reserves. `hash` chains it to
    the transaction before it in its stream.
    """

    transaction_id: str
    heading: Heading
    created_at: datetime
    entries: tuple[Entry, ...]
    pending: tuple[Line, ...]
    hash: bytes

    @property
    def reference(self) -> str:
        """What it books, unique in the ledger."""
        return self.heading.reference

    @property
    def kind(self) -> Kind:
        """What it does."""
        return self.heading.kind

    @property
    def lines(self) -> tuple[Line, ...]:
        """What it moved or reserved, as it was asked for."""
        return self.pending or tuple(Line(e.account_id, e.side, e.amount) for e in self.entries)

    def require_same(self, posting: Posting) -> None:
        """Hold it against a posting under its reference.

        The order of the lines, the description, the subject and the time of effect make no other
        transaction.

        Raises:
            ReferenceReused: naming what differs.
        """
        differs = differing(self.lines, posting.lines)
        if posting.is_pending != (self.kind is Kind.PENDING):
            differs.append("pending")
        elif posting.expires_at != self.heading.expires_at:
            differs.append("expiresAt")
        if differs:
            raise errors.ReferenceReused(self.reference, differs)


# An enumeration writes itself at three times the price of a look-up.
_SIDES, _KINDS = {side: side.value for side in Side}, {kind: kind.value for kind in Kind}


def hashed(
    previous: bytes,
    transaction_id: str,
    heading: Heading,
    created_at: datetime,
    entries: Iterable[Entry],
    pending: Sequence[Line],
) -> bytes:
    """Compute a transaction's hash from the one before it in its stream; see `chain.chained`.

    The content is, in this order: the format (1), id, reference, kind, description, subject, times
    of effect and of writing in microseconds since 1970, time of expiry or null, the references that
    it reverses and resolves, template, entries as [account, side, amount, currency, balance after,
    account sequence], and pending lines as [account, side, amount, currency].

    The JSON is put together here, piece by piece, since a writer in general costs three times that.
    """
    micros, text, sides = chain.stored_microseconds, encode_basestring_ascii, _SIDES
    reference, kind, description, subject, effective_at, ends, reverses, resolves, template = (
        heading
    )
    written = micros(created_at)
    effective = written if effective_at is created_at else micros(effective_at)
    expires = "null" if ends is None else micros(ends)
    rare = (
        f"{text(reverses)},{text(resolves)},{text(template)}"
        if reverses or resolves or template
        else '"","",""'
    )
    # `!s`, since a decimal's own format costs three times its text.
    booked = ",".join(
        [
            f'[{text(account_id)},"{sides[side]}","{amount.amount!s}","{amount.currency}",'
            f'"{balance.amount!s}",{sequence}]'
            for _, _, _, account_id, side, amount, balance, sequence, _, _, _ in entries
        ]
    )
    reserved = ",".join([_line_text(line) for line in pending]) if pending else ""
    return chain.linked(
        previous,
        f'[{_FORMAT},"{transaction_id}",{text(reference)},"{_KINDS[kind]}",{text(description)},'
        f"{text(subject)},{effective},{written},{expires},{rare},[{booked}],[{reserved}]]",
    )


def _line_text(line: Line) -> str:
    account_id, side, amount = line
    name = encode_basestring_ascii(account_id)
    return f'[{name},"{side!s}","{amount.amount!s}","{amount.currency}"]'
