"""The chart of accounts: which accounts a payment platform keeps, how they are named, what for.

An id says what it is: its first words name the kind, its last the currency. No id matches two
kinds. Ids outside the chart may be opened too; no template names them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from chassis import money
from ledger_svc.domain.account import AccountType, NewAccount

_NAME = "[a-z][a-z0-9_-]{0,31}"
_PARTS = {
    "psp": _NAME,
    "rail": _NAME,
    "bank": _NAME,
    "source": _NAME,
    "client": "[A-Za-z0-9_.-]{1,64}",
    "seller": "[A-Za-z0-9_.-]{1,64}",
    # The one part that may hold colons; unambiguous, as what stands around it may not.
    "buyer": "[A-Za-z0-9_.:-]{1,64}",
    "currency": "[A-Z]{3}",
}
_COMPILED = {name: re.compile(part, re.ASCII) for name, part in _PARTS.items()}
_CACHED_IDS_MAX = 10_000


class OutsideChart(ValueError):
    """A part cannot stand in an account id; `part` names it."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of account.

    Attributes:
        name: stable, upper case.
        pattern: of its ids, such as "psp:{psp}:clearing:{currency}".
        clears_within: how long value may stay before the balance is zero again; None: it need not
            return to zero.
        has_zero_floor: no entry may leave less than zero; otherwise there is no floor.
    """

    name: str
    pattern: str
    type: AccountType
    meaning: str
    clears_within: timedelta | None = None
    has_zero_floor: bool = False

    def account_id(self, **parts: str) -> str:
        """Name an account of this kind; `parts` are those that the pattern names.

        Raises:
            OutsideChart: a part has characters that it may not have, or an unknown currency.
        """
        for name, value in parts.items():
            if not _COMPILED[name].fullmatch(value):
                raise OutsideChart(name, f"{value!r} cannot be part of an account id")
        if not _is_currency(parts["currency"]):
            raise OutsideChart("currency", f"{parts['currency']!r} is not in ISO 4217")
        return self.pattern.format_map(parts)

    def read(self, account_id: str) -> Mapping[str, str] | None:
        """Take the parts out of an id; None: it is not of this kind."""
        found = _expression(self.pattern).fullmatch(account_id)
        if found is None or not _is_currency(found["currency"]):
            return None
        return found.groupdict()


@dataclass(frozen=True, slots=True)
class ChartedAccount:
    """What an account id says by itself."""

    account_id: str
    kind: Kind
    parts: Mapping[str, str]

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.parts["currency"]

    def opening(self) -> NewAccount:
        """Make the account as it is to be opened."""
        floor = "0" if self.kind.has_zero_floor else None
        return NewAccount.parse(self.account_id, self.kind.type, self.currency, floor=floor)


PSP_CLEARING = Kind(
    "PSP_CLEARING",
    "psp:{psp}:clearing:{currency}",
    AccountType.ASSET,
    "What a PSP has taken for us, less what it has given back or kept, and not yet paid out.",
    clears_within=timedelta(days=7),
)
PSP_FEES = Kind(
    "PSP_FEES",
    "psp:{psp}:fees:{currency}",
    AccountType.EXPENSE,
    "What a PSP has kept for its service.",
)
PSP_DISPUTED = Kind(
    "PSP_DISPUTED",
    "psp:{psp}:disputed:{currency}",
    AccountType.ASSET,
    "What a PSP has taken back for chargebacks that are not decided yet.",
    clears_within=timedelta(days=120),
    has_zero_floor=True,
)
SELLER_PAYABLE = Kind(
    "SELLER_PAYABLE",
    "seller:{client}:{seller}:{currency}",
    AccountType.LIABILITY,
    "What we owe a seller; below zero, what the seller owes us.",
)
BUYER = Kind(
    "BUYER",
    "buyer:{client}:{buyer}:{currency}",
    AccountType.LIABILITY,
    "What we owe a buyer: refunds that no PSP has paid yet.",
    clears_within=timedelta(days=10),
    has_zero_floor=True,
)
CHARGEBACK_RESERVE = Kind(
    "CHARGEBACK_RESERVE",
    "chargeback:{client}:reserve:{currency}",
    AccountType.LIABILITY,
    "What is kept back from a client's sellers until their chargebacks are decided.",
    clears_within=timedelta(days=120),
    has_zero_floor=True,
)
PLATFORM_REVENUE = Kind(
    "PLATFORM_REVENUE",
    "platform:revenue:{currency}",
    AccountType.REVENUE,
    "What the platform has earned by its fees.",
)
PLATFORM_LOSSES = Kind(
    "PLATFORM_LOSSES",
    "platform:losses:{currency}",
    AccountType.EXPENSE,
    "What the platform has borne itself: chargebacks that no seller covers, and write-offs.",
)
PAYOUT_INITIATED = Kind(
    "PAYOUT_INITIATED",
    "payout:{rail}:initiated:{currency}",
    AccountType.LIABILITY,
    "Payouts that are decided and not yet handed to a rail (a bank or a PSP).",
    clears_within=timedelta(days=2),
    has_zero_floor=True,
)
PAYOUT_TRANSIT = Kind(
    "PAYOUT_TRANSIT",
    "payout:{rail}:transit:{currency}",
    AccountType.LIABILITY,
    "Payouts that a rail has accepted and not yet confirmed.",
    clears_within=timedelta(days=5),
    has_zero_floor=True,
)
FX_CLEARING = Kind(
    "FX_CLEARING",
    "fx:clearing:{currency}",
    AccountType.ASSET,
    "What conversions have taken in and given out in a currency, until a bank has exchanged it.",
    clears_within=timedelta(days=2),
)
FX_RESULT = Kind(
    "FX_RESULT",
    "fx:result:{currency}",
    AccountType.REVENUE,
    "What conversions have earned by their spread, less what the exchange cost.",
)
SUSPENSE = Kind(
    "SUSPENSE",
    "suspense:{source}:{currency}",
    AccountType.ASSET,
    "What a source (a PSP or a bank) has kept or paid without our knowing what for.",
    clears_within=timedelta(days=30),
)
BANK = Kind(
    "BANK",
    "bank:{bank}:{currency}",
    AccountType.ASSET,
    "What lies on our account at a bank.",
)

CHART = (
    PSP_CLEARING,
    PSP_FEES,
    PSP_DISPUTED,
    SELLER_PAYABLE,
    BUYER,
    CHARGEBACK_RESERVE,
    PLATFORM_REVENUE,
    PLATFORM_LOSSES,
    PAYOUT_INITIATED,
    PAYOUT_TRANSIT,
    FX_CLEARING,
    FX_RESULT,
    SUSPENSE,
    BANK,
)


@lru_cache(maxsize=_CACHED_IDS_MAX)
def parse(account_id: str) -> ChartedAccount | None:
    """Tell what an account is by its id; None: the chart does not know it."""
    for kind in CHART:
        parts = kind.read(account_id)
        if parts is not None:
            return ChartedAccount(account_id, kind, parts)
    return None


def clearing(psp: str, currency: str) -> str:
    """Name what a PSP has taken for us and not yet paid out."""
    return PSP_CLEARING.account_id(psp=psp, currency=currency)


def psp_fees(psp: str, currency: str) -> str:
    """Name what a PSP has kept for its service."""
    return PSP_FEES.account_id(psp=psp, currency=currency)


def disputed(psp: str, currency: str) -> str:
    """Name what a PSP has taken back until its chargebacks are decided."""
    return PSP_DISPUTED.account_id(psp=psp, currency=currency)


def seller_payable(client: str, seller: str, currency: str) -> str:
    """Name what we owe a client's seller."""
    return SELLER_PAYABLE.account_id(client=client, seller=seller, currency=currency)


