"""A charge: what the PSP took for the sellers, and what the PSP and the platform keep of it."""

from dataclasses import dataclass

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.template import (
    Draft,
    Share,
    Template,
    credit,
    debit,
    require_currency,
    require_shares,
)

SHARES_MAX = 62


@dataclass(frozen=True, slots=True)
class Captured:
    """A PSP has taken an amount.

    Attributes:
        scope: the id of what was charged, `pay_…` or `ord_…`.
        amount: what the buyer has paid: the shares and the platform's fee together.
        shares: 1 to 62, what each seller gets.
        platform_fee: what the platform keeps of the amount at once; None: nothing.
    """

    scope: str
    psp: str
    client: str
    amount: Money
    shares: tuple[Share, ...]
    platform_fee: Money | None = None


@dataclass(frozen=True, slots=True)
class PspFee:
    """A PSP keeps a fee of what it has taken; `scope` as in `Captured`."""

    scope: str
    psp: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PlatformFee:
    """The platform charges sellers a fee after the capture; 1 to 62 shares sum to the amount."""

    scope: str
    client: str
    amount: Money
    shares: tuple[Share, ...]


def _captured_1(facts: Captured) -> Draft:
    currency = facts.amount.currency
    require_shares("shares", facts.shares, currency, most=SHARES_MAX)
    lines = [debit(chart.clearing(facts.psp, currency), facts.amount)]
    lines += [
        credit(chart.seller_payable(facts.client, share.seller, currency), share.amount)
        for share in facts.shares
    ]
    if facts.platform_fee is not None:
        require_currency(facts.platform_fee, currency, "platform_fee")
        lines.append(credit(chart.platform_revenue(currency), facts.platform_fee, "platform_fee"))
    return Draft(
        references.of_charge(facts.scope, "captured"), f"charged by {facts.psp}", tuple(lines)
    )


def _psp_fee_1(facts: PspFee) -> Draft:
    currency = facts.amount.currency
    lines = (
        debit(chart.psp_fees(facts.psp, currency), facts.amount),
        credit(chart.clearing(facts.psp, currency), facts.amount),
    )
    return Draft(references.of_charge(facts.scope, "psp_fee"), f"kept by {facts.psp}", lines)


def _platform_fee_1(facts: PlatformFee) -> Draft:
    currency = facts.amount.currency
    require_shares("shares", facts.shares, currency, most=SHARES_MAX)
    lines = [
        debit(chart.seller_payable(facts.client, share.seller, currency), share.amount)
        for share in facts.shares
    ]
    lines.append(credit(chart.platform_revenue(currency), facts.amount))
    return Draft(
        references.of_charge(facts.scope, "platform_fee"), "kept by the platform", tuple(lines)
    )


CAPTURED_1 = Template(
    "captured",
    1,
    Captured,
    _captured_1,
    "A PSP has taken the buyer's money: it owes us the amount, and we owe the sellers their "
    "shares; a fee that the platform keeps at once is earned.",
)
PSP_FEE_1 = Template(
    "psp_fee",
    1,
    PspFee,
    _psp_fee_1,
    "A PSP tells the fee that it will keep of a charge before it pays out; what it tells only with "
    "the payout belongs into settled.",
)
PLATFORM_FEE_1 = Template(
    "platform_fee",
    1,
    PlatformFee,
    _platform_fee_1,
    "The platform charges sellers a fee apart from the capture, or passes a cost on to them.",
)
