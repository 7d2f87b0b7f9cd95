"""A sealed value opens in its place with its key, and nowhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.sealing import Place, SealBroken, Sealer

OLD, NEW = "k1=" + "a" * 32, "k2=" + "b" * 32
PLACE = Place("signing_secrets", "sealed", "row1")


@given(value=st.text(max_size=100))
def test_value_comes_back_and_is_not_readable(value: str) -> None:
    """What was sealed is opened; twice sealed it looks different."""
    sealer = Sealer.parse(OLD)

    sealed = sealer.seal(value, PLACE)

    assert sealer.open(sealed, PLACE) == value
    assert sealed != sealer.seal(value, PLACE)
    assert len(value) < 4 or value.encode() not in sealed


@pytest.mark.parametrize("part", ["table", "column", "row"])
def test_moved_value_does_not_open(part: str) -> None:
    """Copied to another row, column or table it is as good as tampered with."""
    sealer = Sealer.parse(OLD)
    sealed = sealer.seal("secret", PLACE)

    with pytest.raises(SealBroken):
        sealer.open(sealed, replace(PLACE, **{part: "other"}))


def test_no_changed_byte_passes() -> None:
    """Each byte is held: key id, nonce, ciphertext, tag."""
    sealer = Sealer.parse(f"{OLD},k3={'c' * 32}")
    sealed = sealer.seal("secret", PLACE)

    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SealBroken):
            sealer.open(changed, PLACE)
    with pytest.raises(SealBroken):
        sealer.open(b"", PLACE)


def test_new_key_seals_while_the_old_one_still_opens() -> None:
    """The first key seals, each opens; a key that is gone opens nothing."""
    sealed = Sealer.parse(OLD).seal("secret", PLACE)
    both = Sealer.parse(f"{NEW},{OLD}")

    assert both.open(sealed, PLACE) == "secret"
    assert both.seal("secret", PLACE).startswith(b"k2\0")
    with pytest.raises(SealBroken):
        Sealer.parse(NEW).open(sealed, PLACE)


@pytest.mark.parametrize(
    "text", ["", "k1", "k1=short", "K1=" + "a" * 32, f"{OLD},{OLD}", "=" + "a" * 32]
)
def test_keys_that_are_none_are_refused(text: str) -> None:
    """The message repeats no key."""
    with pytest.raises(ValueError, match="key") as refused:
        Sealer.parse(text)

    assert "aaaa" not in str(refused.value)
