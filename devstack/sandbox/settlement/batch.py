"""What a PSP settles on a day: rows by currency, and the payout that empties the balance."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from devstack.sandbox.settlement.fees import adyen_transactions, fee_of
from devstack.sandbox.settlement.movements import Movement

_SALES = frozenset({"charge", "capture"})
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # pragma: allowlist secret


@dataclass(frozen=True, slots=True)
class Row:
    """A movement as its PSP reports it, which a planted mismatch can make another than it was.

    Args:
        id: the PSP's own of the row.
        gross: minor units; above zero when the shop has more after it.
        fee: minor units, what the PSP keeps.
        has_our_ids: whether the file says what the caller called it.
    """

    id: str
    movement: Movement
    currency: str
    gross: int
    fee: int
    has_our_ids: bool = True

    @property
    def net(self) -> int:
        """What the balance changes by."""
        return self.gross - self.fee

    @property
    def is_sale(self) -> bool:
        """Whether money was taken by it."""
        return self.movement.kind in _SALES


@dataclass(frozen=True, slots=True)
class Batch:
    """One currency of a day.

    Args:
        number: 1 for the PSP's first day with a file, and so on.
        opening: the balance before, in minor units; below zero after a day of more refunds than
            sales, where the PSP does not collect them.
        costs: what the PSP takes besides the rows' fees.
        payout: what goes to the bank; below zero when the PSP collects. Invariant: opening + the
            rows' nets − costs − payout = closing, which is 0 unless it is below.
        payout_id: the PSP's own, and what the bank statement shows.
    """

    psp: str
    day: date
    number: int
    currency: str
    rows: Sequence[Row]
    opening: int
    costs: int
    payout: int
    payout_id: str

    @property
    def closing(self) -> int:
        """The balance after the payout."""
        return self.opening + sum(row.net for row in self.rows) - self.costs - self.payout


def row_of(movement: Movement) -> Row:
    """Make the row of a movement as it was."""
    return Row(
        id=token("row", movement.psp, str(movement.seq)),
        movement=movement,
        currency=movement.currency,
        gross=movement.amount,
        fee=fee_of(movement),
    )


def batches_of(
    psp: str, day: date, number: int, rows: Iterable[Row], openings: Mapping[str, int]
) -> tuple[Batch, ...]:
    """Make a day's batches, by currency in alphabetical order.

    Args:
        psp: whose.
        day: of settlement.
        number: of the batch; see `Batch`.
        rows: all of the day.
        openings: balances that other days left, by currency.
    """
    currencies: dict[str, list[Row]] = {currency: [] for currency in openings if openings[currency]}
    for row in rows:
        currencies.setdefault(row.currency, []).append(row)
    return tuple(
        _batch(psp, day, number, currency, currencies[currency], openings.get(currency, 0))
        for currency in sorted(currencies)
    )


def _batch(
    psp: str, day: date, number: int, currency: str, rows: Sequence[Row], opening: int
) -> Batch:
    sales = sum(row.is_sale for row in rows)
    costs = adyen_transactions(sales, currency) if psp == "adyen" else 0
    balance = opening + sum(row.net for row in rows) - costs
    # Stripe collects what is owed to it from the bank account; the others wait for sales.
    payout = balance if psp == "stripe" else max(balance, 0)
    payout_id = token("payout", psp, day.isoformat(), currency)
    return Batch(psp, day, number, currency, rows, opening, costs, payout, payout_id)


def token(*names: str, length: int = 16) -> str:
    """Make an id of capitals and digits, at most 32, that is always the same for the same names."""
    digest = hashlib.sha256("\x00".join(names).encode()).digest()
    return "".join(_LETTERS[byte % 32] for byte in digest[:length])
