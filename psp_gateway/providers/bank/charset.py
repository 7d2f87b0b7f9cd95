"""The characters that every bank of SEPA takes, and how the others are written with them.

European Payments Council, EPC217-08, "SEPA Requirements for an Extended Character Set": letters
lose their marks, Greek is written in Latin, signs have one that stands for them.
"""

import re
import unicodedata
from collections.abc import Mapping

_TAKEN = re.compile(r"[A-Za-z0-9/?:().,'+ -]*", re.ASCII)

_SIGNS: Mapping[str, str] = {
    "&": "+", "!": ".", '"': ".", "#": ".", "$": ".", "%": ".", "*": ".", ";": ",", "<": ".",
    "=": ".", ">": ".", "@": ".", "[": "(", "\\": "/", "]": ")", "^": ".", "_": "-", "`": "'",
    "{": "(", "|": "/", "}": ")", "~": "-", "€": "E", "\u2018": "'", "\u2019": "'", "\u201c": "'",
    "\u201d": "'", "\u2013": "-", "\u2014": "-", "\u2044": "/",
}  # fmt: skip

# Letters that are no Latin letter with a mark, in small.
_LETTERS: Mapping[str, str] = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h",
    "ı": "i", "ŋ": "n", "ŧ": "t", "ĸ": "k",
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i",
    "κ": "k", "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s",
    "ς": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "у": "u", "ф": "f", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ъ": "a", "ь": "y",
    "ю": "yu", "я": "ya",
}  # fmt: skip


class Unwritable(ValueError):
    """The text has characters that cannot be written so; the message does not repeat it."""


def written(text: str) -> str:
    """Write a text with the characters that every bank takes; white space becomes single blanks.

    Raises:
        Unwritable: naming the first character that has no way to be written.
    """
    plain = "".join(_plain(sign) for sign in " ".join(text.split()))
    for sign in plain:
        if _TAKEN.fullmatch(sign) is None:
            raise Unwritable(f"U+{ord(sign):04X} cannot be written in SEPA's characters")
    return plain


def _plain(sign: str) -> str:
    if _TAKEN.fullmatch(sign):
        return sign
    parts = [
        part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part)
    ]
    return "".join(_letter(part) for part in parts)


def _letter(letter: str) -> str:
    plain = _LETTERS.get(letter.lower())
    if plain is None:
        return _SIGNS.get(letter, letter)
    return plain.capitalize() if letter.isupper() else plain
