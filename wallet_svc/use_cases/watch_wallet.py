"""Watches a wallet."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import WalletReader, WalletWatch
from wallet_svc.use_cases.get_wallet import get_wallet


async def watch_wallet(
    reader: WalletReader,
    watch: WalletWatch,
    wallet_id: str,
    *,
    after_version: int,
    timeout_s: float,
) -> AsyncGenerator[Wallet, None]:
    """Tell a wallet as it is, if newer than a version, and then its newest state after changes.

    Raises:
        WalletNotFound: there is none.
        ResourceExhausted: too many watch.
    """
    wallet = await get_wallet(reader, wallet_id)
    async with aclosing(watch.states(wallet, after_version, timeout_s)) as states:
        async for state in states:
            yield state
