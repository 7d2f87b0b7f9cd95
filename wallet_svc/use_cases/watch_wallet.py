"""Watches a wallet."""

from collections.abc import AsyncIterator

from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import WalletReader, WalletWatch
from wallet_svc.use_cases.get_wallet import get_wallet


async def watch_wallet(
    reader: WalletReader, watch: WalletWatch, wallet_id: str, after_version: int
) -> AsyncIterator[Wallet]:
    """Tell a wallet as it is, if newer than a version, and then after its changes; no end.

    Raises:
        WalletNotFound: there is none.
    """
    wallet = await get_wallet(reader, wallet_id)
    async for state in watch.states(wallet, after_version):
        yield state
