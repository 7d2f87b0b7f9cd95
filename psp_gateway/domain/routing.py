"""The payment router: which PSP a charge goes to, and in which order others may be tried.

The first rule that fits decides. Its PSPs are drawn by weight, the draw being made of the attempt's
id: asked again it comes out the same, and a simulation tells what a charge will do.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256

from chassis.money import Money
from psp_gateway.domain.attempt import Method

_DRAWS = 2**64


@dataclass(frozen=True, slots=True)
class Asked:
    """A charge, as the router sees it.

    Attributes:
        token_psp: the PSP whose token pays; empty when any may take it.
        preferred_psp: the one that the merchant asks for; empty for none.
        has_page: whether the buyer pays on a page of the PSP's, so that no token binds it.
        country: ISO 3166-1 alpha-2 of the buyer's bill; empty when it is not known.
    """

    attempt_id: str
    amount: Money
    client_id: str = ""
    method: Method = Method.CARD
    country: str = ""
    token_psp: str = ""
    preferred_psp: str = ""
    has_page: bool = False


@dataclass(frozen=True, slots=True)
class Weighted:
    """A PSP of a rule; of weight 0 it is a fallback, after all others."""

    psp: str
    weight: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. An empty condition is met by everything.

    Attributes:
        above, up_to: bounds of the amount, in the major units of the rule's one currency.
        hosted_page: whether it is for charges with a page of the PSP's, or for those without; None:
            for both.
    """

    name: str
    psps: tuple[Weighted, ...]
    methods: frozenset[Method] = frozenset()
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    above: Decimal | None = None
    up_to: Decimal | None = None
    hosted_page: bool | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether it decides this charge."""
        amount = asked.amount
        return (
            (not self.methods or asked.method in self.methods)
            and (not self.currencies or amount.currency in self.currencies)
            and (not self.countries or asked.country in self.countries)
            and (not self.clients or asked.client_id in self.clients)
            and (self.above is None or amount.amount > self.above)
            and (self.up_to is None or amount.amount <= self.up_to)
            and (self.hosted_page is None or self.hosted_page is asked.has_page)
        )


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a PSP is not taken, in a sentence; `passes` says that it may be, later, and `of_amount`
    that it takes other amounts.
    """

    why: str
    passes: bool = False
    of_amount: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where a charge goes.

    Attributes:
        rule: the name of the rule that decided; empty when none fits.
        psps: the PSPs that may take it, in the order to be tried, those in trouble last; empty:
            nobody takes it.
        hindered: those that the rule names and that are not taken, or are tried last, and why.
    """

    rule: str
    psps: tuple[str, ...] = ()
    hindered: Mapping[str, Obstacle] = field(default_factory=dict)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each PSP that the rule names is not taken, or is tried last."""
        return {psp: obstacle.why for psp, obstacle in self.hindered.items()}


def route(rules: Sequence[Rule], asked: Asked, obstacle: Callable[[str], Obstacle | None]) -> Route:
    """Choose the PSPs of a charge.

    Args:
        rules: in the order in which they are looked at.
        asked: the charge.
        obstacle: what hinders a PSP from taking it; None for nothing.
    """
    rule = next((rule for rule in rules if rule.fits(asked)), None)
    if asked.token_psp:
        # Nobody else knows the token.
        name, order = f"token of {asked.token_psp}", [asked.token_psp]
    elif rule is None:
        return Route("")
    else:
        name, order = rule.name, _drawn(rule, asked)
    hindered = {psp: why for psp in order if (why := obstacle(psp)) is not None}
    free = [psp for psp in order if psp not in hindered]
    later = [psp for psp in order if psp in hindered and hindered[psp].passes]
    return Route(name, (*free, *later), hindered)


def _drawn(rule: Rule, asked: Asked) -> list[str]:
    """Order a rule's PSPs by a weighted draw without putting back (Efraimidis and Spirakis, 2006):
    each draws u in (0, 1], and the least -ln(u) / weight comes first.
    """
    if len(rule.psps) == 1:
        return [rule.psps[0].psp]

    def place(one: Weighted) -> tuple[bool, bool, float]:
        digest = sha256(f"{asked.attempt_id} {one.psp}".encode()).digest()
        drawn = (int.from_bytes(digest[:8], "big") + 1) / _DRAWS
        wait = -math.log(drawn) / one.weight if one.weight else 0.0
        return one.psp != asked.preferred_psp, not one.weight, wait

    # Fallbacks keep the order of the rule: sorting is stable.
    return [one.psp for one in sorted(rule.psps, key=place)]
