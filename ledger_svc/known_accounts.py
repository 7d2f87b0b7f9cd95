"""Accounts as the last batch leaves them, so that the next need not ask the database.

What is kept here is hearsay: another instance may have written since. Whoever decides by it holds
it against the books when writing (see `statements.WRITE`).
"""

from collections.abc import Iterable

from ledger_svc.domain.account import Account, Standing
from ledger_svc.domain.books import Books

_COUNT_MAX = 20_000  # some 20 MB


class KnownAccounts:
    """The accounts that this process touched lately, the newest 20,000 at the least."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._standings: dict[str, Standing] = {}  # what entries have made of them since

    def missing(self, account_ids: Iterable[str]) -> list[str]:
        """Name those that are not known, sorted."""
        return sorted(name for name in account_ids if name not in self._accounts)

    def learn(self, accounts: Iterable[Account]) -> None:
        """Keep accounts as they were read."""
        if len(self._accounts) > 2 * _COUNT_MAX:
            self._accounts = dict(list(self._accounts.items())[-_COUNT_MAX:])
            self._standings = {name: self._standings[name] for name in self._accounts}
        for account in accounts:
            self._accounts[account.account_id] = account
            self._standings[account.account_id] = account.standing

    def recall(self, account_ids: Iterable[str]) -> tuple[list[Account], dict[str, Standing]]:
        """Find accounts as they were read, and what they have now; those that do not exist are left
        out.
        """
        names = [name for name in account_ids if name in self._accounts]
        standings = self._standings
        return [self._accounts[name] for name in names], {name: standings[name] for name in names}

    def follow(self, books: Books) -> None:
        """Keep what a batch makes of its accounts, though it is not written yet."""
        self._standings.update(books.standings)

    def forget(self) -> None:
        """Know nothing any more."""
        self._accounts, self._standings = {}, {}