def buyer(client: str, buyer_id: str, currency: str) -> str:
    """Name what we owe a client's buyer."""
    return BUYER.account_id(client=client, buyer=buyer_id, currency=currency)


def chargeback_reserve(client: str, currency: str) -> str:
    """Name what is kept back from a client's sellers for open chargebacks."""
    return CHARGEBACK_RESERVE.account_id(client=client, currency=currency)


def platform_revenue(currency: str) -> str:
    """Name what the platform has earned."""
    return PLATFORM_REVENUE.account_id(currency=currency)


def platform_losses(currency: str) -> str:
    """Name what the platform has borne itself."""
    return PLATFORM_LOSSES.account_id(currency=currency)


def payout_initiated(rail: str, currency: str) -> str:
    """Name the payouts that are decided and not yet sent over a rail."""
    return PAYOUT_INITIATED.account_id(rail=rail, currency=currency)


def payout_transit(rail: str, currency: str) -> str:
    """Name the payouts that are on their way over a rail."""
    return PAYOUT_TRANSIT.account_id(rail=rail, currency=currency)


def fx_clearing(currency: str) -> str:
    """Name what conversions hold in a currency until it is exchanged."""
    return FX_CLEARING.account_id(currency=currency)


def fx_result(currency: str) -> str:
    """Name what conversions have earned in a currency."""
    return FX_RESULT.account_id(currency=currency)


def suspense(source: str, currency: str) -> str:
    """Name what a source has kept or paid unexplained."""
    return SUSPENSE.account_id(source=source, currency=currency)


def bank(name: str, currency: str) -> str:
    """Name our account at a bank."""
    return BANK.account_id(bank=name, currency=currency)


@lru_cache(maxsize=len(CHART))
def _expression(pattern: str) -> re.Pattern[str]:
    text = re.sub(r"\{(\w+)\}", lambda part: f"(?P<{part[1]}>{_PARTS[part[1]]})", pattern)
    return re.compile(text, re.ASCII)


def _is_currency(code: str) -> bool:
    try:
        money.currency_decimals(code)
    except money.UnknownCurrency:
        return False
    return True
