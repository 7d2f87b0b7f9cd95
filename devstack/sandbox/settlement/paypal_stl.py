"""PayPal's Settlement report, version 009: CSV whose first field says what a row is.

Amounts are unsigned minor units, their direction is in the column before; texts are in double
quotes. See https://developer.paypal.com/docs/reports/sftp-reports/settlement-report/ and, for the
transaction event codes, /payouts/settlement-transaction-details.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from devstack.sandbox.settlement.batch import Batch, Row, token
from devstack.sandbox.settlement.movements import Movement
from devstack.sandbox.settlement.rows_csv import CsvLines, blanks
from devstack.sandbox.settlement.schedule import SCHEDULES

BOM = b"\xef\xbb\xbf"
ACCOUNT = "PAYMESHSANDBX"
COLUMNS = (
    *("Transaction ID", "Invoice ID", "PayPal Reference ID", "PayPal Reference ID Type"),
    *("Transaction Event Code", "Transaction Initiation Date", "Transaction Completion Date"),
    *("Transaction Debit or Credit", "Gross Transaction Amount", "Gross Transaction Currency"),
    *("Fee Debit or Credit", "Fee Amount", "Fee Currency", "Custom Field", "Consumer ID"),
    *("Payment Tracking ID", "Store ID", "Bank Reference ID", "Credit Transactional Fee"),
    *("Credit Promotional Fee", "Credit Term"),
)
_CODES: Mapping[str, str] = {
    "charge": "T0006",
    "capture": "T0006",
    "refund": "T1107",
    "refund_failed": "T1100",
    "payout": "T0001",
    "payout_failed": "T1115",
    "dispute_withdrawn": "T1201",
    "dispute_reinstated": "T1202",
}
_WITHDRAWAL = "T0400"
_ZONE = SCHEDULES["paypal"]


def file_name(day: date, _: int) -> str:
    """Name the file of a day."""
    return f"STL-{day:%Y%m%d}.01.009.CSV"


def lines(batches: Sequence[Batch], day: date) -> Iterator[bytes]:
    """Write the file of a day, line by line, without the byte order mark that some accounts get.

    Args:
        batches: of the day, by currency.
        day: the window, from midnight to midnight of PayPal's own zone.
    """
    write = CsvLines(quotes_text=True, ending="\r\n").line
    begins, after = _ZONE.start_of(day), _ZONE.start_of(day + timedelta(1))
    window = (_written(begins), _written(after - timedelta(seconds=1)))
    yield write(("RH", _written(after + timedelta(hours=5)), "A", ACCOUNT, "009"))
    yield write(("FH", 1))
    yield write(("SH", *window, ACCOUNT, ""))
    yield write(("CH", *COLUMNS))
    for batch in batches:
        for row in batch.rows:
            yield write(_row(row, batch))
        if batch.payout:
            yield write(_withdrawal(batch, window[1]))
    sums = [_sums(batch) for batch in batches]
    count = sum(_count(batch) for batch in batches)
    yield from (write(("SF", *each)) for each in sums)
    yield write(("SC", count))
    yield from (write(("RF", *each)) for each in sums)
    yield write(("RC", count))
    yield write(("FF", count))


def payout_reference(batch: Batch) -> str:
    """Give the withdrawal's Bank Reference ID, which the bank statement shows."""
    return f"PP{batch.payout_id}"


def _row(row: Row, batch: Batch) -> tuple[str | int, ...]:
    movement = row.movement
    moved = _written(_ZONE.local(movement.at))
    ids = {**movement.payment_metadata, **movement.metadata} if row.has_our_ids else {}
    return (
        "SB",
        _transaction(movement),
        ids.get("invoice_id", ""),
        *_refers_to(movement),
        *(_CODES[movement.kind], moved, moved),
        *(*_side(row.gross), batch.currency),
        *((*_side(-row.fee), batch.currency) if row.fee else ("", "", "")),
        ids.get("attempt_id", ""),
        token("payer", movement.payment_reference, length=13),
        *blanks(6),
    )


def _transaction(movement: Movement) -> str:
    """Give a row's own transaction: what failed later is one more than that which failed, and a
    dispute takes and gives back.
    """
    if movement.is_of_dispute:
        return token(movement.kind, movement.reference, length=17)
    is_undone = movement.kind.endswith("_failed")
    return token("undone", movement.reference, length=17) if is_undone else movement.reference


def _refers_to(movement: Movement) -> tuple[str, str]:
    """Tell to what a transaction belongs, and of which type that id is."""
    if movement.kind in ("charge", "capture"):
        return movement.payment_reference, "ODR"
    if movement.kind == "payout":
        return "", ""
    is_undone = movement.kind.endswith("_failed")
    return movement.reference if is_undone else movement.sale_reference, "TXN"


def _withdrawal(batch: Batch, moment: str) -> tuple[str | int, ...]:
    return (
        *("SB", token("withdrawal", batch.payout_id, length=17), "", "", "", _WITHDRAWAL),
        *(moment, moment, *_side(-batch.payout), batch.currency),
        *blanks(7),
        payout_reference(batch),
        *blanks(3),
    )


def _count(batch: Batch) -> int:
    return len(batch.rows) + (batch.payout != 0)


def _sums(batch: Batch) -> tuple[str | int, ...]:
    """Sum a currency: gross and fees by side, then balances before and after, of the whole, of what
    is available, and of what is payable.
    """
    moved = [row.gross for row in batch.rows]
    fees = [-row.fee for row in batch.rows]
    balances = (*_side(batch.opening), *_side(batch.closing))
    return (
        batch.currency,
        sum(amount for amount in moved if amount > 0),
        -sum(amount for amount in moved if amount < 0) + batch.payout,
        sum(fee for fee in fees if fee > 0),
        -sum(fee for fee in fees if fee < 0),
        *balances,
        *balances,
        *("CR", 0, "CR", 0),
        _count(batch),
    )


def _side(amount: int) -> tuple[str, int]:
    """Write an amount as PayPal does: its side, and how much."""
    return ("DR" if amount < 0 else "CR"), abs(amount)


def _written(moment: datetime) -> str:
    return f"{moment:%Y/%m/%d %H:%M:%S %z}"
