"""What is read at a glance keeps every rule, and is read as it would be otherwise."""

from collections.abc import Callable

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2 as wire

from chassis.errors import InvalidRequest
from chassis.interceptors import validate
from ledger_svc import glance, messages
from ledger_svc.servicer import LedgerServicer

CARD = "4242 4242 4242 4242"
Request = service.PostTransactionsRequest
Spoil = Callable[[wire.Posting], object]

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.:-]{1,20}", fullmatch=True),
    st.sampled_from(["", "a" * 200, "a" * 201, "a b", "ä", "a\n", "\n", "a\nb", "a\0", "a%20"]),
)
ROUGH_TEXT = st.one_of(
    st.sampled_from(["", "Captured", CARD, "4242", "a\n4242 4242", "4242 4242", "%34242", "\0"]),
    st.sampled_from(["ü" * 200, "a" * 201, "a" * 64, "a" * 65]),
    st.text(max_size=20),
)
AMOUNTS = st.sampled_from(["1", "10.99", "1.000", "0", "-1", "", "1e2", "9" * 15, "9" * 21, "01"])
TIMES = st.sampled_from([None, Timestamp(seconds=1), Timestamp(nanos=-1), Timestamp(seconds=2**60)])


@st.composite
def lines(draw: st.DrawFn) -> list[noun.NewEntry]:
    """Make lines, mostly one amount from side to side."""
    amount, currency = draw(AMOUNTS), draw(st.sampled_from(["USD", "JPY", "usd", "XXX", "", "US"]))
    sides = draw(st.sampled_from([(1, 2), (2, 1), (1, 1), (0, 1), (1, 7), (1,), (1, 2) * 33, ()]))
    return [
        noun.NewEntry(account_id=draw(NAMES), side=side, amount=amount, currency=currency)
        for side in sides
    ]


@st.composite
def postings(draw: st.DrawFn) -> wire.Posting:
    """Make a posting that may break any rule."""
    made = wire.Posting(
        reference=draw(NAMES),
        entries=draw(lines()),
        description=draw(ROUGH_TEXT),
        subject_id=draw(ROUGH_TEXT),
        effective_at=draw(TIMES),
        expires_at=draw(TIMES),
        pending=draw(st.booleans()),
        linked=draw(st.booleans()),
    )
    if draw(st.integers(0, 9)) == 0:
        made.template.SetInParent()
    return made


def usual(number: int = 0) -> wire.Posting:
    """Make a posting as most are."""
    return wire.Posting(
        reference=f"charge:{number}:captured",
        entries=[
            noun.NewEntry(account_id="a:1", side=noun.SIDE_DEBIT, amount="10.99", currency="USD"),
            noun.NewEntry(account_id="b:2", side=noun.SIDE_CREDIT, amount="10.99", currency="USD"),
        ],
        description="Captured",
        subject_id="pay_1",
    )


@given(st.lists(st.one_of(postings(), st.builds(usual)), max_size=4))
def test_a_glance_passes_what_the_rules_pass(asked: list[wire.Posting]) -> None:
    """Whatever is read at a glance, the validator has nothing against, and reads alike."""
    request = Request(postings=asked)

    read = glance.to_postings(request)

    if read is not None:
        validate(request)
        assert read == [messages.to_posting(one, place) for place, one in enumerate(asked)]


@given(NAMES, NAMES, ROUGH_TEXT, ROUGH_TEXT)
def test_a_glance_passes_nothing_else(
    reference: str, account_id: str, description: str, subject_id: str
) -> None:
    """With each text by itself, where nothing else is wrong, glance and rules agree."""
    posting = usual()
    posting.reference, posting.entries[0].account_id = reference, account_id
    posting.description, posting.subject_id = description, subject_id
    request = Request(postings=[posting, usual()])

    try:
        validate(request)
        messages.to_posting(posting, 0)
    except InvalidRequest:
        assert glance.to_postings(request) is None
    else:
        assert glance.to_postings(request) is not None


def test_most_requests_are_read_at_a_glance() -> None:
    """A full batch, with times, pendings and links, needs no second look."""
    asked = [usual(number) for number in range(1000)]
    asked[0].linked = True
    asked[1].pending = True
    asked[1].expires_at.seconds = asked[2].effective_at.seconds = 2_000_000_000

    read = glance.to_postings(Request(postings=asked))

    assert read is not None
    assert [one.reference for one in read] == [one.reference for one in asked]


SPOILT: dict[str, Spoil] = {
    "postings[1].reference": lambda p: setattr(p, "reference", "a" * 201),
    "postings[1].entries": lambda p: p.entries.extend(list(p.entries) * 32),
    "postings[1].entries[0].account_id": lambda p: setattr(p.entries[0], "account_id", "a\nb"),
    "postings[1].entries[0].side": lambda p: setattr(p.entries[0], "side", 3),
    "postings[1].entries[1].amount": lambda p: setattr(p.entries[1], "amount", ""),
    "postings[1].entries[1].currency": lambda p: setattr(p.entries[1], "currency", "usd"),
    "postings[1].description": lambda p: setattr(p, "description", CARD),
    "postings[1].subject_id": lambda p: setattr(p, "subject_id", "a" * 65),
    "postings[1].linked": lambda p: setattr(p, "linked", True),
}


@pytest.mark.parametrize("path", SPOILT)
async def test_what_is_wrong_is_named(path: str) -> None:
    """One posting that breaks a rule among others: the request is refused, and the field named."""
    request = Request(postings=[usual(0), usual(1)])
    SPOILT[path](request.postings[1])
    writer: object = None  # is not reached

    with pytest.raises(InvalidRequest) as caught:
        await LedgerServicer(writer, writer, writer).PostTransactions(request, None)  # type: ignore[arg-type]

    assert [violation.field for violation in caught.value.violations] == [path]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_a_size(count: int) -> None:
    """No posting, or too many, are not read."""
    assert glance.to_postings(Request(postings=map(usual, range(count)))) is None
