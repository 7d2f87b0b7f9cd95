"""SimulateRouting, and the first half of ExecuteCharges: which PSPs a charge goes to, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chassis import money
from chassis.money import Money
from privacy.masked import Secret
from psp_gateway.domain import routing
from psp_gateway.domain.attempt import Method
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.errors import InvalidAmount, NoRoute
from psp_gateway.domain.hosted_page import PageRequest
from psp_gateway.domain.routing import Obstacle, Route, Rule
from psp_gateway.ports import Guarding, HostedPage, Provider
from psp_gateway.use_cases.take_further import first_stage

PSPS = ("stripe", "paypal", "adyen")

# Stripe's own prefixes: nobody else knows such a token.
_STRIPE_TOKENS = ("pm_", "tok_", "src_", "card_")


@dataclass(frozen=True, slots=True)
class ChargeCommand:
    """A charge that a caller asks for."""

    attempt_id: str
    payment_id: str
    client_id: str
    amount: str
    currency: str
    token: Secret[str]  # what pays; `stripe:…` goes to that PSP without the prefix
    fingerprint: str  # keyed hash of the token
    is_held: bool = False  # held, to be captured later
    method: Method = Method.CARD
    country: str = ""
    preferred_psp: str = ""
    page: PageRequest | None = None  # in the place of a token
    is_last_try: bool = False  # of the caller's


@dataclass(frozen=True, slots=True)
class Router:
    """What routing takes: the rules, and what the PSPs can do now."""

    rules: Sequence[Rule]
    providers: Mapping[str, Provider]
    guards: Mapping[str, Guarding]
    pages: Mapping[str, HostedPage] = field(default_factory=dict)

    def route(self, command: ChargeCommand) -> Route:
        """Choose the PSPs of a charge.

        Raises:
            InvalidAmount: the amount is no decimal above zero.
            NoRoute: nobody takes such a currency.
        """
        amount = parse_amount(command.amount, command.currency)
        asked = routing.Asked(
            attempt_id=command.attempt_id,
            amount=amount,
            client_id=command.client_id,
            method=command.method,
            country=command.country,
            token_psp=psp_of(command.token.reveal()),
            preferred_psp=command.preferred_psp,
            has_page=command.page is not None,
        )
        return routing.route(self.rules, asked, lambda psp: self._obstacle(psp, command, amount))

    def _obstacle(self, psp: str, command: ChargeCommand, amount: Money) -> Obstacle | None:
        why = self._hinders(psp, command, amount)
        if why:
            return Obstacle(why)
        if not self.providers[psp].can_express(amount):
            return Obstacle(f"it cannot express {amount} {amount.currency}", of_amount=True)
        stage = first_stage(self.providers[psp], is_hosted=command.page is not None)
        trouble = self.guards[psp].obstacle(stage.lower())
        return Obstacle(trouble, passes=True) if trouble else None

    def _hinders(self, psp: str, command: ChargeCommand, amount: Money) -> str:
        provider = self.providers.get(psp)
        if provider is None:
            return "it is not configured"
        capable = provider.capabilities
        if command.method not in capable.methods:
            return f"it does not take {command.method}"
        if command.method is Method.BANK_DEBIT:
            return _hinders_debit(capable, command)
        if command.page is not None and psp not in self.pages:
            return "it has no page of its own"
        if command.is_held and capable.captures is Captures.NEVER:
            return "it cannot hold an amount"
        if not provider.takes(amount.currency):
            return f"it does not take {amount.currency}"
        return ""


def _hinders_debit(capable: Capabilities, command: ChargeCommand) -> str:
    if command.page is not None:
        return "bank debits go by a token, not by its page"
    if command.is_held:
        return "a bank debit cannot be held"
    if command.currency not in capable.debit_currencies:
        return f"it takes no bank debits in {command.currency}"
    return ""


def psp_of(token: str) -> str:
    """Name the PSP that a token is bound to; empty when any may take it."""
    prefix, colon, _ = token.partition(":")
    if colon and prefix in PSPS:
        return prefix
    return "stripe" if token.startswith(_STRIPE_TOKENS) else ""


def bare(token: str) -> str:
    """Take the name of the PSP off a token."""
    prefix, colon, rest = token.partition(":")
    return rest if colon and prefix in PSPS else token


def parse_amount(amount: str, currency: str) -> Money:
    """Read an amount.

    Raises:
        InvalidAmount: no decimal above zero.
        NoRoute: there is no such currency.
    """
    try:
        return Money.parse(amount, currency)
    except money.InvalidAmount as error:
        raise InvalidAmount(str(error)) from error
    except money.UnknownCurrency as error:
        raise NoRoute(currency) from error
