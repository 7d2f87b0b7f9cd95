"""Draws any valid facts of any template, in any currency."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import iso4217
from hypothesis import strategies as st

from chassis.money import Money, currency_decimals, total
from ledger_svc.domain import chart
from ledger_svc.domain.templates import charges
from ledger_svc.domain.templates.chargebacks import (
    SHARES_MAX,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
)
from ledger_svc.domain.templates.charges import Captured, PlatformFee, PspFee
from ledger_svc.domain.templates.conversions import ConversionCovered, Converted
from ledger_svc.domain.templates.payouts import (
    PayoutInitiated,
    PayoutInTransit,
    PayoutReturned,
    PayoutSettled,
    PayoutStage,
)
from ledger_svc.domain.templates.refunds import (
    RefundFailed,
    RefundInitiated,
    RefundPaid,
    RefundReturned,
)
from ledger_svc.domain.templates.settlements import (
    ChargeKept,
    Excess,
    LateCharged,
    Settled,
    SettlementClaimed,
    SuspenseReleased,
)
from ledger_svc.domain.templates.template import Share

_ALL = sorted({c.code for c in iso4217.Currency if c.exponent is not None})
# One of each number of decimals often, so that none is left out; the others now and then.
CURRENCIES = st.one_of(st.sampled_from(["USD", "JPY", "KWD", "CLF"]), st.sampled_from(_ALL))
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
IDS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
BUYERS = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)
SCOPES = st.from_regex(r"(pay|ord)_[0-9a-z]{1,60}", fullmatch=True)
_UNITS_MAX = 10**11


def amounts(currency: str) -> st.SearchStrategy[Money]:
    """Draw amounts above zero."""
    return st.integers(1, _UNITS_MAX).map(lambda units: of_units(units, currency))


def of_units(units: int, currency: str) -> Money:
    """Make an amount of a currency's smallest units."""
    return Money(Decimal(units).scaleb(-currency_decimals(currency)), currency)


def shares(currency: str, most: int, least: int = 1) -> st.SearchStrategy[tuple[Share, ...]]:
    """Draw sellers' shares; a seller may have several."""
    drawn = st.lists(st.builds(Share, IDS, amounts(currency)), min_size=least, max_size=most)
    return drawn.map(tuple)


def summed(parts: tuple[Share, ...], currency: str, more: Money | None = None) -> Money:
    """Sum shares and what is added to them."""
    extra = () if more is None else (more,)
    return total([*(part.amount for part in parts), *extra], currency)


def optional(currency: str) -> st.SearchStrategy[Money | None]:
    """Draw an amount or none."""
    return st.none() | amounts(currency)


@st.composite
def captured(draw: st.DrawFn, currency: str) -> Captured:
    """Draw a capture."""
    parts, fee = draw(shares(currency, charges.SHARES_MAX)), draw(optional(currency))
    whole = summed(parts, currency, fee)
    return Captured(draw(SCOPES), draw(NAMES), draw(IDS), whole, parts, fee)


@st.composite
def platform_fee(draw: st.DrawFn, currency: str) -> PlatformFee:
    """Draw a fee of the platform."""
    parts = draw(shares(currency, charges.SHARES_MAX))
    return PlatformFee(draw(SCOPES), draw(IDS), summed(parts, currency), parts)


def refund(kind: Callable[..., Any]) -> Callable[[str], st.SearchStrategy[Any]]:
    """Make what draws a refund that is initiated or failed."""

    @st.composite
    def draw_refund(draw: st.DrawFn, currency: str) -> Any:
        parts, fee = draw(shares(currency, charges.SHARES_MAX)), draw(optional(currency))
        whole = summed(parts, currency, fee)
        return kind(draw(IDS), draw(IDS), draw(BUYERS), whole, parts, fee)

    return draw_refund


def chargeback(kind: Callable[..., Any]) -> Callable[[str], st.SearchStrategy[Any]]:
    """Make what draws a chargeback that is opened or won."""

    @st.composite
    def draw_chargeback(draw: st.DrawFn, currency: str) -> Any:
        parts = draw(shares(currency, SHARES_MAX, least=0))
        risk = draw(amounts(currency) if not parts else optional(currency))
        whole = summed(parts, currency, risk)
        return kind(draw(IDS), draw(NAMES), draw(IDS), whole, parts, draw(optional(currency)))

    return draw_chargeback


