"""Finds card numbers in text, however they are spaced or spelt: none may enter the system.

A number counts when 13 to 19 digits in a row pass Luhn's check (ISO/IEC 7812-1) and begin as a card
network's numbers do.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from urllib.parse import unquote_plus

# What is neither letter nor digit may stand between the digits of a card number: spaces, dashes,
# dots, brackets, the invisible, the marks that make a digit a keycap.
_SEPARATORS = re.compile(r"[\W_]+")
_GROUPED = re.compile(r"[0-9]+(?:[\W_]+[0-9]+)*")
_DIGITS = "0123456789"
# ASCII, nothing escaped, twelve digits at most.
_HARMLESS_AT_A_GLANCE = re.compile(r"[ -$'-/:-~]*(?:[0-9][ -$'-/:-~]*){0,12}")
_HARMLESS_LINES = re.compile(r"(?:[ -$'-/:-~]*+(?:[0-9][ -$'-/:-~]*+){0,12}+\n)*+")
_DIGITS_MIN, _USUAL_DIGITS, _DIGITS_MAX = 13, 16, 19
_UNWRAPPED_TIMES = 3  # escaped once, twice, and once more by somebody careful
# What is full of digits and is no card number, by its form; each becomes a letter, so that what is
# left on its two sides does not grow together.
_HARMLESS = (
    # Our own ids: a prefix and 26 digits of base 32, of which the first is 0 for a thousand years.
    # An event is named after what it is about.
    re.compile(r"(?<![0-9a-z])(?:evt_)?[a-z]{3}_0[0-9a-hjkmnp-tv-z]{25}(?:[a-z]\d+)*(?![0-9a-z])"),
    # Bare ULIDs of this century.
    re.compile(
        r"(?<![0-9a-z])(?=[0-9]*[a-z])0[0-3][0-9a-hjkmnp-tv-z]{24}(?![0-9a-z])", re.IGNORECASE
    ),
    # UUIDs. People put a word and an underscore before one, which `\b` would not see.
    re.compile(
        r"(?<![0-9a-z])(?=[0-9a-f-]*[a-f])[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}"
        r"-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9a-z])",
        re.IGNORECASE,
    ),
    # Digests in hex: MD5 and UUIDs without dashes, SHA-1, SHA-256.
    re.compile(
        r"(?<![0-9a-z])(?=(?:[0-9]*[a-f]){4})"
        r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-z])",
        re.IGNORECASE,
    ),
    # Moments of this century (RFC 3339), to the nanosecond.
    re.compile(r"(?<!\d)20\d\d-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,9})?(?!\d)"),
)
_IBAN = re.compile(r"(?<![0-9A-Z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?![0-9A-Z])")
_NETWORKS = re.compile(
    r"""
      4\d{12}(?:\d{3}){0,2}                                     # Visa, Elo: 13, 16, 19
    | 5[1-5]\d{14}                                              # Mastercard
    | 2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}         # Mastercard, 2-series
    | 220[0-5]\d{12,15}                                         # Mir, Borica
    | 3[47]\d{13}                                               # American Express
    | 6(?:011|5\d\d|4[4-9]\d)\d{12,15}                          # Discover, RuPay, Troy, Elo
    | 3(?:0[0-59]|[689]\d)\d{11,16}                             # Diners Club, Hipercard
    | 35(?:2[89]|[3-8]\d)\d{12,15}                              # JCB, RuPay
    | 62\d{14,17}                                               # UnionPay
    | 8[12]\d{14,17}                                            # UnionPay, RuPay
    | (?:50|5[6-9]|6[0379])\d{11,17}                            # Maestro, RuPay, Elo, Verve
    | (?:9792|9860|8600)\d{12}                                  # Troy, Humo, UzCard
    | 9704\d{12}(?:\d{3})?                                      # Napas
    """,
    re.VERBOSE | re.ASCII,
)


def holds_card_number(text: str) -> bool:
    """Tell whether a text holds a card number.

    Digits of any script and full-width forms count, in one piece or in groups, escaped for a URL or
    for HTML too. What has the form of an id of ours, a UUID, a digest, a moment or a valid IBAN is
    passed over: its digits are chance.
    """
    if _HARMLESS_AT_A_GLANCE.fullmatch(text):  # most texts
        return False
    return any(map(_shows_card_number, _unwrapped(text)))


def hold_no_card_number(texts: Sequence[str]) -> bool:
    """Tell whether none of many texts holds a card number: all at once, where all are harmless at a
    glance, for a tenth of what one by one would cost.
    """
    lines = "\n".join(texts) + "\n"
    if lines.count("\n") == len(texts) and _HARMLESS_LINES.fullmatch(lines):
        return True
    return not any(map(holds_card_number, set(texts)))


def _unwrapped(text: str) -> Iterator[str]:
    """Tell a text as it is, and as it is without one layer of escapes after the other."""
    yield text
    for _ in range(_UNWRAPPED_TIMES):
        if "%" not in text and "&" not in text:
            return
        text, wrapped = html.unescape(unquote_plus(text)), text
        if text == wrapped:
            return
        yield text


def _shows_card_number(text: str) -> bool:
    # The usual case, cheaply. Some characters are more than one digit.
    if text.isascii() and sum(map(text.count, _DIGITS)) < _DIGITS_MIN:
        return False
    plain = _ascii_digits(text)
    if sum(map(plain.count, _DIGITS)) < _DIGITS_MIN:
        return False
    for form in _HARMLESS:
        plain = form.sub("x", plain)
    plain = _IBAN.sub(lambda found: "x" if _is_iban(found[0]) else found[0], plain)
    return any(_in_groups(_SEPARATORS.split(run)) for run in _GROUPED.findall(plain))


def _ascii_digits(text: str) -> str:
    """Fold every script's digits to 0-9."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in folded)


def _is_iban(text: str) -> bool:
    """Check an IBAN's two digits (ISO 13616)."""
    compact = text.replace(" ", "")
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _in_groups(groups: list[str]) -> bool:
    """Look at every sequence of neighbouring groups, and inside a group longer than a card."""
    digits = "".join(groups)
    bounds = list(accumulate(map(len, groups), initial=0))
    ends = set(bounds)
    sequences = (
        (start, start + size)
        for start in bounds
        for size in range(_DIGITS_MIN, _DIGITS_MAX + 1)
        if start + size in ends
    )
    inside = (
        (start, start + size)
        for begin, end in pairwise(bounds)
        if end - begin > _USUAL_DIGITS
        for size in range(_USUAL_DIGITS - 2, _USUAL_DIGITS + 1)
        for start in range(begin, end - size + 1)
    )
    passes = _luhn(digits)
    return any(
        passes(start, end) and _NETWORKS.fullmatch(digits, start, end) is not None
        for start, end in chain(sequences, inside)
    )


def _luhn(digits: str) -> Callable[[int, int], bool]:
    """Make Luhn's check of any piece of the digits, each in the same short time."""
    plain = list(map(int, digits))
    doubled = [2 * digit - 9 if digit > 4 else 2 * digit for digit in plain]
    sums = []
    for parity in (0, 1):  # every second digit is doubled; which, the end of the piece says
        mixed = [doubled[at] if at % 2 == parity else plain[at] for at in range(len(plain))]
        sums.append(list(accumulate(mixed, initial=0)))
    return lambda start, end: (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0
