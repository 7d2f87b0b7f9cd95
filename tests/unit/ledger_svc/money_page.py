"""docs/guides/following-the-money.md: one payment through its accounts, every figure computed.

The steps are posted by their templates into books as the ledger keeps them; the page shows what
these say. `UPDATE_PAGES=1 pytest tests/unit/ledger_svc/test_template_pages.py` writes it.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ledger_svc.domain import chart
from ledger_svc.domain.account import Side
from ledger_svc.domain.templates.chargebacks import ChargebackLost, ChargebackOpened, ChargebackWon
from ledger_svc.domain.templates.charges import Captured, PspFee
from ledger_svc.domain.templates.payouts import PayoutInitiated, PayoutInTransit, PayoutSettled
from ledger_svc.domain.templates.refunds import RefundInitiated, RefundPaid
from ledger_svc.domain.templates.settlements import (
    ChargeKept,
    Excess,
    Settled,
    SettlementClaimed,
    SuspenseReleased,
)
from ledger_svc.domain.transaction import Transaction
from tests.unit.ledger_svc.template_books import TemplateBooks
from tests.unit.ledger_svc.template_pages import DOCS, wrapped
from tests.unit.ledger_svc.template_samples import (
    BANK,
    BUYER,
    CLIENT,
    DISPUTE,
    PAYMENT,
    PAYOUT,
    PSP,
    REFUND,
    SELLER,
    of,
    share,
)

PAGE = DOCS / "guides" / "following-the-money.md"
ACCOUNTS = {
    "clearing": chart.clearing(PSP, "USD"),
    "fees": chart.psp_fees(PSP, "USD"),
    "disputed": chart.disputed(PSP, "USD"),
    "bank": chart.bank(BANK, "USD"),
    "seller": chart.seller_payable(CLIENT, SELLER, "USD"),
    "initiated": chart.payout_initiated(BANK, "USD"),
    "transit": chart.payout_transit(BANK, "USD"),
    "buyer": chart.buyer(CLIENT, BUYER, "USD"),
    "reserve": chart.chargeback_reserve(CLIENT, "USD"),
    "revenue": chart.platform_revenue("USD"),
}

KEPT_ACCOUNTS = {
    "clearing": chart.clearing(PSP, "USD"),
    "suspense": chart.suspense(PSP, "USD"),
    "bank": chart.bank(BANK, "USD"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One event; `told` may name accounts in braces, for what stands on them afterwards."""

    title: str
    template: str
    facts: Any
    told: str


STEPS = (
    Step(
        "Captured",
        "captured",
        Captured(PAYMENT, PSP, CLIENT, of("99.99"), (share("94.99"),), of("5.00")),
        "Stripe has taken the buyer's money and owes it to us; we owe {seller} to the seller. The "
        "platform's fee is earned.",
    ),
    Step(
        "Stripe's fee",
        "psp_fee",
        PspFee(PAYMENT, PSP, of("3.20")),
        "Stripe tells that it keeps {fees}: 2.9 % and 30 cents. That is our cost, not the "
        "seller's; what Stripe owes us falls to {clearing}.",
    ),
    Step(
        "Stripe pays out",
        "settled",
        Settled("po_1", PSP, BANK, of("96.79"), of("96.79")),
        "What arrives is what the books expect, so clearing is back at {clearing}. Had a cent been "
        "missing, it would wait in suspense, not in clearing.",
    ),
    Step(
        "A payout is decided",
        "payout_initiated",
        PayoutInitiated(PAYOUT, BANK, CLIENT, SELLER, of("94.99")),
        "The seller's balance falls to {seller} at once, so that nothing is paid twice.",
    ),
    Step(
        "The bank accepts it",
        "payout_in_transit",
        PayoutInTransit(PAYOUT, BANK, of("94.99")),
        "The money has not moved yet; we only know more of it.",
    ),
    Step(
        "The bank confirms it",
        "payout_settled",
        PayoutSettled(PAYOUT, BANK, chart.bank(BANK, "USD"), of("94.99")),
        "Everybody has theirs. What is left at the bank, {bank}, is what the platform earned "
        "({revenue}) less what Stripe kept ({fees}).",
    ),
    Step(
        "A refund is decided",
        "refund_initiated",
        RefundInitiated(REFUND, CLIENT, BUYER, of("30.00"), (share("28.50"),), of("1.50")),
        "The buyer shall get 30.00 back: 95 % from the seller, 5 % from the platform's fee. The "
        "seller has been paid already, and so owes us: a balance of {seller}.",
    ),
    Step(
        "Stripe pays the refund",
        "refund_paid",
        RefundPaid(REFUND, PSP, CLIENT, BUYER, of("30.00")),
        "Stripe holds nothing of this payment any more, so clearing turns: {clearing}. It takes it "
        "from the next payout, or from our bank.",
    ),
    Step(
        "The buyer disputes the rest",
        "chargeback_opened",
        ChargebackOpened(DISPUTE, PSP, CLIENT, of("69.99"), (share("69.99"),), of("15.00")),
        "30.00 went back already, so at most 69.99 can. Stripe takes it at once, and 15.00 for its "
        "work. What the seller stands for, {reserve}, is kept back until it is decided; "
        "the platform keeps its fee.",
    ),
    Step(
        "Stripe claims what it lacks",
        "settlement_claimed",
        SettlementClaimed("po_2", PSP, BANK, of("114.99"), of("114.99")),
        "With no other payments to take it from, Stripe debits our bank: clearing is at "
        "{clearing}. The bank is below zero only because nothing else lies there in this example.",
    ),
)
LOST = (
    Step(
        "The dispute is lost",
        "chargeback_lost",
        ChargebackLost(DISPUTE, PSP, CLIENT, of("69.99"), of("69.99")),
        "What was kept back pays for it; nothing moves at the bank. The seller's "
        "balance stays at {seller}; the next captures pay it off.",
    ),
)
WON = (
    Step(
        "The dispute is won",
        "chargeback_won",
        ChargebackWon(DISPUTE, PSP, CLIENT, of("69.99"), (share("69.99"),)),
        "Stripe gives the amount again, and keeps its 15.00. The seller gets what was kept back; "
        "a balance of {seller}, the refund's part, is left to be paid off.",
    ),
    Step(
        "Stripe pays it out",
        "settled",
        Settled("po_3", PSP, BANK, of("69.99"), of("69.99")),
        "Clearing is back at {clearing}.",
    ),
)
KEPT = (
    Step(
        "Stripe has it still",
        "charge_kept",
        ChargeKept("att_2", PSP, of("99.99")),
        "No order is paid by it, so it is nobody's that we know: suspense stands at {suspense}, "
        "against the {clearing} that Stripe owes us.",
    ),
    Step(
        "Stripe pays it out",
        "settled",
        Settled("po_4", PSP, BANK, of("99.99"), of("99.99")),
        "With all else. What is in suspense stays there: it is at the bank now, and still nobody "
        "has said whose it is.",
    ),
    Step(
        "The buyer has it from our bank",
        "suspense_released",
        SuspenseReleased("att_2", PSP, Excess.SURPLUS, of("99.99"), chart.bank(BANK, "USD")),
        "Somebody says what became of it, once, under the charge's own id.",
    ),
)

