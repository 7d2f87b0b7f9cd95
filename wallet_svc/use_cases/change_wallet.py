"""Freezes, unfreezes and closes wallets, and sets their credit limits."""

from wallet_svc.domain.wallet import Wallet, WalletStatus
from wallet_svc.ports import WalletWriter


async def change_status(
    writer: WalletWriter, wallet_id: str, to: WalletStatus, *, reason: str, actor: str
) -> Wallet:
    """Change a wallet's status and keep by whom and why; to what it is already, no change.

    Raises:
        WalletNotFound: there is none.
        WalletClosed: it is closed, and stays so.
        WalletNotEmpty: it is to be closed while it holds or owes something.
    """
    return await writer.change_status(wallet_id, to, reason=reason, actor=actor)


async def set_credit_limit(
    writer: WalletWriter, wallet_id: str, limit: str, *, reason: str, actor: str
) -> Wallet:
    """Set a wallet's credit limit and keep by whom and why; to what it is already, no change.

    Raises:
        WalletNotFound: there is none.
        WalletClosed: it is closed.
        InvalidAmount: the limit is no decimal of at least zero in the wallet's currency.
    """
    return await writer.set_credit_limit(wallet_id, limit, reason=reason, actor=actor)
