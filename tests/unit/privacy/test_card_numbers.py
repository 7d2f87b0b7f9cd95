"""No card number passes, however it is written; what is none passes."""

import random
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import new_id
from privacy.card_numbers import hold_no_card_number, holds_card_number
from tests.builders import NOW

# Published test numbers of the networks.
PUBLISHED = [
    "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222",
    "378282246310005", "371449635398431", "6011111111111117", "30569309025904",
    "3566002020360505", "6200000000000005", "4222222222222", "6759649826438453",
    "2200000000000004", "8171999927660000", "6362970000457013", "5019717010103742",
]  # fmt: skip
# Who issues today: Visa, Mastercard with its 2-series, American Express, Discover, Diners Club,
# JCB, UnionPay, Maestro, Mir, RuPay, Troy, Elo, Hipercard, Verve.
PREFIXES = [
    "4", "51", "55", "2221", "2720", "34", "37", "6011", "644", "649", "65", "300", "305", "3095",
    "36", "38", "39", "3528", "3589", "62", "81", "5018", "5020", "5038", "5893", "6304", "6759",
    "6761", "6799", "2200", "2204", "60", "82", "508", "353", "356", "9792", "401178", "438935",
    "506699", "509000", "627780", "636297", "650031", "606282", "506099",
]  # fmt: skip
LENGTHS = {"34": 15, "37": 15, "300": 14, "305": 14, "3095": 14, "36": 14, "38": 14, "39": 14}
VARIABLE = ["4", "62", "6759", "6011", "65", "3528", "2200"]  # up to 19 digits are issued


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


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_network_of_today_is_known(prefix: str) -> None:
    """A number of each network's ranges, of the length that it has, is found."""
    size = LENGTHS.get(prefix, 16)

    assert holds_card_number(luhn_complete(prefix.ljust(size - 1, "7")))


@pytest.mark.parametrize("prefix", VARIABLE)
def test_nineteen_digits_are_a_card_number(prefix: str) -> None:
    """Numbers longer than the usual ones are issued too."""
    assert holds_card_number(luhn_complete(prefix.ljust(18, "3")))


SEPARATORS = [
    "", " ", "-", ".", "/", " - ", ",", ";", "'", "*", "+", "|", "#", "\n", "\t", "\r\n", "\x00",
    "\u00a0", "\u00ad", "\u00b7", "\u180e", "\u2007", "\u200b", "\u200d", "\u2011", "\u2013",
    "\u2022", "\u202f", "\u2060", "\u2212", "\u3000", "\ufe0f\u20e3", "\ufeff", "\u0301", "__",
]  # fmt: skip


@given(number=card_numbers(), separator=st.sampled_from(SEPARATORS), every=st.integers(1, 8))
def test_spacing_hides_nothing(number: str, separator: str, every: int) -> None:
    """Separators between groups of digits, visible or not, do not help, wherever they stand."""
    groups = separator.join(number[i : i + every] for i in range(0, len(number), every))

    assert holds_card_number(f"card {groups} thanks")
    assert holds_card_number(groups)


@given(number=card_numbers(), data=st.data())
def test_mixed_separators_hide_nothing(number: str, data: st.DataObject) -> None:
    """A separator of another kind after each digit does not help."""
    spread = "".join(digit + data.draw(st.sampled_from(SEPARATORS)) for digit in number)

    assert holds_card_number(f"x{spread}y")


SCRIPTS = [0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0x1D7CE, 0x1D7F6, 0x1FBF0, 0x2080]


@given(number=card_numbers(), bases=st.lists(st.sampled_from(SCRIPTS), min_size=16, max_size=16))
def test_digits_of_other_scripts_hide_nothing(number: str, bases: list[int]) -> None:
    """Full-width, Arabic-Indic, Devanagari, mathematical and lowered digits count, mixed too."""
    spelt = "".join(chr(base + int(digit)) for digit, base in zip(number, bases, strict=False))

    assert holds_card_number(spelt)


@given(number=card_numbers(), times=st.integers(1, 3))
def test_escapes_of_urls_hide_nothing(number: str, times: int) -> None:
    """Inside a URL a number is found, escaped once or more often, spaces and all."""
    escaped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    for _ in range(times):
        escaped = quote("".join(f"%{ord(c):02X}" for c in escaped) if times == 1 else escaped)

    assert holds_card_number(f"https://shop.example/back?card={escaped}&x=1")


def test_escapes_of_html_hide_nothing() -> None:
    """Entities, by name and by number, stand for what they stand for."""
    assert holds_card_number("4242&nbsp;4242&nbsp;4242&nbsp;4242")
    assert holds_card_number("&#52;242424242424242")


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


def test_ulids_moments_digests_and_ibans_pass() -> None:
    """What is full of digits by its form passes, whatever the digits are."""
    chance = random.Random(5)
    base = datetime(2024, 1, 1, tzinfo=UTC)
    moments = [base + timedelta(microseconds=chance.randrange(10**15)) for _ in range(20_000)]
    texts = [moment.isoformat() for moment in moments]
    texts += [str(moment) for moment in moments]
    texts += [f"{moment:%Y-%m-%dT%H:%M:%S}.{chance.randrange(10**9):09}Z" for moment in moments]
    texts += [new_id("pay", moment, chance.randbytes)[4:].upper() for moment in moments]
    texts += [chance.randbytes(size).hex() for size in (16, 20, 32) for _ in range(10_000)]
    texts += [iban(chance) for _ in range(20_000)]

    assert not [found for found in texts if holds_card_number(found)]


def iban(chance: random.Random) -> str:
    """Make a German IBAN, as people write one."""
    account = f"{chance.randrange(10**18):018}"
    check = 98 - int(f"{account}131400") % 97
    plain = f"DE{check:02}{account}"
    return " ".join(plain[i : i + 4] for i in range(0, 22, 4))


def test_neighbours_of_an_id_are_seen() -> None:
    """What is passed over hides nothing that stands beside it."""
    number = "4242 4242 4242 4242"

    for form in (new_id("pay", NOW), str(UUID(int=2**127 + 10, version=4)), NOW.isoformat()):
        assert holds_card_number(f"{form} {number}")
        assert holds_card_number(f"{number} {form}")


def test_a_long_text_takes_no_time() -> None:
    """What looks like the beginning of a number everywhere is searched in one pass."""
    assert not holds_card_number("4 4 4 1 " * 8_000)


def test_order_numbers_mostly_pass() -> None:
    """Among random 16-digit order numbers, few look like a card number of some network."""
    chance = random.Random(2)

    wrong = sum(holds_card_number(str(chance.randrange(10**15, 10**16))) for _ in range(10_000))

    assert wrong / 10_000 < 0.05


@pytest.mark.parametrize(
    "text", ["", "GB82 WEST 1234 5698 7654 32", "0123456789abcdef" * 4,
             "order_789", "2026-11-23T10:00:00.123456Z", "+49 170 1234567", "1234567890123",
             "DE89370400440532013000", "4242 4242 4242 4241", "9999999999999999"]
)  # fmt: skip
def test_what_is_none_passes(text: str) -> None:
    """Times, telephone numbers, account numbers and wrong check digits are no card numbers."""
    assert not holds_card_number(text)


@given(st.lists(st.one_of(st.text(max_size=20), card_numbers(), st.text("04 \n", max_size=9))))
def test_many_texts_at_once_are_as_one_by_one(texts: list[str]) -> None:
    """Looking at all at once tells what looking at each does; no number is made of two texts."""
    assert hold_no_card_number(texts) == (not any(map(holds_card_number, texts)))
