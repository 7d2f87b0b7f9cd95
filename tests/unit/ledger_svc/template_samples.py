"""A worked example of every published template and of each of its turns.

Their expansions are what a published version promises for ever, and the pictures of
docs/reference/posting-templates.md. An example is never changed; a new turn gets a new one.
"""

from dataclasses import dataclass
from typing import Any

from chassis.money import Money
from ledger_svc.domain import chart
from ledger_svc.domain.posting import Posting
from ledger_svc.domain.templates.catalogue import published
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

PAYMENT, REFUND, PAYOUT, DISPUTE = "pay_1", "ref_1", "out_1", "dis_1"
CLIENT, BUYER, SELLER, OTHER = "demo", "buyer_123", "seller_456", "seller_789"
PSP, BANK = "stripe", "citizens"


def of(amount: str, currency: str = "USD") -> Money:
    """Make an amount."""
    return Money.parse(amount, currency)


def share(amount: str, seller: str = SELLER, currency: str = "USD") -> Share:
    """Make a seller's part."""
    return Share(seller, of(amount, currency))


@dataclass(frozen=True, slots=True)
class Sample:
    """Facts of a template, and what is special about them; the first of a template is plain."""

    name: str
    version: int
    title: str
    facts: Any

    @property
    def key(self) -> str:
        """What the golden file calls it."""
        return f"{self.name}/{self.version}: {self.title}"

    def expand(self) -> Posting:
        """Make the posting."""
        return published(self.name, self.version).expand(self.facts, subject_id=PAYMENT)


TWO = (share("60.00"), share("39.99", OTHER))
BOUNCED = {"client": CLIENT, "seller": SELLER, "amount": of("94.99")}

