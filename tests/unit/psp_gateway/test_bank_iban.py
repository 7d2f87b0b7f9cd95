"""IBANs and BICs: what is right, and each way to be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.providers.bank.iban import (
    LENGTHS,
    SEPA_COUNTRIES,
    InvalidBic,
    InvalidIban,
    is_sepa,
    read_bic,
    read_iban,
)

# The examples of the IBAN registry.
REGISTERED = [
    "AD12 0001 2030 2003 5910 0100",
    "BE68 5390 0754 7034",
    "CH93 0076 2011 6238 5295 7",
    "DE89 3704 0044 0532 0130 00",
    "FR14 2004 1010 0505 0001 3M02 606",
    "GB82 WEST 1234 5698 7654 32",
    "LC55 HEMM 0001 0001 0012 0012 0002 3015",
    "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    "NL91 ABNA 0417 1643 00",
    "NO93 8601 1117 947",
    "SA03 8000 0000 6080 1016 7519",
]


def made(country: str, account: str) -> str:
    """Make the IBAN of an account by ISO 13616: 98 less the remainder of it with 00."""
    digits = "".join(str(int(sign, 36)) for sign in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{account}"


@pytest.mark.parametrize("printed", REGISTERED)
def test_the_registrys_examples_are_right(printed: str) -> None:
    """An IBAN is read as it is printed, and answered without spaces."""
    assert read_iban(printed) == printed.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "two letters"),
        ("gb82WEST12345698765432", "two letters"),
        ("GB82WEST1234569876543é", "two letters"),
        ("GB82WEST1234569876543٢", "two letters"),  # a digit, and no ASCII
        ("GB82WEST12345698765432\n", "two letters"),
        ("US82WEST12345698765432", "US has no IBANs"),
        ("GB82WEST1234569876543", "22 characters, not 21"),
        ("GB83WEST12345698765432", "check digits"),
        ("GB82WEST12345698765423", "check digits"),
    ],
)
def test_what_is_no_iban_is_refused(text: str, why: str) -> None:
    """Each way to be wrong is named, and the text is not repeated."""
    with pytest.raises(InvalidIban, match=why) as refused:
        read_iban(text)

    assert text == "" or text not in str(refused.value)


@given(st.sampled_from(sorted(LENGTHS)), st.data())
def test_each_single_slip_is_found(country: str, data: st.DataObject) -> None:
    """A made IBAN is right; with one digit of the account changed it never is."""
    length = LENGTHS[country] - 4
    account = data.draw(st.text("0123456789", min_size=length, max_size=length))
    iban = made(country, account)
    place = data.draw(st.integers(min_value=4, max_value=len(iban) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != iban[place]))

    assert read_iban(iban) == iban
    with pytest.raises(InvalidIban, match="check digits"):
        read_iban(iban[:place] + other + iban[place + 1 :])


@pytest.mark.parametrize(("right", "wrong"), [("97", "00"), ("98", "01"), ("02", "99")])
def test_check_digits_that_are_never_made_are_refused(right: str, wrong: str) -> None:
    """00, 01 and 99 leave the remainder of 97, 98 and 02, and are no check digits."""
    accounts = (f"{number:018d}" for number in range(1000))
    iban = next(
        iban for iban in (made("DE", account) for account in accounts) if iban[2:4] == right
    )

    assert read_iban(iban)
    with pytest.raises(InvalidIban, match="check digits"):
        read_iban(f"DE{wrong}{iban[4:]}")


def test_sepa_has_ibans() -> None:
    """Each SEPA country is in the table of IBANs; SEPA reaches no others."""
    assert set(LENGTHS) >= SEPA_COUNTRIES
    assert is_sepa("DE75512108001245126199")  # pragma: allowlist secret
    assert not is_sepa("SA0380000000608010167519")  # pragma: allowlist secret


@pytest.mark.parametrize("text", ["DEUTDEFF", "DEUTDEFFXXX", "DABAIE2D", "BANKCHZHXXX"])
def test_a_bic_has_eight_or_eleven_characters(text: str) -> None:
    """A bank's, or a branch's."""
    assert read_bic(text) == text


@pytest.mark.parametrize("text", ["", "DEUTDEF", "DEUTDEFFX", "deutdeff", "DEUT12FF", "DEUTDEFF\n"])
def test_what_is_no_bic_is_refused(text: str) -> None:
    """Length, small letters, no country."""
    with pytest.raises(InvalidBic):
        read_bic(text)
