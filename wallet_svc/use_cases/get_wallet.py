"""Reads wallets."""

from collections.abc import Sequence
from dataclasses import dataclass

from wallet_svc.domain.errors import WalletNotFound
from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import WalletReader


@dataclass(frozen=True, slots=True)
class Found:
    """The wallets that there are, by id, and the ids that have none, in the order asked."""

    wallets: Sequence[Wallet]
    missing: Sequence[str]


async def get_wallet(reader: WalletReader, wallet_id: str) -> Wallet:
    """Read a wallet as it is now.

    Raises:
        WalletNotFound: there is none.
    """
    found = await reader.wallets([wallet_id])
    if not found:
        raise WalletNotFound(wallet_id)
    return found[0]


async def get_wallets(reader: WalletReader, wallet_ids: Sequence[str]) -> Found:
    """Read many wallets as they are at one moment."""
    wallets = await reader.wallets(list(dict.fromkeys(wallet_ids)))
    there = {wallet.wallet_id for wallet in wallets}
    missing = [name for name in dict.fromkeys(wallet_ids) if name not in there]
    return Found(wallets, missing)
