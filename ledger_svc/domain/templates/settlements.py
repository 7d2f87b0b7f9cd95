"""A settlement: the PSP pays out what it holds, or claims what it lacks; what does not add up, was
taken late, or is kept though it was to be given back, waits in suspense for its explanation.
"""

from dataclasses import dataclass
from enum import StrEnum

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.posting import Line
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.template import (
    Draft,
    FactsDiffer,
    Template,
    add,
    credit,
    debit,
    require_currency,
)


@dataclass(frozen=True, slots=True)
class Settled:
    """A PSP has paid out.

    Attributes:
        settlement_id: the PSP's own id of the payout.
        expected: what our books say that it owed for what it has settled.
        received: what has come to the bank.
        fees: what the PSP says it kept and no psp_fee has booked yet; None: nothing.
    """

    settlement_id: str
    psp: str
    bank: str
    expected: Money
    received: Money
    fees: Money | None = None


@dataclass(frozen=True, slots=True)
class SettlementClaimed:
    """A PSP has claimed what refunds and chargebacks took beyond its holdings.

    Attributes:
        expected: what our books say that we owed it.
        paid: what it has taken from the bank.
        fees: as in Settled.
    """

    settlement_id: str
    psp: str
    bank: str
    expected: Money
    paid: Money
    fees: Money | None = None


@dataclass(frozen=True, slots=True)
class LateCharged:
    """A PSP has taken money after it was given up.

    Attributes:
        attempt_id: the attempt by which it was taken.
    """

    attempt_id: str
    psp: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ChargeKept:
    """A PSP has a charge still that was to be given back.

    Attributes:
        attempt_id: the attempt by which it was taken.
    """

    attempt_id: str
    psp: str
    amount: Money


class Excess(StrEnum):
    """Which way the unexplained amount went."""

    MISSING = "MISSING"
    SURPLUS = "SURPLUS"


@dataclass(frozen=True, slots=True)
class SuspenseReleased:
    """An amount in suspense is explained.

    Attributes:
        source: whose suspense account.
        excess: MISSING: less had come than expected; SURPLUS: more.
        explained_by: the account, of the chart and not of suspense, where it belongs.
    """

    release_id: str
    source: str
    excess: Excess
    amount: Money
    explained_by: str


def _settled_1(facts: Settled) -> Draft:
    currency = facts.expected.currency
    require_currency(facts.received, currency, "received")
    lines = [
        debit(chart.bank(facts.bank, currency), facts.received, "received"),
        *_fees(facts),
        credit(chart.clearing(facts.psp, currency), facts.expected, "expected"),
    ]
    missing = facts.expected - add("fees", currency, facts.received, *_optional(facts.fees))
    return _draft(
        facts, "settled", f"paid out by {facts.psp}", [*lines, *_rest(facts.psp, missing)]
    )


def _claimed_1(facts: SettlementClaimed) -> Draft:
    currency = facts.expected.currency
    require_currency(facts.paid, currency, "paid")
    lines = [
        debit(chart.clearing(facts.psp, currency), facts.expected, "expected"),
        *_fees(facts),
        credit(chart.bank(facts.bank, currency), facts.paid, "paid"),
    ]
    missing = facts.paid - add("fees", currency, facts.expected, *_optional(facts.fees))
    return _draft(facts, "claimed", f"claimed by {facts.psp}", [*lines, *_rest(facts.psp, missing)])


def _released_1(facts: SuspenseReleased) -> Draft:
    currency = facts.amount.currency
    account = chart.parse(facts.explained_by)
    if account is None or account.kind is chart.SUSPENSE:
        raise FactsDiffer("explained_by", "is no account of the chart outside suspense")
    if account.currency != currency:
        raise FactsDiffer("explained_by", f"is in {account.currency}, not in {currency}")
    waiting = chart.suspense(facts.source, currency)
    pair = (facts.explained_by, waiting)
    to, out_of = pair if facts.excess is Excess.MISSING else reversed(pair)
    return Draft(
        references.named("suspense", "release_id", facts.release_id, "released"),
        f"{facts.excess.lower()} at {facts.source}, explained",
        (debit(to, facts.amount), credit(out_of, facts.amount)),
    )


def _late_1(facts: LateCharged) -> Draft:
    return Draft(
        references.named("late", "attempt_id", facts.attempt_id, "charged"),
        f"taken by {facts.psp}, late",
        _owed_for_nothing(facts),
    )


def _kept_1(facts: ChargeKept) -> Draft:
    return Draft(
        references.named("charge", "attempt_id", facts.attempt_id, "kept"),
        f"kept by {facts.psp}",
        _owed_for_nothing(facts),
    )


def _owed_for_nothing(facts: LateCharged | ChargeKept) -> tuple[Line, ...]:
    """Have the PSP owe us what belongs to no order."""
    currency = facts.amount.currency
    return (
        debit(chart.clearing(facts.psp, currency), facts.amount),
        credit(chart.suspense(facts.psp, currency), facts.amount),
    )


def _fees(facts: Settled | SettlementClaimed) -> list[Line]:
    if facts.fees is None:
        return []
    currency = facts.expected.currency
    require_currency(facts.fees, currency, "fees")
    return [debit(chart.psp_fees(facts.psp, currency), facts.fees, "fees")]


def _rest(psp: str, missing: Money) -> list[Line]:
    """Put what is missing, or below zero what is too much, into suspense."""
    if not missing.amount:
        return []
    account = chart.suspense(psp, missing.currency)
    return [debit(account, missing) if missing.amount > 0 else credit(account, -missing)]


def _optional(amount: Money | None) -> tuple[Money, ...]:
    return () if amount is None else (amount,)


def _draft(facts: Settled | SettlementClaimed, event: str, told: str, lines: list[Line]) -> Draft:
    reference = references.named(
        f"settlement:{facts.psp}", "settlement_id", facts.settlement_id, event
    )
    return Draft(reference, told, tuple(lines))


SETTLED_1 = Template(
    "settled",
    1,
    Settled,
    _settled_1,
    "A PSP has paid out, net of its fees: clearing is released by what we expected, and what "
    "neither arrived nor is a fee waits in suspense.",
)
SETTLEMENT_CLAIMED_1 = Template(
    "settlement_claimed",
    1,
    SettlementClaimed,
    _claimed_1,
    "Refunds, chargebacks and fees took more than the PSP held, and it has taken the rest from our "
    "bank.",
)
SUSPENSE_RELEASED_1 = Template(
    "suspense_released",
    1,
    SuspenseReleased,
    _released_1,
    "What waited in suspense is explained, and goes to the account where it belongs: a fee, a "
    "loss, another settlement.",
)
LATE_CHARGED_1 = Template(
    "late_charged",
    1,
    LateCharged,
    _late_1,
    "A PSP has taken money after it had refused it, or after nobody waited for it any more: it "
    "owes us the amount, which waits in suspense until it is given back (suspense_released).",
)
CHARGE_KEPT_1 = Template(
    "charge_kept",
    1,
    ChargeKept,
    _kept_1,
    "Two persons gave up giving a charge back, or gave it back elsewhere than at its PSP: the PSP "
    "has the amount still and owes it to us, and it waits in suspense until somebody says what "
    "became of it (suspense_released).",
)
