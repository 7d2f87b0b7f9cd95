"""Transactions that this process wrote lately, so that a replay of one is answered from here.

Unlike what is known of accounts this is no hearsay: what is on disk never changes, and what is not
there yet is on its way before the batch that knows of it.
"""

from collections.abc import Iterable, Sequence

from ledger_svc.domain.posting import Command
from ledger_svc.domain.transaction import Transaction

_COUNT_MAX = 4_096  # twice that many are some 15 MB


class RecentTransactions:
    """The newest 4,096 at the least, by reference."""

    def __init__(self) -> None:
        self._new: dict[str, Transaction] = {}
        self._old: dict[str, Transaction] = {}

    def find(self, commands: Iterable[Command]) -> list[Transaction]:
        """Find those that commands name."""
        new, old = self._new, self._old
        found = [new.get(c.reference) or old.get(c.reference) for c in commands]
        return [one for one in found if one is not None]

    def keep(self, written: Sequence[Transaction]) -> None:
        """Keep what a batch writes, though it is not written yet."""
        if len(self._new) > _COUNT_MAX:
            self._old, self._new = self._new, {}
        self._new.update([(made[1][0], made) for made in written])  # heading, reference

    def forget(self) -> None:
        """Know nothing any more."""
        self._new, self._old = {}, {}
