"""Stripe's itemised payout reconciliation report: CSV, one file for all payouts of a day.

Columns are those of a real report; the metadata columns are chosen when the report is run, and here
they are `payment_metadata[attempt_id]` and `refund_metadata[attempt_id]`. See
https://docs.stripe.com/reports/payout-reconciliation and /reports/reporting-categories.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from devstack.sandbox.settlement.batch import Batch, Row
from devstack.sandbox.settlement.rows_csv import CsvLines
from devstack.sandbox.settlement.schedule import SCHEDULES
from devstack.sandbox.settlement.units import decimals_of, major

HEADER = (
    "balance_transaction_id",
    "payment_metadata[attempt_id]",
    "refund_metadata[attempt_id]",
    "source_id",
    "payment_intent_id",
    "charge_id",
    "created",
    "available_on",
    "automatic_payout_effective_at",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "payment_method_type",
    "card_brand",
    "card_country",
    "card_funding",
    "description",
    "trace_id_status",
    "automatic_payout_id",
    "customer_facing_amount",
    "customer_facing_currency",
)
_CATEGORIES: Mapping[str, str] = {
    "charge": "charge",
    "capture": "charge",
    "capture_failed": "charge_failure",
    "refund": "refund",
    "refund_failed": "refund_failure",
    "dispute_withdrawn": "dispute",
    "dispute_reinstated": "dispute_reversal",
}
_REFUNDS = frozenset({"refund", "refund_failed"})
_CARD = ("card", "visa", "US", "credit")
_NO_CARD = ("", "", "", "")


def file_name(day: date, _: int) -> str:
    """Name the file of a day."""
    return f"Itemized_payout_reconciliation_{day}_to_{day}_UTC.csv"


def lines(batches: Sequence[Batch]) -> Iterator[bytes]:
    """Write the file of a day, line by line."""
    write = CsvLines().line
    yield write(HEADER)
    for batch in batches:
        decimals = decimals_of(batch.psp, batch.currency)
        midnight = _written(SCHEDULES[batch.psp].start_of(batch.day))
        for row in batch.rows:
            yield write(_row(row, batch, decimals, midnight))
        if batch.payout:
            yield write(_payout(batch, decimals, midnight))


def payout_reference(batch: Batch) -> str:
    """Give the payout's id as Stripe writes it."""
    return f"po_{batch.payout_id}"


def _row(row: Row, batch: Batch, decimals: int, midnight: str) -> tuple[str, ...]:
    movement = row.movement
    is_refund = movement.kind in _REFUNDS
    return (
        f"txn_{row.id}",
        movement.payment_our_id if row.has_our_ids else "",
        movement.our_id if row.has_our_ids and is_refund else "",
        movement.reference,
        movement.payment_reference,
        movement.sale_reference,
        _written(SCHEDULES[batch.psp].local(movement.at)),
        midnight,
        midnight,
        batch.currency.lower(),
        major(row.gross, decimals),
        major(row.fee, decimals),
        major(row.net, decimals),
        _CATEGORIES[movement.kind],
        *_CARD,
        "",
        "",
        payout_reference(batch),
        major(row.gross, decimals),
        batch.currency.lower(),
    )


def _payout(batch: Batch, decimals: int, midnight: str) -> tuple[str, ...]:
    paid = major(-batch.payout, decimals)
    return (
        f"txn_{batch.payout_id}",
        *("", ""),
        payout_reference(batch),
        *("", ""),
        *(midnight, midnight, midnight),
        batch.currency.lower(),
        *(paid, major(0, decimals), paid),
        "payout",
        *_NO_CARD,
        "STRIPE PAYOUT",
        "pending",
        payout_reference(batch),
        *("", ""),
    )


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
