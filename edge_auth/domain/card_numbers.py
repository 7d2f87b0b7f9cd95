"""Finds card numbers in text, however they are spaced or spelt: none may enter the system.

A number counts when 13 to 19 digits in a row pass Luhn's check (ISO/IEC 7812-1) and begin as a card
network's numbers do.
"""

import re
import unicodedata

# What people put between the digits of a card number: spaces, dashes, dots, slashes, the invisible.
_SEPARATORS = re.compile("[\\s\\-\u2010-\u2015\u2212._/\\\\|,:\u200b-\u200f\u2060\ufeff]+")
_GROUPED = re.compile(rf"\d+(?:{_SEPARATORS.pattern}\d+)*", re.ASCII)
_DIGITS_MIN, _USUAL_DIGITS, _DIGITS_MAX = 13, 16, 19
# Our own ids: a prefix and 26 digits of base 32, where a run of digits may fall by chance. An event
# is named after what it is about.
_OWN_ID = re.compile(
    r"(?<![0-9a-z])(?:evt_)?[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}(?:[a-z]\d+)*(?![0-9a-z])"
)
# A random UUID has digits enough to look like a card number once in ten thousand times. People put
# a word and an underscore before one, which `\b` would take for the middle of a word.
_UUID = re.compile(
    r"(?<![0-9a-z])(?=[0-9a-f-]*[a-f])[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}"
    r"-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9a-z])",
    re.IGNORECASE,
)
_NETWORKS = re.compile(
    r"""
      4\d{12}(?:\d{3}){0,2}                                     # Visa: 13, 16, 19
    | 5[1-5]\d{14}                                              # Mastercard
    | 2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}         # Mastercard, 2-series
    | 3[47]\d{13}                                               # American Express
    | 6(?:011|5\d\d|4[4-9]\d)\d{12,15}                          # Discover
    | 3(?:0[0-5]|[689]\d)\d{11,16}                              # Diners Club
    | 35(?:2[89]|[3-8]\d)\d{12,15}                              # JCB
    | 62\d{14,17}                                               # UnionPay
    | (?:50|5[6-9]|6[0379])\d{11,17}                            # Maestro
    """,
    re.VERBOSE | re.ASCII,
)


def holds_card_number(text: str) -> bool:
    """Tell whether a text holds a card number.

    Digits of any script and full-width forms count, in one piece or in groups. Our own ids and
    UUIDs are passed over: their digits are chance.
    """
    if sum(character.isdigit() for character in text) < _DIGITS_MIN:  # the usual case, cheaply
        return False
    plain = _ascii_digits(_UUID.sub(" ", _OWN_ID.sub(" ", text)))
    return any(_in_groups(_SEPARATORS.split(run)) for run in _GROUPED.findall(plain))


def _ascii_digits(text: str) -> str:
    """Fold every script's digits to 0-9."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in folded)


def _in_groups(groups: list[str]) -> bool:
    """Look at every sequence of neighbouring groups, and inside a group longer than a card."""
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(digits) > _DIGITS_MAX:
                break
            if _is_card_number(digits):
                return True
    return any(_inside(group) for group in groups if len(group) > _USUAL_DIGITS)


def _inside(run: str) -> bool:
    lengths = range(_USUAL_DIGITS - 2, _USUAL_DIGITS + 1)
    windows = (run[at : at + size] for size in lengths for at in range(len(run) - size + 1))
    return any(map(_is_card_number, windows))


def _is_card_number(digits: str) -> bool:
    return _NETWORKS.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0
