"""What each kind of operation moves between a wallet's balances, and when it is refused.

What is asked for (DEBIT, HOLD, TRANSFER) needs funds; what is taken back (REVERSAL, REFUND,
CHARGEBACK) never lacks any: it takes what its subject has in pending, then from available, below
zero if need be. A hold stands whatever is taken back beside it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from wallet_svc.domain import errors
from wallet_svc.domain.hold import Hold, HoldStatus
from wallet_svc.domain.operation import Kind, NewOperation
from wallet_svc.domain.wallet import Change, Standing, Wallet
from wallet_svc.domain.wallets import Pot, Wallets

_ZERO = Decimal(0)

Movement = Callable[[Wallets, Wallet, Standing, NewOperation], Change]
HoldMovement = Callable[[Wallets, Wallet, Standing, NewOperation], tuple[Change, Hold]]


def _credit(_: Wallets, __: Wallet, ___: Standing, asked: NewOperation) -> Change:
    return Change(asked.amount, _ZERO, _ZERO)


def _settle(_: Wallets, wallet: Wallet, now: Standing, asked: NewOperation) -> Change:
    if asked.amount > now.pending:
        holds = wallet.money(now.pending)
        raise errors.InsufficientFunds(wallet.wallet_id, balance="pending", holds=holds)
    return Change(-asked.amount, asked.amount, _ZERO)


def _debit(_: Wallets, wallet: Wallet, now: Standing, asked: NewOperation) -> Change:
    _require_funds(wallet, now, asked.amount)
    return Change(_ZERO, -asked.amount, _ZERO)


def _receive(_: Wallets, __: Wallet, ___: Standing, asked: NewOperation) -> Change:
    return Change(_ZERO, asked.amount, _ZERO)


def _take_back(wallets: Wallets, _: Wallet, now: Standing, asked: NewOperation) -> Change:
    """Take from pending what the operation's pot still has there, and the rest from available.

    A SETTLE names no credit, yet it is done for the same object: what it settled is no longer in
    the pot's pending. So nothing is ever taken of what is pending for another object.
    """
    left = max(wallets.pending[Pot(asked.wallet_id, asked.subject_id)], _ZERO)
    unsettled = min(asked.amount, left, now.pending)
    return Change(-unsettled, unsettled - asked.amount, _ZERO)


def _hold(
    wallets: Wallets, wallet: Wallet, now: Standing, asked: NewOperation
) -> tuple[Change, Hold]:
    _require_funds(wallet, now, asked.amount)
    hold = Hold(
        asked.operation_id,
        asked.wallet_id,
        asked.subject_id,
        asked.currency,
        amount=asked.amount,
        open=asked.amount,
        captured=_ZERO,
        released=_ZERO,
        status=HoldStatus.OPEN,
        expires_at=asked.expires_at,
        created_at=wallets.now,
    )
    if hold.is_due(wallets.now):
        raise errors.HoldExpired(hold.hold_id, hold.expires_at)
    return Change(_ZERO, -asked.amount, asked.amount), hold


def _capture(
    wallets: Wallets, wallet: Wallet, _: Standing, asked: NewOperation
) -> tuple[Change, Hold]:
    before = wallets.hold(asked.refers_to, wallet.wallet_id)
    hold = before.capture(asked.amount, wallets.now, releases_rest=asked.releases_rest)
    return Change(_ZERO, hold.released - before.released, hold.open - before.open), hold


def _release(
    wallets: Wallets, wallet: Wallet, _: Standing, asked: NewOperation
) -> tuple[Change, Hold]:
    before = wallets.hold(asked.refers_to, wallet.wallet_id)
    hold = before.let_go(HoldStatus.RELEASED)
    return Change(_ZERO, before.open, -before.open), hold


def _expire(
    wallets: Wallets, wallet: Wallet, _: Standing, asked: NewOperation
) -> tuple[Change, Hold]:
    before = wallets.hold(asked.refers_to, wallet.wallet_id)
    hold = before.let_go(HoldStatus.EXPIRED)
    if not before.is_due(wallets.now):
        raise errors.HoldNotDue(before.hold_id)
    return Change(_ZERO, before.open, -before.open), hold


def _require_funds(wallet: Wallet, now: Standing, amount: Decimal) -> None:
    if now.available - amount < -wallet.credit_limit:
        limit = wallet.money(wallet.credit_limit) if wallet.credit_limit else None
        raise errors.InsufficientFunds(
            wallet.wallet_id,
            balance="available",
            holds=wallet.money(now.available),
            credit_limit=limit,
        )


MOVEMENTS: Mapping[Kind, Movement] = {
    Kind.CREDIT: _credit,
    Kind.SETTLE: _settle,
    Kind.REVERSAL: _take_back,
    Kind.DEBIT: _debit,
    Kind.REFUND: _take_back,
    Kind.CHARGEBACK: _take_back,
    Kind.TRANSFER: _debit,
    Kind.TRANSFER_IN: _receive,
}
HOLD_MOVEMENTS: Mapping[Kind, HoldMovement] = {
    Kind.HOLD: _hold,
    Kind.CAPTURE_HOLD: _capture,
    Kind.RELEASE: _release,
    Kind.EXPIRE: _expire,
}
