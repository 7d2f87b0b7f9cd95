"""Rows of a stretch of the books to what verification walks: millions, so in few steps."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Line
from ledger_svc.domain.transaction import Entry, Heading, Kind, Transaction

Row = tuple[Any, ...]

_KINDS = {kind.value: kind for kind in Kind}
_SIDES = {True: Side.DEBIT, False: Side.CREDIT}
_ID = itemgetter(0)
_tuple = tuple.__new__


class Rows:
    """Rows of `statements.TRANSACTIONS_FROM` and `ENTRIES_FROM`, both by id.

    Args:
        heads: of the transactions.
        entries: of all entries from the first of these to the last, and a little further.
        pending: what transactions of them reserve, by their id as PostgreSQL writes it.
    """

    def __init__(
        self, heads: Sequence[Row], entries: Sequence[Row], pending: dict[str, tuple[Line, ...]]
    ) -> None:
        self._heads = heads
        self._groups = groupby(entries, key=_ID)
        self._pending = pending
        self._next: tuple[str, Iterator[Row]] | None = next(self._groups, None)
        self.strays: list[str] = []

    def transactions(self) -> Iterator[Transaction]:
        """Put each transaction together with its entries; what belongs to none is a stray."""
        for head in self._heads:
            id_, created_at, effective_at, expires_at, kind, reference, *said, hash_, _ = head
            description, subject_id, reverses, resolves, template = said
            name, effective = to_name(id_), effective_at or created_at
            heading = _tuple(
                Heading,
                (
                    reference, _KINDS[kind], description, subject_id, effective, expires_at,
                    reverses or "", resolves or "", template or "",
                ),
            )  # fmt: skip
            entries = _entries(name, heading, self._of(id_))
            pending = self._pending.get(id_, ())
            yield _tuple(Transaction, (name, heading, created_at, entries, pending, hash_))

    def finish(self) -> None:
        """Take what is left of the entries for strays."""
        self._pass("g")  # behind every id

    def _of(self, id_: str) -> Iterator[Row]:
        self._pass(id_)
        if self._next is not None and self._next[0] == id_:
            yield from self._next[1]
            self._next = next(self._groups, None)

    def _pass(self, id_: str) -> None:
        """Take the entries before an id for strays."""
        while self._next is not None and self._next[0] < id_:
            self.strays.append(to_name(self._next[0]))
            self._next = next(self._groups, None)


def to_name(id_: str) -> str:
    """Write an id as the domain does."""
    return "txn_" + id_.replace("-", "")


def _entries(name: str, heading: Heading, found: Iterator[Row]) -> tuple[Entry, ...]:
    reference, _, _, subject_id, effective_at, *_ = heading
    written_at, stored = chain.written_at(name), Money.of_stored
    return tuple(
        [
            _tuple(
                Entry,
                (
                    name, reference, line, account_id, _SIDES[is_debit],
                    stored(amount, currency), stored(after, currency), sequence,
                    written_at, effective_at, subject_id,
                ),
            )
            for _, line, is_debit, amount, after, sequence, account_id, currency in found
        ]
    )  # fmt: skip
