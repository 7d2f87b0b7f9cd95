"""Reads accounts with their balances, now or at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ledger_svc.domain.account import Account
from ledger_svc.domain.errors import AccountNotFound
from ledger_svc.ports import BalanceAt, LedgerReader
from ledger_svc.use_cases.archive import require_effect_kept, require_kept

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Found:
    """The accounts that there are, and the ids that have none, in the order asked."""

    accounts: Sequence[Account]
    missing: Sequence[str]


async def get_balance(
    reader: LedgerReader, account_id: str, at: datetime | None, *, by_effective_at: bool
) -> Account:
    """Read an account; with a time, its balance and number of entries as they were then.

    Raises:
        AccountNotFound: there is none.
        PeriodArchived: what was written then is archived.
    """
    if at is None:
        return await find_account(reader, account_id)
    if by_effective_at:
        # It takes several reads, and what is shifted between two of them would count half.
        account = await reader.at_one_moment(lambda now: _effective(now, account_id, at))
        await require_effect_kept(reader, at)
        return account
    account = await find_account(reader, account_id)
    # Up to and with `at`: times are of whole microseconds.
    then = await reader.balance_before(account, at + _TICK)
    await require_kept(reader, at + _TICK)
    return _with(account, then)


async def _effective(reader: LedgerReader, account_id: str, at: datetime) -> Account:
    account = await find_account(reader, account_id)
    return _with(account, await reader.balance_effective(account, at))


def _with(account: Account, then: BalanceAt) -> Account:
    standing = account.standing._replace(balance=then.balance, entry_count=then.entry_count)
    return replace(account, standing=standing)


async def get_balances(reader: LedgerReader, account_ids: Sequence[str]) -> Found:
    """Read many accounts as they are now, by id."""
    accounts = await reader.accounts(account_ids)
    there = {account.account_id for account in accounts}
    return Found(accounts, [name for name in dict.fromkeys(account_ids) if name not in there])


async def find_account(reader: LedgerReader, account_id: str) -> Account:
    """Read an account as it is now.

    Raises:
        AccountNotFound: there is none.
    """
    found = await reader.accounts([account_id])
    if not found:
        raise AccountNotFound(account_id)
    return found[0]
