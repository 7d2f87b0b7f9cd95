"""The bank's statements, read by the gateway's reader, which checks them against the schema."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement import camt053
from devstack.sandbox.settlement.bank import iban_of, statements_of
from devstack.sandbox.settlement.batch import Batch
from devstack.sandbox.settlement.schedule import PSPS
from psp_gateway.providers.bank import camt
from psp_gateway.providers.bank.iban import read_iban
from psp_gateway.providers.bank.statement import Balance, Direction, Statement
from tests.unit.sandbox.settled import CURRENCIES, DAY_S, NOON, book_of, entry, records


def read(entries: Sequence[Entry]) -> tuple[list[tuple[date, Statement]], list[Batch]]:
    """Write the statements of a record, and read them; give the payouts that they are of, too."""
    now = entries[-1].at + 30 * DAY_S
    book = book_of(entries)
    batches = [each for psp in PSPS for day in book.days(psp, now) for each in day.batches]
    statements = statements_of(batches, book.bank(now))
    found = [
        (day, statement)
        for day, accounts in statements.items()
        for statement in camt.read(camt053.document(day, accounts))
    ]
    return found, [batch for batch in batches if batch.payout]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PSPS).flatmap(records))
def test_balances_go_on_from_day_to_day(entries: list[Entry]) -> None:
    """Opening and entries make closing, closing is the next opening, and every payout arrives."""
    statements, payouts = read(entries)
    last: dict[str, Statement] = {}
    for _, statement in statements:
        assert statement.is_balanced
        before = last.get(statement.account)
        assert statement.opening is not None
        assert before is None or before.closing == statement.opening
        assert statement.sequence == str(int(before.sequence) + 1 if before else 1)
        last[statement.account] = statement
    arrived = sorted(
        (day, line.currency, line.direction is Direction.CREDIT)
        for day, statement in statements
        for line in statement.lines
    )
    assert arrived == sorted(
        (batch.day + timedelta(1), batch.currency, batch.payout > 0) for batch in payouts
    )


def test_a_payout_is_known_by_its_reference() -> None:
    """The entry of each PSP's payout has the reference that is in its file."""
    references = {}
    for psp in PSPS:
        [(_, statement)], [batch] = read([entry(1, psp, "charge", 10_000)])
        [line] = statement.lines
        references[psp] = line.end_to_end_id
        assert line.amount == Decimal(batch.payout).scaleb(-2)
        assert line.end_to_end_id in line.remittance
        assert line.counterparty_name.upper().startswith(psp.upper())
    assert references["stripe"].startswith("po_")
    assert references["adyen"].startswith("TX")
    assert references["paypal"].startswith("PP")


def test_transfers_come_and_go_and_come_back() -> None:
    """Money in, money out, and money back with the reason why."""
    texts = {"counterparty": "Ann & Bob", "remittance": "invoice <7>"}
    [(day, statement)], _ = read(
        [
            entry(1, "bank", "deposit", 10_000, currency="EUR", reference="E2E-1", metadata=texts),
            entry(2, "bank", "payout", 2_500, currency="EUR", reference="E2E-2"),
            entry(3, "bank", "payout_failed", 2_500, currency="EUR", reference="E2E-2"),
        ]
    )
    assert day == date(2026, 1, 5)
    assert statement.closing == Balance(Decimal("100.00"), "EUR")
    came, went, back = statement.lines
    assert (came.remittance, came.counterparty_name) == ("invoice <7>", "Ann & Bob")
    assert [line.direction for line in (came, went, back)] == [
        *(Direction.CREDIT, Direction.DEBIT, Direction.CREDIT),
    ]
    assert (went.end_to_end_id, went.return_code) == ("E2E-2", "")
    assert (back.end_to_end_id, back.return_code) == ("E2E-2", "AC04")


def test_stripe_collects_what_it_is_owed() -> None:
    """A day of refunds alone is a debit on the bank account; at PayPal and Adyen it is none."""
    for psp in PSPS:
        statements, _ = read([entry(1, psp, "refund", 1_000)])
        lines = [line for _, statement in statements for line in statement.lines]
        assert [line.direction for line in lines] == [Direction.DEBIT] * (psp == "stripe")


def test_account_numbers_are_ibans() -> None:
    """Each currency has an account of its own, with right check digits."""
    numbers = {iban_of(currency) for currency in CURRENCIES}
    assert len(numbers) == len(CURRENCIES)
    assert {read_iban(number) for number in numbers} == numbers


def test_a_day_is_closed_at_midnight() -> None:
    """What arrives is on the statement of the day after the PSP's; `NOON` is of January 5."""
    statements, _ = read([entry(1, "stripe", "charge", 1_000, at=NOON)])
    assert [day for day, _ in statements] == [date(2026, 1, 8)]
