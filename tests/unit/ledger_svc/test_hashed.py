"""What a transaction's hash is made of, said once more with a JSON writer of the library."""

import json
from datetime import datetime, timedelta
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.domain import chain
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Line
from ledger_svc.domain.transaction import Entry, Heading, Kind, hashed
from tests.unit.ledger_svc.builders import NOW, usd

PREVIOUS = bytes(range(32))
NAME = chain.transaction_id(NOW, 3, 7)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
EXPIRIES = st.sampled_from((None, NOW + timedelta(hours=1)))


@given(texts=st.tuples(*[TEXTS] * 7), kind=st.sampled_from(Kind), expires_at=EXPIRIES)
def test_the_hash_is_that_of_the_json_that_anybody_can_write(
    texts: tuple[str, str, str, str, str, str, str], kind: Kind, expires_at: datetime | None
) -> None:
    """Whatever the texts hold, the content is the plain JSON that the documentation describes."""
    reference, description, subject, reverses, resolves, template, account = texts
    heading = Heading(
        reference, kind, description, subject, NOW, expires_at, reverses, resolves, template
    )
    amount, after = usd("0.10"), usd("12.30")
    entry = Entry(NAME, reference, 1, account, Side.DEBIT, amount, -after, 41, NOW, NOW, subject)
    lines = (Line(account, Side.CREDIT, amount), Line("b", Side.DEBIT, after))

    made = hashed(PREVIOUS, NAME, heading, NOW, (entry, entry), lines)

    micros = chain.stored_microseconds(NOW)
    booked = [account, "DEBIT", "0.10", "USD", "-12.30", 41]
    content = [
        1, NAME, reference, kind.value, description, subject, micros, micros,
        expires_at and chain.stored_microseconds(expires_at), reverses, resolves, template,
        [booked, booked], [[account, "CREDIT", "0.10", "USD"], ["b", "DEBIT", "12.30", "USD"]],
    ]  # fmt: skip
    written = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    assert made == sha256(PREVIOUS + written.encode("ascii")).digest()
