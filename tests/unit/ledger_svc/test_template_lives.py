"""Whole lives, from capture to the end: what should return to zero does, and all sums to zero."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.errors import FloorPassed
from ledger_svc.domain.templates.chargebacks import ChargebackLost, ChargebackOpened, ChargebackWon
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
from tests.unit.ledger_svc.template_books import TemplateBooks
from tests.unit.ledger_svc.template_facts import CURRENCIES, amounts, of_units, optional, summed

PSP, BANK, CLIENT, BUYER = "stripe", "citizens", "demo", "buyer_123"
SELLERS = ("seller_456", "seller_789", "seller_012")


@dataclass
class World:
    """One platform's books, and the chances that are drawn for it."""

    draw: st.DrawFn
    currency: str
    books: TemplateBooks = field(default_factory=TemplateBooks)
    events: int = 0

    def new_id(self, prefix: str = "x") -> str:
        """Make an id."""
        self.events += 1
        return f"{prefix}_{self.events}"

    def captured(self) -> tuple[str, tuple[Share, ...]]:
        """Capture a payment, with or without fees; answer its id and shares."""
        sellers = self.draw(st.lists(st.sampled_from(SELLERS), min_size=1, max_size=4))
        shares = tuple(Share(name, self.draw(amounts(self.currency))) for name in sellers)
        fee, scope = self.draw(optional(self.currency)), self.new_id("pay")
        whole = summed(shares, self.currency, fee)
        self.books.post("captured", Captured(scope, PSP, CLIENT, whole, shares, fee))
        if kept := self.draw(optional(self.currency)):
            self.books.post("psp_fee", PspFee(scope, PSP, kept))
        return scope, shares

    def settle(self) -> None:
        """Settle with the PSP whatever stands on its account, truly or not quite."""
        due = self.books.balance(chart.clearing(PSP, self.currency))
        if not due.amount:
            return
        off = self.draw(st.none() | amounts(self.currency))
        moved = Money(abs(due.amount), self.currency)
        name, facts = (
            ("settled", Settled) if due.amount > 0 else ("settlement_claimed", SettlementClaimed)
        )
        truly = moved if off is None else off
        self.books.post(name, facts(self.new_id("po"), PSP, BANK, moved, truly))
        self.explain()

    def explain(self) -> None:
        """Write off whatever is in suspense."""
        waiting = self.books.balance(chart.suspense(PSP, self.currency))
        if waiting.amount:
            excess = Excess.MISSING if waiting.amount > 0 else Excess.SURPLUS
            amount = Money(abs(waiting.amount), self.currency)
            losses = chart.platform_losses(self.currency)
            facts = SuspenseReleased(self.new_id("sus"), PSP, excess, amount, losses)
            self.books.post("suspense_released", facts)


def paid_out(world: World) -> None:
    """A capture ends in payouts, which the bank confirms or which come back from any stage."""
    _, shares = world.captured()
    world.settle()
    for share in shares:
        payout, amount = world.new_id("out"), share.amount
        ends = world.draw(st.none() | st.sampled_from(PayoutStage))
        drawn_on = chart.bank(BANK, world.currency)
        steps = [
            ("payout_initiated", PayoutInitiated(payout, BANK, CLIENT, share.seller, amount)),
            ("payout_in_transit", PayoutInTransit(payout, BANK, amount)),
            ("payout_settled", PayoutSettled(payout, BANK, drawn_on, amount)),
        ]
        reached = 3 if ends is None else list(PayoutStage).index(ends) + 1
        for name, facts in steps[:reached]:
            world.books.post(name, facts)
        if ends is not None:
            back = drawn_on if ends is PayoutStage.SETTLED else ""
            world.books.post(
                "payout_returned",
                PayoutReturned(payout, BANK, CLIENT, share.seller, amount, ends, back),
            )


def refunded(world: World) -> None:
    """A capture is refunded: paid, or given up before, or come back and given up."""
    _, shares = world.captured()
    refund, amount = world.new_id("ref"), summed(shares, world.currency)
    owed = (refund, CLIENT, BUYER, amount, shares)
    by_psp = (refund, PSP, CLIENT, BUYER, amount)
    world.books.post("refund_initiated", RefundInitiated(*owed))
    end = world.draw(st.sampled_from(["paid", "failed", "returned"]))
    if end in ("paid", "returned"):
        world.books.post("refund_paid", RefundPaid(*by_psp))
    if end == "returned":
        world.books.post("refund_returned", RefundReturned(*by_psp))
    if end in ("failed", "returned"):
        world.books.post("refund_failed", RefundFailed(*owed))
    world.settle()


