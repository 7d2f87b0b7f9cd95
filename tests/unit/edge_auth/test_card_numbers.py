"""No card number passes, however it is written; what is none passes."""

import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import new_id
from edge_auth.domain.card_numbers import holds_card_number
from tests.builders import NOW

# Published test numbers of the networks.
PUBLISHED = [
    "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222",
    "378282246310005", "371449635398431", "6011111111111117", "30569309025904",
    "3566002020360505", "6200000000000005", "4222222222222", "6759649826438453",
]  # fmt: skip
PREFIXES = ["4", "51", "2221", "34", "6011", "36", "3528", "62", "6759"]
LENGTHS = {"34": 15, "36": 14}


def luhn_complete(body: str) -> str:
    """Add the digit that makes a number pass Luhn's check."""
    for digit in "0123456789":
        total = 0
        for place, char in enumerate(reversed(body + digit)):
            value = int(char) * (2 if place % 2 else 1)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return body + digit
    raise AssertionError("one of ten digits always fits")


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    """Make a number as some network would."""
    prefix = draw(st.sampled_from(PREFIXES))
    length = LENGTHS.get(prefix, 16)
    size = length - len(prefix) - 1
    return luhn_complete(prefix + draw(st.text("0123456789", min_size=size, max_size=size)))


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_test_numbers_are_found(number: str) -> None:
    """Each network's published test numbers are card numbers."""
    assert holds_card_number(number)


@given(
    number=card_numbers(),
    separator=st.sampled_from(["", " ", "-", ".", "/", "\u200b", " - ", "\u2013", "\u00a0"]),
)
def test_spacing_hides_nothing(number: str, separator: str) -> None:
    """Separators between groups of digits, visible or not, do not help."""
    groups = separator.join(number[i : i + 4] for i in range(0, len(number), 4))

    assert holds_card_number(f"card {groups} thanks")


@given(number=card_numbers(), base=st.sampled_from([0xFF10, 0x0660, 0x0966, 0x1D7CE]))
def test_digits_of_other_scripts_hide_nothing(number: str, base: int) -> None:
    """Full-width, Arabic, Devanagari and mathematical digits are digits."""
    assert holds_card_number("".join(chr(base + int(digit)) for digit in number))


def test_our_own_ids_pass() -> None:
    """An id of ours is not taken for a card number, whatever its chance digits are."""
    chance = random.Random(1)

    ids = [new_id("pay", NOW, chance.randbytes) for _ in range(20_000)]

    assert not [found for found in ids if holds_card_number(found)]


def test_uuids_pass() -> None:
    """A UUID is not taken for a card number, whatever its chance digits are."""
    chance = random.Random(3)

    ids = [str(UUID(bytes=chance.randbytes(16), version=4)) for _ in range(100_000)]

    assert not [found for found in ids if holds_card_number(found)]


@pytest.mark.parametrize("around", ["s7_{}", "seller_{}", "{}_v2", "order:{}"])
def test_uuids_inside_a_name_pass(around: str) -> None:
    """A UUID with a word and an underscore beside it is passed over as a bare one is."""
    chance = random.Random(4)

    ids = [around.format(UUID(bytes=chance.randbytes(16), version=4)) for _ in range(20_000)]

    assert not [found for found in ids if holds_card_number(found)]


def test_order_numbers_mostly_pass() -> None:
    """Among random 16-digit order numbers, few look like a card number of some network."""
    chance = random.Random(2)

    wrong = sum(holds_card_number(str(chance.randrange(10**15, 10**16))) for _ in range(10_000))

    assert wrong / 10_000 < 0.05


@pytest.mark.parametrize(
    "text", ["", "order_789", "2026-11-23T10:00:00.123456Z", "+49 170 1234567", "1234567890123",
             "DE89370400440532013000", "4242 4242 4242 4241", "9999999999999999"]
)  # fmt: skip
def test_what_is_none_passes(text: str) -> None:
    """Times, telephone numbers, account numbers and wrong check digits are no card numbers."""
    assert not holds_card_number(text)
