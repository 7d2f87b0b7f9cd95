"""A refund: first we owe the buyer, then the PSP pays; it may bounce, and it may be given up."""

from dataclasses import dataclass

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.posting import Line
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.charges import SHARES_MAX
from ledger_svc.domain.templates.template import (
    Draft,
    Share,
    Template,
    credit,
    debit,
    require_currency,
    require_shares,
)


@dataclass(frozen=True, slots=True)
class RefundInitiated:
    """A refund is decided.

    Attributes:
        amount: what the buyer gets back: the shares and the returned fee together.
        shares: 1 to 62, what each seller gives back.
        fee_returned: what the platform gives back of its fee; None: nothing.
    """

    refund_id: str
    client: str
    buyer: str
    amount: Money
    shares: tuple[Share, ...]
    fee_returned: Money | None = None


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """A refund is given up before the PSP paid it, or after it came back; the facts are those with
    which it was initiated.
    """

    refund_id: str
    client: str
    buyer: str
    amount: Money
    shares: tuple[Share, ...]
    fee_returned: Money | None = None


@dataclass(frozen=True, slots=True)
class RefundPaid:
    """A PSP has paid a refund to the buyer."""

    refund_id: str
    psp: str
    client: str
    buyer: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundReturned:
    """What a PSP had paid to the buyer has come back to it; the facts are those of RefundPaid."""

    refund_id: str
    psp: str
    client: str
    buyer: str
    amount: Money


def _initiated_1(facts: RefundInitiated) -> Draft:
    lines = [debit(account, amount, field) for account, amount, field in _givers(facts)]
    lines.append(credit(_buyer(facts), facts.amount))
    reference = references.named("refund", "refund_id", facts.refund_id, "initiated")
    return Draft(reference, "owed to the buyer", tuple(lines))


def _failed_1(facts: RefundFailed) -> Draft:
    lines = [debit(_buyer(facts), facts.amount)]
    lines += [credit(account, amount, field) for account, amount, field in _givers(facts)]
    reference = references.named("refund", "refund_id", facts.refund_id, "failed")
    return Draft(reference, "given back to the sellers", tuple(lines))


def _paid_1(facts: RefundPaid) -> Draft:
    lines = (debit(_buyer(facts), facts.amount), credit(_clearing(facts), facts.amount))
    return _by_psp(facts, "paid", f"paid by {facts.psp}", lines)


def _returned_1(facts: RefundReturned) -> Draft:
    lines = (debit(_clearing(facts), facts.amount), credit(_buyer(facts), facts.amount))
    return _by_psp(facts, "returned", f"came back to {facts.psp}", lines)


def _givers(facts: RefundInitiated | RefundFailed) -> list[tuple[str, Money, str]]:
    """List who gives the refund: account, amount, and the fact that holds the amount."""
    currency = facts.amount.currency
    require_shares("shares", facts.shares, currency, most=SHARES_MAX)
    givers = [
        (chart.seller_payable(facts.client, share.seller, currency), share.amount, "shares")
        for share in facts.shares
    ]
    if facts.fee_returned is not None:
        require_currency(facts.fee_returned, currency, "fee_returned")
        givers.append((chart.platform_revenue(currency), facts.fee_returned, "fee_returned"))
    return givers


def _buyer(facts: RefundInitiated | RefundFailed | RefundPaid | RefundReturned) -> str:
    return chart.buyer(facts.client, facts.buyer, facts.amount.currency)


def _clearing(facts: RefundPaid | RefundReturned) -> str:
    return chart.clearing(facts.psp, facts.amount.currency)


def _by_psp(
    facts: RefundPaid | RefundReturned, event: str, told: str, lines: tuple[Line, ...]
) -> Draft:
    return Draft(references.named("refund", "refund_id", facts.refund_id, event), told, lines)


REFUND_INITIATED_1 = Template(
    "refund_initiated",
    1,
    RefundInitiated,
    _initiated_1,
    "A refund is decided: the sellers, and the platform for its fee, give it; from now on we owe "
    "it to the buyer.",
)
REFUND_PAID_1 = Template(
    "refund_paid",
    1,
    RefundPaid,
    _paid_1,
    "A PSP has paid the refund out of what it holds for us; nothing is owed to the buyer any more.",
)
REFUND_RETURNED_1 = Template(
    "refund_returned",
    1,
    RefundReturned,
    _returned_1,
    "A refund that the PSP had paid has come back, as from a closed card account: we owe it to the "
    "buyer again.",
)
REFUND_FAILED_1 = Template(
    "refund_failed",
    1,
    RefundFailed,
    _failed_1,
    "A refund is given up, never paid or come back: those who gave it get it again.",
)
