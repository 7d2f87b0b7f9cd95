"""Disputes in the settlement files: what a buyer took back, and what came back from him."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

import pytest

from devstack.sandbox.entry import Entry
from tests.unit.sandbox.settled import entry
from tests.unit.sandbox.test_settlement_files import signed, table, written

OURS = {"attempt_id": "att_1"}


def disputed(psp: str, kinds: Sequence[str], payment: str = "pi_1") -> list[Entry]:
    """Make a sale of 99.99 that is disputed; PayPal's dispute names the capture."""
    named = {"reference": "ch_1", "payment_reference": "pi_1", "metadata": OURS}
    about = {"reference": "dp_1", "payment_reference": payment, "metadata": OURS}
    sale = entry(1, psp, "charge", 9999, **named)
    rows = [entry(n, psp, kind, 9999, **about) for n, kind in enumerate(kinds, 2)]
    return [sale, *rows]


LOST = ["dispute_withdrawn"]
WON = ["dispute_withdrawn", "dispute_reinstated"]


@pytest.mark.parametrize(
    ("kinds", "categories"),
    [
        (LOST, ["charge", "dispute", "payout"]),
        (WON, ["charge", "dispute", "dispute_reversal", "payout"]),
    ],
)
def test_stripe_has_a_row_for_each_move(kinds: list[str], categories: list[str]) -> None:
    """By the charge that it is about, with our id of the payment; with the payout they make 0."""
    (text,) = written(disputed("stripe", kinds), "stripe")
    rows = table(text)

    assert [row["reporting_category"] for row in rows] == categories
    assert sum(Decimal(row["net"]) for row in rows) == 0
    for row in rows[1:-1]:
        assert (row["source_id"], row["charge_id"], row["payment_intent_id"]) == (
            *("dp_1", "ch_1"),
            "pi_1",
        )
        assert row["payment_metadata[attempt_id]"] == "att_1"
        assert row["refund_metadata[attempt_id]"] == ""


@pytest.mark.parametrize(
    ("kinds", "types"),
    [(LOST, ["Settled", "Chargeback"]), (WON, ["Settled", "Chargeback", "ChargebackReversed"])],
)
def test_adyen_has_a_row_for_each_move(kinds: list[str], types: list[str]) -> None:
    """A batch with them sums to zero, with what it leaves to the next."""
    (text,) = written(disputed("adyen", kinds), "adyen")
    rows = table(text)

    assert [row["Type"] for row in rows][: len(types)] == types
    assert sum(signed(row, "Net", "NC") for row in rows) == 0
    for row in rows[1 : len(types)]:
        assert (row["Psp Reference"], row["Merchant Reference"]) == ("pi_1", "att_1")
        assert row["Modification Merchant Reference"] == ""
    assert signed(rows[1], "Gross", "GC") == Decimal("-99.99")


@pytest.mark.parametrize("kinds", [LOST, WON])
def test_paypal_has_a_row_for_each_move(kinds: list[str]) -> None:
    """Each is a transaction by itself that refers to the capture, and the footers have them."""
    (text,) = written(disputed("paypal", kinds, payment="ch_1"), "paypal")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    body = [row[1:] for row in rows if row[0] == "SB"]
    (footer,) = [row[1:] for row in rows if row[0] == "SF"]
    moves = body[1 : 1 + len(kinds)]

    assert [row[4] for row in moves] == ["T1201", "T1202"][: len(kinds)]
    assert [(row[2], row[3], row[13]) for row in moves] == [("ch_1", "TXN", "att_1")] * len(kinds)
    assert [(row[7], row[8]) for row in moves] == [("DR", "9999"), ("CR", "9999")][: len(kinds)]
    assert len({row[0] for row in body}) == len(body)
    assert int(footer[1]) == sum(int(row[8]) for row in body if row[7] == "CR")
    assert int(footer[2]) == sum(int(row[8]) for row in body if row[7] == "DR")
