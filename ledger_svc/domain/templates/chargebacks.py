"""A chargeback: the PSP takes the money at once, the sellers' part is kept back until it is
decided.
"""

from dataclasses import dataclass

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.posting import Line
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.template import (
    Draft,
    FactsDiffer,
    Share,
    Template,
    add,
    credit,
    debit,
    require_currency,
    require_shares,
)

SHARES_MAX = 59


@dataclass(frozen=True, slots=True)
class ChargebackOpened:
    """A PSP has taken a disputed amount back.

    Attributes:
        amount: what it took for the buyer.
        reserved: 0 to 59, what is kept back from each seller: at most the amount together. Less
            where a seller cannot or shall not stand for it; the platform then risks the rest.
        fee: what the PSP took for its work beside the amount; None: nothing.
    """

    dispute_id: str
    psp: str
    client: str
    amount: Money
    reserved: tuple[Share, ...]
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class ChargebackWon:
    """The PSP has given the amount again; `reserved` as it was opened with, `fee` where the PSP
    gives that back too.
    """

    dispute_id: str
    psp: str
    client: str
    amount: Money
    reserved: tuple[Share, ...]
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class ChargebackLost:
    """The buyer keeps the amount; `reserved` is the sum that it was opened with, None: nothing."""

    dispute_id: str
    psp: str
    client: str
    amount: Money
    reserved: Money | None


def _opened_1(facts: ChargebackOpened) -> Draft:
    currency = facts.amount.currency
    reserved = _reserved(facts)
    taken = [
        debit(chart.seller_payable(facts.client, share.seller, currency), share.amount)
        for share in facts.reserved
    ]
    if facts.reserved:
        taken.append(credit(chart.chargeback_reserve(facts.client, currency), reserved))
    lines = (
        debit(chart.disputed(facts.psp, currency), facts.amount),
        credit(chart.clearing(facts.psp, currency), facts.amount),
        *taken,
        *_fee(facts, chart.psp_fees(facts.psp, currency), chart.clearing(facts.psp, currency)),
    )
    return _draft(facts.dispute_id, "opened", f"taken back by {facts.psp}", lines)


def _won_1(facts: ChargebackWon) -> Draft:
    currency = facts.amount.currency
    reserved = _reserved(facts)
    given = [
        credit(chart.seller_payable(facts.client, share.seller, currency), share.amount)
        for share in facts.reserved
    ]
    if facts.reserved:
        given.insert(0, debit(chart.chargeback_reserve(facts.client, currency), reserved))
    lines = (
        debit(chart.clearing(facts.psp, currency), facts.amount),
        credit(chart.disputed(facts.psp, currency), facts.amount),
        *given,
        *_fee(facts, chart.clearing(facts.psp, currency), chart.psp_fees(facts.psp, currency)),
    )
    return _draft(facts.dispute_id, "won", f"given again by {facts.psp}", lines)


def _lost_1(facts: ChargebackLost) -> Draft:
    currency = facts.amount.currency
    lines = []
    borne = facts.amount
    if facts.reserved is not None:
        require_currency(facts.reserved, currency, "reserved")
        _require_covered(facts.reserved, facts.amount)
        account = chart.chargeback_reserve(facts.client, currency)
        lines.append(debit(account, facts.reserved, "reserved"))
        borne = facts.amount - facts.reserved
    if borne.amount:
        lines.append(debit(chart.platform_losses(currency), borne))
    lines.append(credit(chart.disputed(facts.psp, currency), facts.amount))
    return _draft(facts.dispute_id, "lost", "left to the buyer", tuple(lines))


def _reserved(facts: ChargebackOpened | ChargebackWon) -> Money:
    """Sum what the sellers stand for."""
    currency = facts.amount.currency
    require_shares("reserved", facts.reserved, currency, least=0, most=SHARES_MAX)
    reserved = add("reserved", currency, *(share.amount for share in facts.reserved))
    _require_covered(reserved, facts.amount)
    return reserved


def _require_covered(reserved: Money, amount: Money) -> None:
    if reserved.amount > amount.amount:
        raise FactsDiffer("reserved", f"is {reserved}, above the amount of {amount}")


def _fee(facts: ChargebackOpened | ChargebackWon, to: str, out_of: str) -> tuple[Line, ...]:
    if facts.fee is None:
        return ()
    require_currency(facts.fee, facts.amount.currency, "fee")
    return debit(to, facts.fee, "fee"), credit(out_of, facts.fee, "fee")


def _draft(dispute_id: str, event: str, told: str, lines: tuple[Line, ...]) -> Draft:
    return Draft(references.named("chargeback", "dispute_id", dispute_id, event), told, lines)


CHARGEBACK_OPENED_1 = Template(
    "chargeback_opened",
    1,
    ChargebackOpened,
    _opened_1,
    "A buyer disputes a charge: the PSP has taken the amount, and mostly a fee, and the sellers' "
    "part is kept back. To charge the fee on to a seller, post platform_fee.",
)
CHARGEBACK_WON_1 = Template(
    "chargeback_won",
    1,
    ChargebackWon,
    _won_1,
    "The dispute is decided for us: the PSP gives the amount again, and the sellers get what was "
    "kept back.",
)
CHARGEBACK_LOST_1 = Template(
    "chargeback_lost",
    1,
    ChargebackLost,
    _lost_1,
    "The dispute is decided for the buyer, or accepted: what was kept back pays for it, and the "
    "platform bears what was not.",
)
