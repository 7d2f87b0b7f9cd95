"""Freezes, unfreezes and closes accounts."""

from ledger_svc.domain.account import Account, AccountStatus
from ledger_svc.ports import LedgerWriter


async def change_status(
    writer: LedgerWriter, account_id: str, to: AccountStatus, *, reason: str, actor: str
) -> Account:
    """Change an account's status and keep by whom and why; to what it is already, no change.

    Raises:
        AccountNotFound: there is none.
        AccountClosed: it is closed, and stays so.
        AccountNotEmpty: it is to be closed while something stands on it or is pending.
    """
    return await writer.change_status(account_id, to, reason=reason, actor=actor)
