"""A conversion: a seller's money changes its currency, later a bank exchanges it for real.

No line mixes currencies: each balances by itself against its FX clearing account, and these return
to zero when the bank has exchanged.
"""

from dataclasses import dataclass

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.templates import references
from ledger_svc.domain.templates.template import (
    Draft,
    FactsDiffer,
    Template,
    credit,
    debit,
    require_currency,
)


@dataclass(frozen=True, slots=True)
class Converted:
    """A seller has exchanged one currency for another, at a quoted rate.

    Attributes:
        sold: what the seller gives.
        bought: what the seller gets, in the other currency.
        spread: what the platform keeps, in the currency bought: at the market's rate the sale is
            worth bought and spread together. None: nothing.
    """

    conversion_id: str
    client: str
    seller: str
    sold: Money
    bought: Money
    spread: Money | None = None


@dataclass(frozen=True, slots=True)
class ConversionCovered:
    """A bank has exchanged what was converted.

    Attributes:
        sold: what has left our account.
        bought: what has come in, in the other currency.
        booked: what FX clearing waited for: bought and spread of the conversion together. The
            difference to `bought` is a result of its own.
    """

    conversion_id: str
    bank: str
    sold: Money
    bought: Money
    booked: Money


def _converted_1(facts: Converted) -> Draft:
    given, got = _currencies(facts)
    lines = [
        debit(chart.seller_payable(facts.client, facts.seller, given), facts.sold, "sold"),
        credit(chart.fx_clearing(given), facts.sold, "sold"),
        debit(chart.fx_clearing(got), facts.bought, "bought"),
        credit(chart.seller_payable(facts.client, facts.seller, got), facts.bought, "bought"),
    ]
    if facts.spread is not None:
        require_currency(facts.spread, got, "spread")
        lines += [
            debit(chart.fx_clearing(got), facts.spread, "spread"),
            credit(chart.fx_result(got), facts.spread, "spread"),
        ]
    reference = references.named("conversion", "conversion_id", facts.conversion_id, "converted")
    told = f"{facts.sold} {given} for {facts.bought} {got}"
    return Draft(reference, told, tuple(lines))


def _covered_1(facts: ConversionCovered) -> Draft:
    given, got = _currencies(facts)
    require_currency(facts.booked, got, "booked")
    lines = [
        debit(chart.fx_clearing(given), facts.sold, "sold"),
        credit(chart.bank(facts.bank, given), facts.sold, "sold"),
        debit(chart.bank(facts.bank, got), facts.bought, "bought"),
        credit(chart.fx_clearing(got), facts.booked, "booked"),
    ]
    gain = facts.bought - facts.booked
    if gain.amount > 0:
        lines.append(credit(chart.fx_result(got), gain))
    elif gain.amount < 0:
        lines.append(debit(chart.fx_result(got), -gain))
    reference = references.named("conversion", "conversion_id", facts.conversion_id, "covered")
    return Draft(reference, f"exchanged by {facts.bank}", tuple(lines))


def _currencies(facts: Converted | ConversionCovered) -> tuple[str, str]:
    given, got = facts.sold.currency, facts.bought.currency
    if given == got:
        raise FactsDiffer("bought", f"is in {got} too; a conversion needs two currencies")
    return given, got


CONVERTED_1 = Template(
    "converted",
    1,
    Converted,
    _converted_1,
    "A seller's balance changes its currency at a quoted rate: four lines at that rate, two for "
    "the spread.",
)
CONVERSION_COVERED_1 = Template(
    "conversion_covered",
    1,
    ConversionCovered,
    _covered_1,
    "A bank has exchanged what was converted: FX clearing returns to zero in both currencies, and "
    "what the market moved in between is gained or lost.",
)
