"""The record read as money that came and went, each movement with all names it goes by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement.schedule import SCHEDULES

# Which way the shop's money at the PSP goes. Authorizations, voids and declines move none.
_SIGNS: Mapping[str, int] = MappingProxyType(
    {
        "charge": 1,
        "capture": 1,
        "capture_failed": -1,
        "refund": -1,
        "refund_failed": 1,
        "payout": -1,
        "payout_failed": 1,
        "deposit": 1,
        "dispute_withdrawn": -1,
        "dispute_reinstated": 1,
    }
)
_SALES = frozenset({"charge", "capture"})
# Only PayPal pays others from the balance that sales are on. Adyen's transfers leave balance
# accounts, of which the settlement file of a merchant account does not tell.
_PAYS_OTHERS = frozenset({"paypal", "bank"})
_TO_OTHERS = frozenset({"payout", "payout_failed"})


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement on the shop's balance at a PSP, or on its bank account.

    Args:
        seq: of its line in the record.
        at: in Unix seconds.
        kind: one of the record's about money.
        reference: the PSP's id of what moved.
        payment_reference: the PSP's id of the payment.
        sale_reference: of the charge or capture that it undoes; its own when it is one. Of several
            captures of a payment, the last one before it.
        amount: minor units as the PSP counts them, above zero when the shop has more after it.
        currency: in upper case.
        metadata: the caller's own of this movement.
        payment_metadata: the caller's own of the payment; the movement's when it is a sale.
    """

    seq: int
    psp: str
    at: float
    kind: str
    reference: str
    payment_reference: str
    sale_reference: str
    amount: int
    currency: str
    metadata: Mapping[str, str]
    payment_metadata: Mapping[str, str]

    @property
    def is_of_dispute(self) -> bool:
        """Whether a buyer took it back, or it came back from him: it has no id of ours."""
        return self.kind.startswith("dispute_")

    @property
    def our_id(self) -> str:
        """Our own id of the movement: the attempt's; empty without."""
        return self.metadata.get("attempt_id", "")

    @property
    def payment_our_id(self) -> str:
        """Our own id of the payment: that of the attempt which took it; empty without."""
        return self.payment_metadata.get("attempt_id", "")


Days = dict[date, list[Movement]]


@dataclass(slots=True)
class Movements:
    """The movements of a record by PSP and day of settlement, oldest first within a day.

    Args:
        entries: the record's, which only grows.

    Invariant: what has been given for a moment does not change: a line that comes later counts as
    of that moment at the earliest.
    """

    entries: Sequence[Entry]
    _days: dict[str, Days] = field(default_factory=lambda: {psp: {} for psp in SCHEDULES})
    _sales: dict[tuple[str, str], Entry] = field(default_factory=dict)
    _upto: int = 0
    _latest: float = 0.0

    def of(self, psp: str, now: float) -> Mapping[date, Sequence[Movement]]:
        """Give a PSP's movements by the day whose file they are in; read on where it had ended."""
        for place in range(self._upto, len(self.entries)):
            self._take(self.entries[place])
        self._upto = len(self.entries)
        self._latest = max(self._latest, now)
        return self._days[psp]

    def _take(self, entry: Entry) -> None:
        self._latest = max(self._latest, entry.at)
        sign = _SIGNS.get(entry.kind)
        days = self._days.get(entry.psp)
        if sign is None or days is None or not entry.amount:
            return
        if entry.kind in _TO_OTHERS and entry.psp not in _PAYS_OTHERS:
            return
        payment = (entry.psp, entry.payment_reference)
        if entry.kind in _SALES:
            self._sales[payment] = entry
            self._sales[entry.psp, entry.reference] = entry  # PayPal disputes a capture
        sale = self._sales.get(payment, entry)
        day = SCHEDULES[entry.psp].settled_on(self._latest)
        days.setdefault(day, []).append(_movement(entry, sale, sign, self._latest))


def _movement(entry: Entry, sale: Entry, sign: int, at: float) -> Movement:
    return Movement(
        seq=entry.seq,
        psp=entry.psp,
        at=at,
        kind=entry.kind,
        reference=entry.reference,
        payment_reference=sale.payment_reference,
        sale_reference=sale.reference,
        amount=sign * entry.amount,
        currency=entry.currency.upper(),
        metadata=entry.metadata,
        payment_metadata=sale.metadata,
    )