@st.composite
def chargeback_lost(draw: st.DrawFn, currency: str) -> ChargebackLost:
    """Draw a chargeback that is lost."""
    amount, rest = draw(amounts(currency)), draw(optional(currency))
    reserved = draw(st.none() | st.just(amount))
    whole = amount if rest is None else amount + rest
    return ChargebackLost(draw(IDS), draw(NAMES), draw(IDS), whole, reserved)


def drawable(currency: str) -> st.SearchStrategy[str]:
    """Draw an account that pays payouts."""
    return st.sampled_from([chart.bank, chart.clearing]).flatmap(
        lambda make: NAMES.map(lambda name: make(name, currency))
    )


@st.composite
def payout_returned(draw: st.DrawFn, currency: str) -> PayoutReturned:
    """Draw a payout that comes back, from wherever it was."""
    stage = draw(st.sampled_from(PayoutStage))
    drawn_on = draw(drawable(currency)) if stage is PayoutStage.SETTLED else ""
    amount = draw(amounts(currency))
    return PayoutReturned(
        draw(IDS), draw(NAMES), draw(IDS), draw(IDS), amount, stage=stage, drawn_on=drawn_on
    )


@st.composite
def two_currencies(draw: st.DrawFn, currency: str) -> tuple[Money, str]:
    """Draw an amount, and another currency."""
    other = draw(CURRENCIES.filter(lambda code: code != currency))
    return draw(amounts(currency)), other


@st.composite
def converted(draw: st.DrawFn, currency: str) -> Converted:
    """Draw a conversion."""
    sold, other = draw(two_currencies(currency))
    bought, spread = draw(amounts(other)), draw(optional(other))
    return Converted(draw(IDS), draw(IDS), draw(IDS), sold, bought, spread)


@st.composite
def conversion_covered(draw: st.DrawFn, currency: str) -> ConversionCovered:
    """Draw what a bank exchanged."""
    sold, other = draw(two_currencies(currency))
    bought = draw(amounts(other))
    return ConversionCovered(
        draw(IDS), draw(NAMES), sold, bought, draw(amounts(other) | st.just(bought))
    )


def explaining(currency: str) -> st.SearchStrategy[str]:
    """Draw an account that can explain what was in suspense."""
    return st.sampled_from(
        [
            chart.psp_fees("stripe", currency),
            chart.platform_losses(currency),
            chart.clearing("adyen", currency),
            chart.bank("citizens", currency),
        ]
    )


# What draws the facts of each template in a currency.
FACTS: dict[str, Callable[[str], st.SearchStrategy[Any]]] = {
    "captured/1": captured,
    "psp_fee/1": lambda c: st.builds(PspFee, SCOPES, NAMES, amounts(c)),
    "platform_fee/1": platform_fee,
    "refund_initiated/1": refund(RefundInitiated),
    "refund_paid/1": lambda c: st.builds(RefundPaid, IDS, NAMES, IDS, BUYERS, amounts(c)),
    "refund_returned/1": lambda c: st.builds(RefundReturned, IDS, NAMES, IDS, BUYERS, amounts(c)),
    "refund_failed/1": refund(RefundFailed),
    "payout_initiated/1": lambda c: st.builds(PayoutInitiated, IDS, NAMES, IDS, IDS, amounts(c)),
    "payout_in_transit/1": lambda c: st.builds(PayoutInTransit, IDS, NAMES, amounts(c)),
    "payout_settled/1": lambda c: st.builds(PayoutSettled, IDS, NAMES, drawable(c), amounts(c)),
    "payout_returned/1": payout_returned,
    "chargeback_opened/1": chargeback(ChargebackOpened),
    "chargeback_won/1": chargeback(ChargebackWon),
    "chargeback_lost/1": chargeback_lost,
    "converted/1": converted,
    "conversion_covered/1": conversion_covered,
    "settled/1": lambda c: st.builds(
        Settled, IDS, NAMES, NAMES, amounts(c), amounts(c), optional(c)
    ),
    "settlement_claimed/1": lambda c: st.builds(
        SettlementClaimed, IDS, NAMES, NAMES, amounts(c), amounts(c), optional(c)
    ),
    "suspense_released/1": lambda c: st.builds(
        SuspenseReleased, IDS, NAMES, st.sampled_from(Excess), amounts(c), explaining(c)
    ),
    "late_charged/1": lambda c: st.builds(LateCharged, IDS, NAMES, amounts(c)),
    "charge_kept/1": lambda c: st.builds(ChargeKept, IDS, NAMES, amounts(c)),
}
