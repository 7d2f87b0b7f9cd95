"""Reads an account with its balance."""

from ledger_svc.domain.account import Account
from ledger_svc.domain.errors import AccountNotFound
from ledger_svc.ports import LedgerReader


async def get_balance(reader: LedgerReader, account_id: str) -> Account:
    """Read an account as it is now.

    Raises:
        AccountNotFound: there is none.
    """
    account = await reader.account(account_id)
    if account is None:
        raise AccountNotFound(account_id)
    return account
