"""Opens wallets that are not there yet."""

from collections.abc import Sequence

from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.wallet import NewWallet, Wallet
from wallet_svc.ports import WalletWriter


async def open_wallets(
    writer: WalletWriter, asked: Sequence[NewWallet | Refusal]
) -> list[Wallet | Refusal]:
    """Open wallets and answer each in order; what could not even be read stays refused."""
    readable = [item for item in asked if isinstance(item, NewWallet)]
    answers = iter(await writer.open_wallets(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]
