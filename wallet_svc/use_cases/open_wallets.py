"""Opens wallets that are not there yet."""

from collections.abc import Sequence

from bookkeeping.readable import do_readable
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.wallet import NewWallet, Wallet
from wallet_svc.ports import WalletWriter


async def open_wallets(
    writer: WalletWriter, asked: Sequence[NewWallet | Refusal]
) -> Sequence[Wallet | Refusal]:
    """Open wallets and answer each in order; what could not even be read stays refused."""
    return await do_readable(asked, writer.open_wallets)
