"""The PSPs' settlement files, read back by readers that know nothing of how they are written."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement.files import FORMATS
from tests.unit.sandbox.settled import DAY_S, NOON, book_of, days_of, entry, records

# wikimedia/wikimedia-fundraising-SmashPig@426ebe08a21d: PaymentProviders/Stripe/Tests/Data/
# settlement_report.csv; less its metadata columns, which are chosen at each run, and
# `gateway_account`, which no report of Stripe's has.
STRIPE_HEADER = (
    "balance_transaction_id,source_id,payment_intent_id,charge_id,created,available_on,"
    "automatic_payout_effective_at,currency,gross,fee,net,reporting_category,payment_method_type,"
    "card_brand,card_country,card_funding,description,trace_id_status,automatic_payout_id,"
    "customer_facing_amount,customer_facing_currency"
)
# The same: PaymentProviders/Adyen/Tests/Data/settlement_detail_report_donation.csv.
ADYEN_HEADER = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,"
    "Creation Date,TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),"
    "Gross Credit (GC),"
    "Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),"
    "Scheme Fees (NC),Interchange (NC),Payment Method Variant,Modification Merchant Reference,"
    "Batch Number,Reserved4,Reserved5,Reserved6,Reserved7,Reserved8,Reserved9,Reserved10"
)
# The same: PaymentProviders/PayPal/Tests/Data/stl.csv.
PAYPAL_HEADER = (
    "CH,Transaction ID,Invoice ID,PayPal Reference ID,PayPal Reference ID Type,"
    "Transaction Event Code,Transaction Initiation Date,Transaction Completion Date,"
    "Transaction Debit or Credit,Gross Transaction Amount,Gross Transaction Currency,"
    "Fee Debit or Credit,Fee Amount,Fee Currency,Custom Field,Consumer ID,Payment Tracking ID,"
    "Store ID,Bank Reference ID,Credit Transactional Fee,Credit Promotional Fee,Credit Term"
)


def written(entries: Sequence[Entry], psp: str) -> list[str]:
    """Write all files of a record."""
    return [b"".join(FORMATS[psp].write(day)).decode() for day in days_of(entries, psp)]


def table(text: str) -> list[dict[str, str]]:
    """Read a CSV by its header."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def signed(row: dict[str, str], name: str, currency: str) -> Decimal:
    """Read one of Adyen's pairs of debit and credit."""
    debit, credit = (row[f"{name} {side} ({currency})"] for side in ("Debit", "Credit"))
    return Decimal(credit or 0) - Decimal(debit or 0)


@settings(max_examples=60, deadline=None)
@given(records("stripe"))
def test_stripe_payouts_sum_to_zero(entries: list[Entry]) -> None:
    """Gross less fee is net on every row, and each payout with its rows makes zero."""
    rows = [row for text in written(entries, "stripe") for row in table(text)]
    sums: dict[str, Decimal] = {}
    for row in rows:
        assert Decimal(row["gross"]) - Decimal(row["fee"]) == Decimal(row["net"])
        payout = row["automatic_payout_id"]
        sums[payout] = sums.get(payout, Decimal(0)) + Decimal(row["net"])
    assert set(sums.values()) <= {Decimal(0)}
    moving = {"charge", "capture", "refund", "refund_failed"}
    moving |= {"dispute_withdrawn", "dispute_reinstated"}
    own = [row for row in rows if row["reporting_category"] != "payout"]
    assert len(own) == sum(entry.kind in moving for entry in entries)
    assert len({row["balance_transaction_id"] for row in rows}) == len(rows)


