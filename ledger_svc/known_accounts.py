"""Accounts as the last batch leaves them, so that the next need not ask the database.

What is kept here is hearsay: another instance may have written since. Whoever decides by it holds
it against the books when writing (see `statements.WRITE`).
"""

from collections.abc import Iterable

from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Books

_COUNT_MAX = 20_000  # some 20 MB


class KnownAccounts:
    """The accounts that this process touched lately, the newest 20,000 at the least."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def missing(self, account_ids: Iterable[str]) -> list[str]:
        """Name those that are not known, sorted."""
        return sorted(name for name in account_ids if name not in self._accounts)

    def learn(self, accounts: Iterable[Account]) -> None:
        """Keep accounts as they were read."""
        if len(self._accounts) > 2 * _COUNT_MAX:
            self._accounts = dict(list(self._accounts.items())[-_COUNT_MAX:])
        self._accounts.update({account.account_id: account for account in accounts})

    def recall(self, account_ids: Iterable[str]) -> list[Account]:
        """Find accounts; those that do not exist are left out."""
        found = map(self._accounts.get, account_ids)
        return [account for account in found if account is not None]

    def follow(self, books: Books) -> None:
        """Keep what a batch makes of its accounts, though it is not written yet."""
        at = books.now
        self._accounts.update(
            {account.account_id: account.after(now, at) for account, now in books.changed}
        )

    def forget(self) -> None:
        """Know nothing any more."""
        self._accounts = {}
