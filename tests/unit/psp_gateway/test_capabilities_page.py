"""The table of capabilities in the docs is what the providers declare. UPDATE_PAGES=1 renews it."""

import os
from pathlib import Path

import psp_gateway.providers
from psp_gateway.domain.attempt import Method, Stage
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.providers.adyen.provider import CAPABILITIES as ADYEN
from psp_gateway.providers.bank.provider import CAPABILITIES as BANK
from psp_gateway.providers.paypal.provider import CAPABILITIES as PAYPAL
from psp_gateway.providers.stripe.provider import CAPABILITIES as STRIPE

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "psp-capabilities.md"
ALL = (STRIPE, ADYEN, PAYPAL, BANK)
# A bank's transfers are how it pays out; nobody is charged by one.
CHARGED = frozenset(Method) - {Method.BANK_TRANSFER}


NOTES = (
    "The bank is asked by files: a payout is its order in a pain.001 file, and what became of it",
    "is in a statement. An order's id is its key, for ever.",
    "",
    "WALLET at Stripe is Apple Pay or Google Pay, of which its SDK makes a payment method (`pm_…`)",
    "of the type card: it is charged, held and captured as any card is. WALLET at PayPal is",
    "a PayPal account, by a vaulted token. On the hosted pages buyers find the wallets that the",
    "merchant has switched on at the PSP, at Adyen too.",
    "",
    "Not offered: Adyen's wallets by a token. Adyen wants the wallet's own encrypted data with the",
    "charge (`applePayToken`, `googlePayToken`, up to 10,000 characters), not a token that it made",
    "before; a token here is a PSP's, of 255 characters at most. Who wants Apple Pay or Google Pay",
    "by Adyen opens its hosted page.",
)


def column(can: Capabilities) -> list[str]:
    """Write what one provider declares."""
    keys = {f"{retention.total_seconds() / 3600:g} h" for retention in can.key_retention.values()}
    return [
        ", ".join(sorted(method.value for method in can.methods & CHARGED)) or "no",
        ", ".join(sorted(can.debit_currencies)) or "no",
        made_by(can),
        yes(can.can_look_up),
        can.captures.value,
        yes(can.refunds),
        yes(can.hosted_page),
        yes(can.payouts),
        yes(can.disputes),
        ", ".join(sorted(keys)),
    ]


def made_by(can: Capabilities) -> str:
    """Write in how many requests a charge is made."""
    if not can.methods & CHARGED:
        return "no"
    return "create, then confirm" if can.first_stage is Stage.CREATE else "one request"


def yes(can: bool) -> str:
    """Write a fact."""
    return "yes" if can else "no"


def page() -> str:
    """Write the page."""
    names = [
        *("charges", "bank debits in", "a charge is made by"),
        "can be asked what became of a request",
        *("captures what is held", "refunds, in parts", "hosted page", "payouts"),
        *("evidence for disputes", "keeps idempotency keys at least"),
    ]
    rows = zip(names, *map(column, ALL), strict=True)
    return "\n".join(
        [
            "# What each PSP can do here",
            "",
            "Written from the `CAPABILITIES` of each provider by a test. A key is sent again for",
            "half of the time that its PSP keeps it; after that an attempt is only looked up.",
            "",
            "| | " + " | ".join(can.psp for can in ALL) + " |",
            "|---|" + "---|" * len(ALL),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            *NOTES,
            "",
        ]
    )


def test_every_provider_has_a_column() -> None:
    """A folder of providers is one PSP, and each is told of."""
    folders = Path(psp_gateway.providers.__path__[0]).glob("*/provider.py")

    assert sorted(can.psp for can in ALL) == sorted(folder.parent.name for folder in folders)


def test_the_page_is_what_is_declared() -> None:
    """Whoever changes a declaration renews the page."""
    if os.environ.get("UPDATE_PAGES"):
        PAGE.write_text(page())

    assert PAGE.read_text() == page()