@settings(max_examples=60, deadline=None)
@given(records("adyen"))
def test_adyen_batches_sum_to_zero(entries: list[Entry]) -> None:
    """Gross less the parts of the fee is net, and each currency of a batch sums to 0.00, with what
    the batch before left and what it leaves to the next.
    """
    carried: dict[str, Decimal] = {}
    for number, text in enumerate(written(entries, "adyen"), 1):
        sums: dict[str, Decimal] = {}
        for row in table(text):
            assert row["Batch Number"] == str(number)
            net, currency = signed(row, "Net", "NC"), row["Net Currency"]
            sums[currency] = sums.get(currency, Decimal(0)) + net
            if row["Gross Currency"]:
                parts = ("Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")
                assert signed(row, "Gross", "GC") - sum(Decimal(row[each]) for each in parts) == net
            text_of_own = row["Modification Merchant Reference"]
            if text_of_own == f"Balancetransfer from batch {number - 1}":
                assert net == -carried.pop(currency)
            elif row["Type"] == "Balancetransfer":
                assert text_of_own == f"Balancetransfer to batch {number + 1}"
                carried[currency] = net
        assert set(sums.values()) <= {Decimal(0)}


@settings(max_examples=60, deadline=None)
@given(records("paypal"))
def test_paypal_footers_add_up(entries: list[Entry]) -> None:
    """Footers have the rows' sums and counts, and each day begins where the last one ended."""
    before: dict[str, int] = {}
    for text in written(entries, "paypal"):
        rows = list(csv.reader(io.StringIO(text, newline="")))
        body = [row for row in rows if row[0] == "SB"]
        footers = [row[1:] for row in rows if row[0] == "SF"]
        assert footers == [row[1:] for row in rows if row[0] == "RF"]
        for kind in ("SC", "RC", "FF"):
            assert [row[1:] for row in rows if row[0] == kind] == [[str(len(body))]]
        for footer in footers:
            ends = _check_footer(footer, [row for row in body if row[10] == footer[0]])
            assert ends[0] == before.get(footer[0], 0)
            before[footer[0]] = ends[1]


def _check_footer(footer: list[str], body: list[list[str]]) -> tuple[int, int]:
    credits, debits, fee_credits, fee_debits = map(int, footer[1:5])
    for side, amount, total in (
        *(("CR", 9, credits), ("DR", 9, debits)),
        *(("CR", 12, fee_credits), ("DR", 12, fee_debits)),
    ):
        assert sum(int(row[amount]) for row in body if row[amount - 1] == side) == total
    begins, ends = (int(footer[at + 1]) * (-1 if footer[at] == "DR" else 1) for at in (5, 7))
    assert begins + credits - debits + fee_credits - fee_debits == ends <= 0
    assert footer[5:9] == footer[9:13]
    assert footer[-1] == str(len(body))
    return begins, ends


def test_headers_are_those_of_published_files() -> None:
    """The columns are the PSPs' own, in their order."""
    stripe, adyen, paypal = (
        written([entry(1, psp, "charge", 1000)], psp)[0] for psp in ("stripe", "adyen", "paypal")
    )
    chosen = "payment_metadata[attempt_id],refund_metadata[attempt_id],"
    assert stripe.splitlines()[0].replace(chosen, "") == STRIPE_HEADER
    assert chosen in stripe.splitlines()[0]
    assert adyen.splitlines()[0] == ADYEN_HEADER
    kinds = [next(csv.reader([line])) for line in paypal.splitlines()]
    assert ",".join(kinds[3]) == PAYPAL_HEADER
    order = ["RH", "FH", "SH", "CH", "SB", "SB", "SF", "SC", "RF", "RC", "FF"]
    assert [row[0] for row in kinds] == order