_HEAD = """# Following the money

One payment of 99.99 USD, from the buyer's card to the seller's bank, and back again.
Every step is posted by a [template](../reference/posting-templates.md) into books as the ledger
keeps them, and every figure here is what these books say: a test computes the page.

buyer_123 pays 99.99 for goods of seller_456. The platform keeps 5 %, the PSP is Stripe, our bank is
called citizens. Balances are in each account's normal direction: `psp:`, `bank:` (what we have and
are owed) and fees by debits; `seller:`, `buyer:`, `payout:`, `chargeback:` (what we owe) and
revenue by credits. Below zero, an account has turned: a seller then owes us.
"""
_LOST = """
# If it is lost

Disputes take weeks. Until then `psp:stripe:disputed:USD` says what the PSP has taken and
`chargeback:demo:reserve:USD` who would stand for it.
"""
_WON = """
# If it is won instead
"""
_GRID = """
# All at a glance

The balance of every account after each step, in both endings. Assets and expenses less what is
owed and earned is zero in every row: the last column.

```text
%s
```

Clearing, disputed, both payout accounts, the buyer's and the reserve are at zero at either end. An
account of these kinds that is not, for longer than the [chart](../reference/posting-templates.md)
allows, is money that somebody has to look for.

On your own stack, `GetBalance` and `ListEntries` of `paymesh.ledger.v1.LedgerService` tell the same
of any account, and of any payment by its id as `subject_id`.
"""

_KEPT = """
# If a charge cannot be given back

Another payment of 99.99: charged, and then undone, since its seller's wallet was frozen. Stripe
refuses the refund for good, and two persons [give it
up](dead-letters.md#the-psp-has-the-money-still).
"""


def render() -> str:
    """Write the page."""
    rows: list[Sequence[str]] = []
    books = TemplateBooks()
    page = _HEAD + _chapter(books, STEPS, rows, 1)
    lost, won = deepcopy(books), deepcopy(books)
    page += _LOST + _chapter(lost, LOST, rows, len(STEPS) + 1)
    page += _WON + _chapter(won, WON, rows, len(STEPS) + 1)
    assert not lost.uncleared()
    assert not won.uncleared()
    kept = TemplateBooks()
    end = _GRID % _grid(rows) + _KEPT + _chapter(kept, KEPT, [], 1, KEPT_ACCOUNTS)
    assert not kept.uncleared()
    return page.replace("\n# ", "\n## ") + end.replace("\n# ", "\n## ")


def _chapter(
    books: TemplateBooks,
    steps: Sequence[Step],
    rows: list[Sequence[str]],
    first: int,
    accounts: Mapping[str, str] = ACCOUNTS,
) -> str:
    text = ""
    for number, step in enumerate(steps, first):
        done = books.post(step.template, step.facts)
        balances = {name: str(books.balance(account)) for name, account in accounts.items()}
        assert set(books.accounts) <= set(accounts.values())
        assert not any(books.sums().values())
        text += f"\n### {number}. {step.title}\n\n{wrapped(step.told.format_map(balances))}\n"
        text += f"\n`{done.reference}`, by `{done.heading.template}`:\n\n"
        text += _table(books, done, accounts)
        total = sum(books.sums().values())
        rows.append([f"{number}. {step.title}", *balances.values(), f"{total:.2f}"])
    return text


def _table(books: TemplateBooks, done: Transaction, accounts: Mapping[str, str]) -> str:
    """List every account that has had an entry, this step's entries, and its balance."""
    booked: Mapping[tuple[str, Side], list[str]] = {
        (name, side): [
            str(e.amount) for e in done.entries if (e.account_id, e.side) == (name, side)
        ]
        for name in accounts.values()
        for side in Side
    }
    text = "| account | debit | credit | balance |\n|---|--:|--:|--:|\n"
    for name in (name for name in accounts.values() if name in books.accounts):
        debits, credits_ = (" + ".join(booked[name, side]) for side in Side)
        shown = f"**{books.balance(name)}**" if debits or credits_ else str(books.balance(name))
        text += f"| `{name}` | {debits} | {credits_} | {shown} |\n"
    return text


def _grid(rows: Sequence[Sequence[str]]) -> str:
    table = [["", *ACCOUNTS, "sum"], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
