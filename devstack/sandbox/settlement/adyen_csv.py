"""Adyen's Settlement details report: CSV with local times, interchange++ columns, one batch a day.

Gross less markup, scheme fees and interchange is net; net credits less net debits of a currency,
the payout or what is carried to the next batch included, are 0.00. See
docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from devstack.sandbox.settlement.batch import Batch, Row, token
from devstack.sandbox.settlement.fees import adyen_parts
from devstack.sandbox.settlement.rows_csv import CsvLines, blanks
from devstack.sandbox.settlement.schedule import SCHEDULES
from devstack.sandbox.settlement.units import decimals_of, major

HEADER = (
    *("Company Account", "Merchant Account", "Psp Reference", "Merchant Reference"),
    *("Payment Method", "Creation Date", "TimeZone", "Type", "Modification Reference"),
    *("Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)", "Exchange Rate", "Net Currency"),
    *("Net Debit (NC)", "Net Credit (NC)", "Commission (NC)", "Markup (NC)", "Scheme Fees (NC)"),
    *("Interchange (NC)", "Payment Method Variant", "Modification Merchant Reference"),
    *("Batch Number", "Reserved4", "Reserved5", "Reserved6", "Reserved7", "Reserved8"),
    *("Reserved9", "Reserved10"),
)
COMPANY, MERCHANT = "PaymeshSandbox", "PaymeshSandboxECOM"
_TYPES: Mapping[str, str] = {
    "charge": "Settled",
    "capture": "Settled",
    "capture_failed": "SettledReversed",
    "refund": "Refunded",
    "refund_failed": "RefundedReversed",
    "dispute_withdrawn": "Chargeback",
    "dispute_reinstated": "ChargebackReversed",
}
_RESERVED = 7
_CARRIED = "Balancetransfer"


def file_name(_: date, number: int) -> str:
    """Name the file of a batch."""
    return f"settlement_detail_report_batch_{number}.csv"


def lines(batches: Sequence[Batch]) -> Iterator[bytes]:
    """Write the file of a day, line by line."""
    write = CsvLines().line
    yield write(HEADER)
    for batch in batches:
        decimals = decimals_of(batch.psp, batch.currency)
        if batch.opening:
            text = f"{_CARRIED} from batch {batch.number - 1}"
            yield write(_own(batch, _CARRIED, _CARRIED, batch.opening, decimals, text))
        for row in batch.rows:
            yield write(_row(row, batch, decimals))
        yield from (write(own) for own in _closing(batch, decimals))


def payout_reference(batch: Batch) -> str:
    """Give the payout's reference as the bank statement shows it."""
    return f"TX{batch.payout_id}XT batch {batch.number}, {MERCHANT}"


def _closing(batch: Batch, decimals: int) -> Iterator[tuple[str | int, ...]]:
    if batch.costs:
        text = f"Transaction Fees {batch.day:%B %d %Y}"
        yield _own(batch, "Fee", text, -batch.costs, decimals)
    if batch.payout:
        text = payout_reference(batch)
        yield _own(batch, "MerchantPayout", text, -batch.payout, decimals)
    if batch.closing:
        text = f"{_CARRIED} to batch {batch.number + 1}"
        yield _own(batch, _CARRIED, _CARRIED, -batch.closing, decimals, text)


def _row(row: Row, batch: Batch, decimals: int) -> tuple[str | int, ...]:
    movement = row.movement
    scheme_fees, interchange = adyen_parts(row.gross, row.currency) if row.is_sale else (0, 0)
    parts = (row.fee - scheme_fees - interchange, scheme_fees, interchange)
    # A payment captured at once has no capture of its own in the record; Adyen has one.
    own = token("capture", movement.reference) if movement.kind == "charge" else movement.reference
    return (
        *(COMPANY, MERCHANT, movement.payment_reference),
        movement.payment_our_id if row.has_our_ids else "",
        "visa",
        *_when(SCHEDULES[batch.psp].local(movement.at)),
        *(_TYPES[movement.kind], own),
        *(batch.currency, *_sides(row.gross, decimals)),
        *("1", batch.currency, *_sides(row.net, decimals)),
        "",
        *(major(part, decimals) for part in parts),
        "visastandardcredit",
        movement.our_id if row.has_our_ids and not (row.is_sale or movement.is_of_dispute) else "",
        batch.number,
        *blanks(_RESERVED),
    )


def _own(
    batch: Batch, kind: str, reference: str, net: int, decimals: int, text: str = ""
) -> tuple[str | int, ...]:
    """Make a row that is of no payment."""
    # Adyen closes a batch at the end of its day.
    closed = SCHEDULES[batch.psp].start_of(batch.day) + timedelta(hours=23, minutes=59)
    return (
        *(COMPANY, MERCHANT, "", "", ""),
        *_when(closed),
        *(kind, reference, *blanks(4), batch.currency, *_sides(net, decimals)),
        *blanks(5),
        text,
        batch.number,
        *blanks(_RESERVED),
    )


def _when(moment: datetime) -> tuple[str, str]:
    return f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Z}"


def _sides(amount: int, decimals: int) -> tuple[str, str]:
    """Write an amount as debit and credit; nothing is a credit of zero."""
    written = major(abs(amount), decimals)
    return (written, "") if amount < 0 else ("", written)
