"""The table of capabilities in the docs is what the providers declare. UPDATE_PAGES=1 renews it."""

import os
from pathlib import Path

from psp_gateway.domain.attempt import Stage
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.providers.adyen.provider import CAPABILITIES as ADYEN
from psp_gateway.providers.paypal.provider import CAPABILITIES as PAYPAL
from psp_gateway.providers.stripe.provider import CAPABILITIES as STRIPE

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "psp-capabilities.md"
ALL = (STRIPE, ADYEN, PAYPAL)


def column(can: Capabilities) -> list[str]:
    """Write what one provider declares."""
    keys = {f"{retention.total_seconds() / 3600:g} h" for retention in can.key_retention.values()}
    return [
        ", ".join(sorted(method.value for method in can.methods)),
        ", ".join(sorted(can.debit_currencies)) or "no",
        "create, then confirm" if can.first_stage is Stage.CREATE else "one request",
        yes(can.can_look_up),
        can.captures.value,
        yes(can.refunds),
        yes(can.hosted_page),
        yes(can.payouts),
        yes(can.disputes),
        ", ".join(sorted(keys)),
    ]


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
        ]
    )


def test_the_page_is_what_is_declared() -> None:
    """Whoever changes a declaration renews the page."""
    if os.environ.get("UPDATE_PAGES"):
        PAGE.write_text(page())

    assert PAGE.read_text() == page()
