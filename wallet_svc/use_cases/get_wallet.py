"""Reads a wallet."""

from wallet_svc.domain.errors import WalletNotFound
from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import WalletReader


async def get_wallet(reader: WalletReader, wallet_id: str) -> Wallet:
    """Read a wallet as it is now.

    Raises:
        WalletNotFound: there is none.
    """
    wallet = await reader.wallet(wallet_id)
    if wallet is None:
        raise WalletNotFound(wallet_id)
    return wallet
