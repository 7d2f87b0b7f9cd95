"""Records for tests of settlement files: random money, and one day's worth of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import strategies as st

from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement.book import Book, Day
from devstack.sandbox.settlement.movements import Movements

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
CURRENCIES = ("USD", "EUR", "JPY", "KWD", "HUF")
_KINDS = (
    *("charge", "capture", "refund", "refund_failed", "authorization", "decline", "void"),
    *("dispute_withdrawn", "dispute_reinstated"),
)


def entry(seq: int, psp: str, kind: str, amount: int, **own: object) -> Entry:
    """Make a line of the record; what is not said is of the payment `seq`."""
    fields: dict[str, object] = {
        "at": NOON,
        "reference": f"{kind[:2]}_{seq:024}",
        "payment_reference": f"pi_{seq:024}",
        "currency": "USD",
        "metadata": {"attempt_id": f"att_{seq:026}"},
    }
    fields |= own
    return Entry(seq=seq, psp=psp, kind=kind, amount=amount, **fields)  # type: ignore[arg-type]


@st.composite
def records(draw: st.DrawFn, psp: str) -> list[Entry]:
    """Make records of some days: sales, refunds of them, failures, and lines that move nothing."""
    kinds = (*_KINDS, "payout", "payout_failed") if psp == "paypal" else _KINDS
    currencies = [each for each in CURRENCIES if psp != "paypal" or each != "KWD"]
    made: list[Entry] = []
    at = NOON
    for seq in range(1, draw(st.integers(1, 30)) + 1):
        at += draw(st.sampled_from([0.0, 60.0, 40_000.0, DAY_S, 5 * DAY_S]))
        payment = draw(st.integers(1, seq))
        made.append(
            entry(
                seq,
                psp,
                draw(st.sampled_from(kinds)),
                draw(st.integers(1, 10**7)) * 10,
                at=at,
                payment_reference=f"pi_{payment:024}",
                currency=draw(st.sampled_from(currencies)),
            )
        )
    return made


def book_of(entries: Sequence[Entry]) -> Book:
    """Make the book of a record."""
    return Book(Movements(entries))


def days_of(entries: Sequence[Entry], psp: str) -> Sequence[Day]:
    """Give all days of a record, long after the last."""
    return book_of(entries).days(psp, entries[-1].at + 30 * DAY_S)
