"""Every line of the guides and every example, run as printed, on the addresses of the test's own
stack.
"""

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.state import State
from tests.e2e.test_readme import blocks, on_this_stack

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
WITH_MESH = [page for page in GUIDES if page.stem == "the-mesh"]
PLAIN = [page for page in GUIDES if page not in WITH_MESH]
# What each page promises to show.
PROMISES = {
    "first-payment": ['"status":"PENDING"', "COMPLETED"],
    "errors-and-retries": ["idempotent-replayed: true", "IDEMPOTENCY_KEY_REUSED", "INVALID_AMOUNT"],
    "idempotency": ["CARD_DECLINED", "payments made: 1", "PAYMENT_ORDER_ID_IN_USE", "COMPLETED"],
    "holding-and-capturing": ["REQUIRES_CAPTURE", '"captured_amount":"60.00"', "CANCELLED"],
    "hosted-checkout": ['"status":"OPEN"', "https://shop.example/thanks", '"status":"COMPLETE"'],
    "following-payments": ["next_page_token", 'data: {"sequence":3', "COMPLETED"],
    "webhooks": ["payment.pending #1", "payment.completed #3", "whsec_", "on their way", "DELETED"],
    "routing-and-trouble": ["all else by Stripe", "wallets by PayPal", "keyRetention"],
    "paying-out": [
        '"PAID"',
        "INSUFFICIENT_FUNDS",
        "PAYOUT_UNDER_WAY",
        '"SUBMITTED"',
    ],
    "disputes": ['"NEEDS_RESPONSE"', '"isMoneyWithdrawn"', '"WON"', "SUCCEEDED", '"ACCEPTED"'],
    "signing-requests": [
        '"status":"PENDING"',
        "NONCE_USED",
        "read, signed as well",
        "shown this once",
        "REVOKED",
        "5 a second, burst 20",
    ],
    "auditing": ["✓  I1", "I8", "judged at rest", '"isDone"'],
    "audit-log": ["They say that it is over", "CreatePayment", "psp_gateway: sound", "closed"],
    "dead-letters": [
        "refused: ALREADY_CAPTURED",
        "asks VoidCharge 99.99 USD under attempt_id att_",
        "nobody approves his own proposal",
        "APPLIED: DONE_BY_HAND 99.99 USD re_",
        "It is final",
        "CANCELLED, accepted",
        "tells another amount: The PSP's answer differs",
        "It says 49.99 USD",
        "APPLIED: OTHER_AMOUNT 49.99 USD pi_",
        "charged another amount than 99.99 USD, which is given back",
    ],
    "archiving-a-month": ["Checkpoint 1: 0 transactions", "The books are sound", "archive_until"],
    "the-mesh": [
        "spiffe://paymesh.local/ns/paymesh/sa/payment_svc",
        "in clear: refused",
        "without a certificate: refused",
        "a person at a service's door: refused",
        '"actor": "spiffe://paymesh.local/operator/ann"',
        "operators do not post",
        "as asked",
        "COMPLETED",
    ],
    "testing-with-the-sandbox": ["exits 1", "COMPLETED", '"charge"'],
}


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.stem)
def test_guide_works_as_printed(state: State, stack: dict[str, Any], page: Path) -> None:
    """The page's blocks, in one shell from top to bottom, exit 0 and show what is promised."""
    hold_to_its_promises(page, state, stack)


@pytest.mark.parametrize("page", WITH_MESH, ids=lambda page: page.stem)
def test_guide_of_the_mesh_works_as_printed(
    mesh_state: State, mesh_stack: dict[str, Any], page: Path
) -> None:
    """The same, where a mesh is spoken of."""
    hold_to_its_promises(page, mesh_state, mesh_stack)


def hold_to_its_promises(page: Path, state: State, stack: dict[str, Any]) -> None:
    """Run a page on a stack."""
    script = "\n".join(on_this_stack(block, state, stack) for block in blocks(page))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip

    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    for promise in PROMISES.get(page.stem, []):
        assert promise in done.stdout, done.stdout


def test_links_lead_somewhere() -> None:
    """No page of the documentation points to a file that is not there."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]

    assert broken == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_run_by_a_guide_and_says_what_it_shows(example: Path) -> None:
    """No example is left out of the guides."""
    assert ast.get_docstring(ast.parse(example.read_text()))
    assert any(f"docs/examples/{example.name}" in page.read_text() for page in GUIDES)
