"""Lists accounts by id, a page at a time, and what became of one's status."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger_svc.domain.account import Account, AccountChange
from ledger_svc.ports import LedgerReader
from ledger_svc.use_cases.get_balance import find_account
from paging.page_size import page_limit
from paging.page_token import read_token, write_token

_NEWEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page of accounts; an empty `next_page_token` ends the list."""

    accounts: Sequence[Account]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of changes; an empty `next_page_token` ends the list."""

    changes: Sequence[AccountChange]
    next_page_token: str


async def list_accounts(
    reader: LedgerReader, prefix: str, *, page_size: int, page_token: str
) -> AccountPage:
    """Read a page of at most `page_size` accounts: 0 means 50, more than 500 means 500.

    Raises:
        InvalidRequest: the token was made with another prefix, or not here.
    """
    limit = page_limit(page_size)
    after = str(*read_token([prefix], page_token, [str])) if page_token else ""
    found = await reader.accounts_from(prefix, after=after, limit=limit + 1)
    accounts = found[:limit]
    token = write_token([prefix], [accounts[-1].account_id]) if len(found) > limit else ""
    return AccountPage(accounts, token)


async def list_account_changes(
    reader: LedgerReader, account_id: str, *, page_size: int, page_token: str
) -> ChangePage:
    """Read a page of the changes of an account's status, the newest first; sizes as above.

    Raises:
        AccountNotFound: there is none.
        InvalidRequest: the token was made for another account, or not here.
    """
    limit = page_limit(page_size)
    filters = ["changes", account_id]
    (before,) = read_token(filters, page_token, [int]) if page_token else [_NEWEST]
    await find_account(reader, account_id)
    found = await reader.account_changes(account_id, before=int(before), limit=limit + 1)
    changes = found[:limit]
    token = write_token(filters, [changes[-1].number]) if len(found) > limit else ""
    return ChangePage(changes, token)
