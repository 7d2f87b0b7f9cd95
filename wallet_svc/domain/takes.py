"""What a frozen or closed wallet takes.

A freeze stops what is new: money coming in, money asked for, money set aside. What was promised
before it runs to its end (a settlement, a hold), and what is taken back is always taken back: its
money has left elsewhere already. A closed wallet is empty, so there only the last remains.
"""

from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallet import Wallet, WalletStatus

_TAKEN_BACK = frozenset({Kind.REVERSAL, Kind.REFUND, Kind.CHARGEBACK})
_PROMISED = frozenset({Kind.SETTLE, Kind.CAPTURE_HOLD, Kind.RELEASE, Kind.EXPIRE})

TAKEN = {
    WalletStatus.OPEN: frozenset(Kind),
    WalletStatus.FROZEN: _TAKEN_BACK | _PROMISED,
    WalletStatus.CLOSED: _TAKEN_BACK,
}


def require_takes(wallet: Wallet, kind: Kind, currency: str) -> None:
    """Make sure that a wallet takes a kind of operation, and the currency.

    Raises:
        WalletFrozen, WalletClosed: it takes no such operation now, or ever again.
        CurrencyMismatch: it is in another currency.
    """
    if wallet.status is not WalletStatus.OPEN and kind not in TAKEN[wallet.status]:
        if wallet.status is WalletStatus.FROZEN:
            raise errors.WalletFrozen(wallet.wallet_id)
        raise errors.WalletClosed(wallet.wallet_id)
    if currency != wallet.currency:
        raise errors.CurrencyMismatch(
            wallet.wallet_id, wallet_currency=wallet.currency, operation_currency=currency
        )
