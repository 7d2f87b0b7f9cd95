"""Amount: how much one payment may be."""

from collections.abc import Mapping
from decimal import Decimal

from chassis.money import Money
from risk_svc.domain.assessment import RuleHit


def amount_limit(
    amount: Money, limit: Decimal, by_currency: Mapping[str, Decimal]
) -> list[RuleHit]:
    """Speak against an amount over its currency's limit, or over the general one; 0 is no limit."""
    most = by_currency.get(amount.currency, limit)
    if not most or amount.amount <= most:
        return []
    message = f"The amount is over the limit of {most:f} {amount.currency}."
    return [RuleHit("amount_limit", "AMOUNT_OVER_LIMIT", message)]
