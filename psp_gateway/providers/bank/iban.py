"""IBANs (ISO 13616) and BICs (ISO 9362): what can be said of them without asking anybody."""

import re
from collections.abc import Mapping

# SWIFT, IBAN Registry, https://www.swift.com/standards/data-standards/iban: characters in all.
# The territories of a country (GG, GP, RE, …) have IBANs of the country.
LENGTHS: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip

# European Payments Council, EPC409-09, "EPC List of SEPA Scheme Countries".
SEPA_COUNTRIES = frozenset({
    "AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB",
    "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK",
    "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA",
})  # fmt: skip

_FORM = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]+", re.ASCII)
_BIC_FORM = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_CHECK_DIGITS_MIN, _CHECK_DIGITS_MAX = 2, 98  # what ISO 7064 MOD 97-10 makes


class InvalidIban(ValueError):
    """The text is no IBAN; the message says why, and never repeats it."""


class InvalidBic(ValueError):
    """The text is no BIC; the message says why, and never repeats it."""


def read_iban(text: str) -> str:
    """Read an IBAN, printed in groups of four or not; answer it without spaces.

    A right one need not exist.

    Raises:
        InvalidIban: its form, its country's length or its check digits are wrong.
    """
    iban = text.replace(" ", "")
    if _FORM.fullmatch(iban) is None:
        raise InvalidIban("an IBAN is two letters, two digits, then letters and digits")
    length = LENGTHS.get(iban[:2])
    if length is None:
        raise InvalidIban(f"{iban[:2]} has no IBANs")
    if len(iban) != length:
        raise InvalidIban(f"an IBAN of {iban[:2]} has {length} characters, not {len(iban)}")
    # 00, 01 and 99 leave the same remainder as 97, 98 and 02, and are never made.
    if not _CHECK_DIGITS_MIN <= int(iban[2:4]) <= _CHECK_DIGITS_MAX or _remainder(iban) != 1:
        raise InvalidIban("the check digits are wrong")
    return iban


def is_sepa(iban: str) -> bool:
    """Whether SEPA reaches the account of an IBAN that has been read."""
    return iban[:2] in SEPA_COUNTRIES


def read_bic(text: str) -> str:
    """Read a BIC of 8 or 11 characters.

    Raises:
        InvalidBic: its form is wrong.
    """
    if _BIC_FORM.fullmatch(text) is None:
        raise InvalidBic("a BIC is 4 letters or digits, 2 letters, then 2 or 5 letters or digits")
    return text


def _remainder(iban: str) -> int:
    """Divide by 97 with the first four behind and each letter as two digits: A is 10, Z is 35."""
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97