SAMPLES = (
    Sample(
        "captured",
        1,
        "one seller, and a fee for the platform",
        Captured(PAYMENT, PSP, CLIENT, of("99.99"), (share("94.99"),), of("5.00")),
    ),
    Sample("captured", 1, "two sellers", Captured(PAYMENT, PSP, CLIENT, of("99.99"), TWO)),
    Sample("psp_fee", 1, "of one charge", PspFee(PAYMENT, PSP, of("3.20"))),
    Sample(
        "platform_fee",
        1,
        "of two sellers",
        PlatformFee(PAYMENT, CLIENT, of("5.00"), (share("3.00"), share("2.00", OTHER))),
    ),
    Sample(
        "refund_initiated",
        1,
        "a part, the platform's fee in proportion",
        RefundInitiated(REFUND, CLIENT, BUYER, of("30.00"), (share("28.50"),), of("1.50")),
    ),
    Sample(
        "refund_initiated",
        1,
        "the whole, of two sellers",
        RefundInitiated(REFUND, CLIENT, BUYER, of("99.99"), TWO),
    ),
    Sample("refund_paid", 1, "a part", RefundPaid(REFUND, PSP, CLIENT, BUYER, of("30.00"))),
    Sample("refund_returned", 1, "a part", RefundReturned(REFUND, PSP, CLIENT, BUYER, of("30.00"))),
    Sample(
        "refund_failed",
        1,
        "a part, the platform's fee in proportion",
        RefundFailed(REFUND, CLIENT, BUYER, of("30.00"), (share("28.50"),), of("1.50")),
    ),
    Sample(
        "payout_initiated",
        1,
        "by a bank",
        PayoutInitiated(PAYOUT, BANK, CLIENT, SELLER, of("94.99")),
    ),
    Sample("payout_in_transit", 1, "by a bank", PayoutInTransit(PAYOUT, BANK, of("94.99"))),
    Sample(
        "payout_settled",
        1,
        "by a bank",
        PayoutSettled(PAYOUT, BANK, chart.bank(BANK, "USD"), of("94.99")),
    ),
    Sample(
        "payout_settled",
        1,
        "by a PSP, out of what it holds for us",
        PayoutSettled(PAYOUT, "paypal", chart.clearing("paypal", "USD"), of("94.99")),
    ),
    Sample(
        "payout_returned",
        1,
        "called off before it was sent",
        PayoutReturned(PAYOUT, BANK, stage=PayoutStage.INITIATED, **BOUNCED),
    ),
    Sample(
        "payout_returned",
        1,
        "refused on its way",
        PayoutReturned(PAYOUT, BANK, stage=PayoutStage.IN_TRANSIT, **BOUNCED),
    ),
    Sample(
        "payout_returned",
        1,
        "sent back after it was paid",
        PayoutReturned(
            PAYOUT,
            BANK,
            stage=PayoutStage.SETTLED,
            drawn_on=chart.bank(BANK, "USD"),
            **BOUNCED,
        ),
    ),
    Sample(
        "chargeback_opened",
        1,
        "with a fee, kept back in full",
        ChargebackOpened(DISPUTE, PSP, CLIENT, of("69.99"), (share("69.99"),), of("15.00")),
    ),
    Sample(
        "chargeback_opened",
        1,
        "kept back in part, of two sellers",
        ChargebackOpened(
            DISPUTE, PSP, CLIENT, of("69.99"), (share("40.00"), share("20.00", OTHER))
        ),
    ),
    Sample(
        "chargeback_opened",
        1,
        "at the platform's risk",
        ChargebackOpened(DISPUTE, PSP, CLIENT, of("69.99"), ()),
    ),
    Sample(
        "chargeback_won",
        1,
        "the fee given back too",
        ChargebackWon(DISPUTE, PSP, CLIENT, of("69.99"), (share("69.99"),), of("15.00")),
    ),
    Sample(
        "chargeback_won",
        1,
        "at the platform's risk",
        ChargebackWon(DISPUTE, PSP, CLIENT, of("69.99"), ()),
    ),
    Sample(
        "chargeback_lost",
        1,
        "kept back in full",
        ChargebackLost(DISPUTE, PSP, CLIENT, of("69.99"), of("69.99")),
    ),
    Sample(
        "chargeback_lost",
        1,
        "kept back in part",
        ChargebackLost(DISPUTE, PSP, CLIENT, of("69.99"), of("60.00")),
    ),
    Sample(
        "chargeback_lost",
        1,
        "at the platform's risk",
        ChargebackLost(DISPUTE, PSP, CLIENT, of("69.99"), None),
    ),
    Sample(
        "converted",
        1,
        "dollars for yen, with a spread",
        Converted("fx_1", CLIENT, SELLER, of("100.00"), of("14850", "JPY"), of("150", "JPY")),
    ),
    Sample(
        "converted",
        1,
        "dollars for yen at the market's rate",
        Converted("fx_1", CLIENT, SELLER, of("100.00"), of("15000", "JPY")),
    ),
    Sample(
        "conversion_covered",
        1,
        "at the rate that was booked",
        ConversionCovered("fx_1", BANK, of("100.00"), of("15000", "JPY"), of("15000", "JPY")),
    ),
    Sample(
        "conversion_covered",
        1,
        "at a worse rate",
        ConversionCovered("fx_1", BANK, of("100.00"), of("14980", "JPY"), of("15000", "JPY")),
    ),
    Sample(
        "conversion_covered",
        1,
        "at a better rate",
        ConversionCovered("fx_1", BANK, of("100.00"), of("15010", "JPY"), of("15000", "JPY")),
    ),
    Sample(
        "settled",
        1,
        "as expected, the fee booked before",
        Settled("po_1", PSP, BANK, of("96.79"), of("96.79")),
    ),
    Sample(
        "settled",
        1,
        "the fee told with the payout, and 0.29 missing",
        Settled("po_1", PSP, BANK, of("99.99"), of("96.50"), of("3.20")),
    ),
    Sample(
        "settled",
        1,
        "1.00 too much",
        Settled("po_1", PSP, BANK, of("96.79"), of("97.79")),
    ),
    Sample(
        "settlement_claimed",
        1,
        "as expected",
        SettlementClaimed("po_2", PSP, BANK, of("84.99"), of("84.99")),
    ),
    Sample(
        "settlement_claimed",
        1,
        "with a fee, and 0.01 too much",
        SettlementClaimed("po_2", PSP, BANK, of("69.99"), of("85.00"), of("15.00")),
    ),
    Sample(
        "suspense_released",
        1,
        "what was missing was a fee",
        SuspenseReleased("sus_1", PSP, Excess.MISSING, of("0.29"), chart.psp_fees(PSP, "USD")),
    ),
    Sample(
        "suspense_released",
        1,
        "what was too much belongs to the next settlement",
        SuspenseReleased("sus_2", PSP, Excess.SURPLUS, of("1.00"), chart.clearing(PSP, "USD")),
    ),
    Sample(
        "late_charged",
        1,
        "after the card had been declined",
        LateCharged("att_1", PSP, of("99.99")),
    ),
    Sample(
        "charge_kept",
        1,
        "after it could not be given back",
        ChargeKept("att_1", PSP, of("99.99")),
    ),
)
