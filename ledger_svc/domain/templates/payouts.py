"""A payout: decided, handed to a rail, confirmed; or come back from wherever it was."""

from dataclasses import dataclass
from enum import StrEnum

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.posting import Line
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.template import Draft, FactsDiffer, Template, credit, debit

_DRAWABLE = (chart.BANK, chart.PSP_CLEARING)


class PayoutStage(StrEnum):
    """How far a payout had come."""

    INITIATED = "INITIATED"
    IN_TRANSIT = "IN_TRANSIT"
    SETTLED = "SETTLED"


_RETURNED = {
    PayoutStage.INITIATED: "never accepted by {}",
    PayoutStage.IN_TRANSIT: "accepted by {}, never paid",
    PayoutStage.SETTLED: "paid by {}, sent back",
}


@dataclass(frozen=True, slots=True)
class PayoutInitiated:
    """A payout to a seller is decided; `rail` is the bank or PSP that shall carry it."""

    payout_id: str
    rail: str
    client: str
    seller: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PayoutInTransit:
    """The rail has accepted the payout."""

    payout_id: str
    rail: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PayoutSettled:
    """The rail has paid the seller, out of `drawn_on`: a bank's or a PSP's clearing account."""

    payout_id: str
    rail: str
    drawn_on: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PayoutReturned:
    """A payout will not reach the seller.

    Attributes:
        stage: how far it had come.
        drawn_on: where the money comes back to, as in PayoutSettled; empty unless it was SETTLED.
    """

    payout_id: str
    rail: str
    client: str
    seller: str
    amount: Money
    stage: PayoutStage
    drawn_on: str = ""


def _initiated_1(facts: PayoutInitiated) -> Draft:
    currency = facts.amount.currency
    lines = (
        debit(chart.seller_payable(facts.client, facts.seller, currency), facts.amount),
        credit(chart.payout_initiated(facts.rail, currency), facts.amount),
    )
    return _draft(facts.payout_id, "initiated", f"to go by {facts.rail}", lines)


def _in_transit_1(facts: PayoutInTransit) -> Draft:
    currency = facts.amount.currency
    lines = (
        debit(chart.payout_initiated(facts.rail, currency), facts.amount),
        credit(chart.payout_transit(facts.rail, currency), facts.amount),
    )
    return _draft(facts.payout_id, "in_transit", f"accepted by {facts.rail}", lines)


def _settled_1(facts: PayoutSettled) -> Draft:
    lines = (
        debit(chart.payout_transit(facts.rail, facts.amount.currency), facts.amount),
        credit(_drawn_on(facts), facts.amount),
    )
    return _draft(facts.payout_id, "settled", f"paid by {facts.rail}", lines)


def _returned_1(facts: PayoutReturned) -> Draft:
    currency = facts.amount.currency
    lines = (
        debit(_where(facts), facts.amount),
        credit(chart.seller_payable(facts.client, facts.seller, currency), facts.amount),
    )
    told = _RETURNED[facts.stage].format(facts.rail)
    return _draft(facts.payout_id, "returned", told, lines)


def _where(facts: PayoutReturned) -> str:
    """Name the account that holds a payout at its stage."""
    currency = facts.amount.currency
    if facts.stage is PayoutStage.SETTLED:
        return _drawn_on(facts)
    if facts.drawn_on:
        raise FactsDiffer("drawn_on", "must be empty, as nothing was drawn yet")
    if facts.stage is PayoutStage.INITIATED:
        return chart.payout_initiated(facts.rail, currency)
    return chart.payout_transit(facts.rail, currency)


def _drawn_on(facts: PayoutSettled | PayoutReturned) -> str:
    account = chart.parse(facts.drawn_on)
    if account is None or account.kind not in _DRAWABLE:
        raise FactsDiffer("drawn_on", "is no account of a bank and no clearing account of a PSP")
    if account.currency != facts.amount.currency:
        raise FactsDiffer("drawn_on", f"is in {account.currency}, not in {facts.amount.currency}")
    return facts.drawn_on


def _draft(payout_id: str, event: str, told: str, lines: tuple[Line, ...]) -> Draft:
    return Draft(references.named("payout", "payout_id", payout_id, event), told, lines)


PAYOUT_INITIATED_1 = Template(
    "payout_initiated",
    1,
    PayoutInitiated,
    _initiated_1,
    "A payout is decided: the seller cannot spend the amount twice, and no rail knows of it yet.",
)
PAYOUT_IN_TRANSIT_1 = Template(
    "payout_in_transit",
    1,
    PayoutInTransit,
    _in_transit_1,
    "The rail has accepted the payout: it is on its way, and not confirmed.",
)
PAYOUT_SETTLED_1 = Template(
    "payout_settled",
    1,
    PayoutSettled,
    _settled_1,
    "The rail has confirmed the payout: the money has left our bank, or what a PSP holds for us.",
)
PAYOUT_RETURNED_1 = Template(
    "payout_returned",
    1,
    PayoutReturned,
    _returned_1,
    "A payout is called off, refused, or sent back by the seller's bank: the seller is owed it "
    "again, out of the account where it had got to.",
)