def charged_back(world: World) -> None:
    """A capture is charged back, with and without fee and reserve, then won or lost."""
    _, shares = world.captured()
    amount, fee = summed(shares, world.currency), world.draw(optional(world.currency))
    reserved = shares[: world.draw(st.integers(0, len(shares)))]
    dispute = world.new_id("dis")
    opened = (dispute, PSP, CLIENT, amount, reserved)
    world.books.post("chargeback_opened", ChargebackOpened(*opened, fee))
    if world.draw(st.booleans()):
        given = fee if world.draw(st.booleans()) else None
        world.books.post("chargeback_won", ChargebackWon(*opened, given))
    else:
        kept = summed(reserved, world.currency) if reserved else None
        world.books.post("chargeback_lost", ChargebackLost(dispute, PSP, CLIENT, amount, kept))
    world.settle()


def converted(world: World) -> None:
    """A seller's share is converted, and a bank exchanges it at some other rate."""
    _, shares = world.captured()
    other = world.draw(CURRENCIES.filter(lambda code: code != world.currency))
    bought, spread = world.draw(amounts(other)), world.draw(optional(other))
    booked = bought if spread is None else bought + spread
    deal, sold = world.new_id("fx"), shares[0].amount
    world.books.post("converted", Converted(deal, CLIENT, shares[0].seller, sold, bought, spread))
    got = world.draw(amounts(other) | st.just(booked))
    world.books.post("conversion_covered", ConversionCovered(deal, BANK, sold, got, booked))
    world.settle()


def charged_for(world: World) -> None:
    """Sellers are charged a fee after the capture."""
    scope, shares = world.captured()
    amount = summed(shares, world.currency)
    world.books.post("platform_fee", PlatformFee(scope, CLIENT, amount, shares))
    world.settle()


def charged_late(world: World) -> None:
    """What was given up is charged after all, and given back at once."""
    attempt, amount = world.new_id("att"), world.draw(amounts(world.currency))
    world.books.post("late_charged", LateCharged(attempt, PSP, amount))
    clearing = chart.clearing(PSP, world.currency)
    released = SuspenseReleased(attempt, PSP, Excess.SURPLUS, amount, clearing)
    world.books.post("suspense_released", released)


def kept(world: World) -> None:
    """A charge is not given back; it is found whose it is: the platform's, or the buyer's, who has
    had it from the bank. The PSP pays it out with the rest.
    """
    attempt, amount = world.new_id("att"), world.draw(amounts(world.currency))
    world.books.post("charge_kept", ChargeKept(attempt, PSP, amount))
    revenue, bank = chart.platform_revenue(world.currency), chart.bank(BANK, world.currency)
    whose = world.draw(st.sampled_from([revenue, bank]))
    released = SuspenseReleased(attempt, PSP, Excess.SURPLUS, amount, whose)
    world.books.post("suspense_released", released)
    world.settle()


LIVES = (paid_out, refunded, charged_back, converted, charged_for, charged_late, kept)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw some lives, one after the other on the same accounts."""
    world = World(draw, draw(CURRENCIES))
    for life in draw(st.lists(st.sampled_from(LIVES), min_size=1, max_size=4)):
        life(world)
    return world


@given(world=worlds())
def test_what_should_return_to_zero_does(world: World) -> None:
    """After whole lives nothing stands on clearing, reserve, transit, FX or suspense accounts."""
    assert world.books.uncleared() == {}


@given(world=worlds())
def test_the_sum_of_all_accounts_is_zero(world: World) -> None:
    """In every currency, whatever happened."""
    assert set(world.books.sums().values()) == {Decimal(0)}


@given(world=worlds())
def test_what_is_left_is_money_and_whose_it_is(world: World) -> None:
    """In each currency the bank's balance is what sellers are owed and what the platform made."""
    left = {Decimal(0)}
    for currency in {account.currency for account in world.books.accounts.values()}:
        left.add(_bank(world.books, currency) - _claims(world.books, currency))

    assert left == {Decimal(0)}


def _bank(books: TemplateBooks, currency: str) -> Decimal:
    return books.balance(chart.bank(BANK, currency)).amount


def _claims(books: TemplateBooks, currency: str) -> Decimal:
    sellers = [chart.seller_payable(CLIENT, name, currency) for name in SELLERS]
    earned = [chart.platform_revenue(currency), chart.fx_result(currency)]
    spent = [chart.psp_fees(PSP, currency), chart.platform_losses(currency)]
    above = sum((books.balance(name).amount for name in [*sellers, *earned]), Decimal(0))
    return above - sum((books.balance(name).amount for name in spent), Decimal(0))


def test_a_refund_is_not_paid_twice() -> None:
    """The floor of the buyer's account refuses a payment that nothing was owed for."""
    books = TemplateBooks()
    one = of_units(100, "USD")
    books.post("refund_initiated", RefundInitiated("r", CLIENT, BUYER, one, (Share("s", one),)))
    books.post("refund_paid", RefundPaid("r", PSP, CLIENT, BUYER, one))

    outcome = books.ask("refund_paid", RefundPaid("other", PSP, CLIENT, BUYER, one))

    assert isinstance(outcome, FloorPassed)