def test_rows_say_what_happened() -> None:
    """A charge and its refund at Stripe: ids, ours and theirs, amounts, fee, days."""
    sale = entry(1, "stripe", "charge", 10_000)
    refund = entry(2, "stripe", "refund", 2_500, payment_reference=sale.payment_reference)
    [text] = written([sale, refund], "stripe")
    charge, back, payout = table(text)
    assert (charge["gross"], charge["fee"], charge["net"]) == ("100.00", "3.20", "96.80")
    assert charge["payment_metadata[attempt_id]"] == sale.metadata["attempt_id"]
    assert (charge["created"], charge["available_on"]) == (
        *("2026-01-05 12:00:00", "2026-01-07 00:00:00"),
    )
    assert (back["source_id"], back["charge_id"]) == (refund.reference, sale.reference)
    assert back["payment_metadata[attempt_id]"] == sale.metadata["attempt_id"]
    assert back["refund_metadata[attempt_id]"] == refund.metadata["attempt_id"]
    assert (back["gross"], back["fee"]) == ("-25.00", "0.00")
    assert (payout["reporting_category"], payout["net"]) == ("payout", "-71.80")


def test_adyen_writes_local_time() -> None:
    """23:30 UTC is the next day at Adyen, in winter CET and in summer CEST."""
    january = entry(1, "adyen", "capture", 1000, at=NOON + 11.5 * 3600)
    july = entry(2, "adyen", "capture", 1000, at=NOON + (181 * 24 + 11.5) * 3600)
    winter, summer = (table(text)[0] for text in written([january, july], "adyen"))
    assert (winter["Creation Date"], winter["TimeZone"]) == ("2026-01-06 00:30:00", "CET")
    assert (summer["Creation Date"], summer["TimeZone"]) == ("2026-07-06 01:30:00", "CEST")


def test_paypal_has_the_invoice_and_the_attempt() -> None:
    """The invoice id and the custom id stand in columns of their own, amounts are minor units."""
    ids = {"attempt_id": "att_1", "invoice_id": "inv_1"}
    [text] = written([entry(1, "paypal", "charge", 1000, metadata=ids, currency="JPY")], "paypal")
    row = next(row for row in csv.reader(text.splitlines()) if row[0] == "SB")
    assert (row[2], row[14]) == ("inv_1", "att_1")
    assert row[5:11] == [
        *("T0006", "2026/01/05 04:00:00 -0800", "2026/01/05 04:00:00 -0800"),
        *("CR", "1000", "JPY"),
    ]
    assert row[11:14] == ["DR", "35", "JPY"]


def test_a_day_is_settled_once_it_is_over() -> None:
    """No file before midnight of the PSP's own zone on the day of the payout."""
    for psp, opens in (("stripe", 60.0 * 3600), ("adyen", 59.0 * 3600), ("paypal", 20.0 * 3600)):
        book = book_of([entry(1, psp, "charge", 1000)])
        assert not book.days(psp, NOON + opens - 1)
        assert len(book.days(psp, NOON + opens)) == 1


@pytest.mark.parametrize("psp", ["stripe", "adyen", "paypal"])
def test_fees_are_whole_units_of_the_currency(psp: str) -> None:
    """No fee has decimals that the currency has not, where the PSP counts in smaller units."""
    for currency in ("ISK", "UGX", "KWD", "CLP", "HUF")[: 2 if psp == "stripe" else 5]:
        if psp == "paypal" and currency != "HUF":
            continue
        entries = [entry(1, psp, "charge", 1_234_500, currency=currency)]
        [day] = days_of(entries, psp)
        [batch] = day.batches
        step = 100 if currency in ("ISK", "UGX") and psp == "stripe" else 1
        step = 100 if currency in ("ISK", "CLP") and psp == "adyen" else step
        assert batch.rows[0].fee % step == 0 < batch.rows[0].fee


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(["stripe", "adyen", "paypal"]))
def test_what_comes_later_changes_no_closed_day(data: st.DataObject, psp: str) -> None:
    """Days that are over are the same however often and early they were asked for."""
    entries = data.draw(records(psp))
    early: list[Entry] = []
    book = book_of(early)
    for each in entries:
        early.append(each)
        book.days(psp, each.at)
    now = entries[-1].at + 30 * DAY_S
    assert book.days(psp, now) == days_of(entries, psp)
