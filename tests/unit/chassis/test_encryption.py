"""Values are read where they were written, and nowhere else; keys that are none are refused."""

import asyncio
import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from chassis.encryption import DataKeyUnknown, Keyring, LocalKeys, PrivateColumn, Undecipherable
from chassis.settings import Environment, SettingsError
from chassis.telemetry import REGISTRY

EMAIL = PrivateColumn("people", "id", "email_encrypted", "email", "email = NULL")
PHONE = PrivateColumn("people", "id", "phone_encrypted", "phone", "phone = NULL")
OTHERS = PrivateColumn("others", "id", "email_encrypted", "email", "email = NULL")
CANARY = "canary@example.com"


def line(name: str, byte: int) -> str:
    """Write a line of a keys file."""
    return f"{name} {base64.b64encode(bytes([byte] * 32)).decode()}"


def ring(service: str = "a_svc", numbers: tuple[int, ...] = (1,)) -> Keyring:
    """Make a keyring that has learned some data keys."""
    keyring = Keyring(service, LocalKeys(lambda: line("k1", 1)))
    for number in numbers:
        keyring.learn(number, bytes([number] * 32))
    return keyring


def refused(place: str, why: str, registry: CollectorRegistry = REGISTRY) -> float:
    """Tell how many ciphertexts were refused."""
    labels = {"place": place, "why": why}
    return registry.get_sample_value("paymesh_undecipherable_total", labels) or 0.0


@given(st.text() | st.binary())
def test_what_is_encrypted_is_read_back(value: str | bytes) -> None:
    """Whatever it is; the ciphertext tells its data key, and not what it holds."""
    keyring = ring(numbers=(1, 7))
    plain = value.encode() if isinstance(value, str) else value

    kept = keyring.encrypt(EMAIL, "r1", value)

    assert kept is not None
    assert keyring.decrypt(EMAIL, "r1", kept) == plain
    assert kept[:5] == b"\x01\x00\x00\x00\x07"
    assert len(kept) == 5 + 12 + len(plain) + 16
    assert len(plain) < 8 or plain not in kept


def test_nothing_stays_nothing_and_the_old_is_read_as_it_stood() -> None:
    """Null is no ciphertext; a row of before encryption holds its value in the plain."""
    keyring = ring()

    assert keyring.encrypt(EMAIL, "r1", None) is None
    assert keyring.decrypt(EMAIL, "r1", None) is None
    assert keyring.text(EMAIL, "r1", None, "old") == "old"
    assert keyring.text(EMAIL, "r1", keyring.encrypt(EMAIL, "r1", ""), "old") == ""


def test_no_two_ciphertexts_of_a_value_are_the_same() -> None:
    """The nonce is new each time."""
    keyring = ring()

    assert len({keyring.encrypt(EMAIL, "r1", CANARY) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("where", "row", "service"),
    [(EMAIL, "r2", "a_svc"), (PHONE, "r1", "a_svc"), (OTHERS, "r1", "a_svc"), (EMAIL, "r1", "b")],
    ids=["row", "column", "table", "service"],
)
def test_a_ciphertext_is_read_in_its_place_alone(
    where: PrivateColumn, row: str, service: str
) -> None:
    """Moved anywhere else it is refused, told and counted; nothing of it is shown."""
    kept = ring().encrypt(EMAIL, "r1", CANARY)
    place = f"{where.table}.{where.column}"
    before = refused(place, "tampered")

    with pytest.raises(Undecipherable, match=f"{place} of {row} is tampered") as raised:
        ring(service).decrypt(where, row, kept)

    assert CANARY not in repr(raised.value)
    assert refused(place, "tampered") == before + 1


def test_every_changed_byte_is_refused() -> None:
    """Header, nonce, value and tag alike; and whatever is too short."""
    keyring = ring(numbers=(1, 2))
    kept = keyring.encrypt(EMAIL, "r1", CANARY) or b""

    for place in range(len(kept)):
        changed = bytearray(kept)
        changed[place] ^= 1
        # In the header it names another data key, which is asked for once before it is refused.
        with pytest.raises((Undecipherable, DataKeyUnknown)):
            keyring.decrypt(EMAIL, "r1", bytes(changed))
        with pytest.raises(Undecipherable):
            keyring.decrypt(EMAIL, "r1", bytes(changed))
    for length in range(len(kept)):
        with pytest.raises(Undecipherable):
            keyring.decrypt(EMAIL, "r1", kept[:length])


def test_a_data_key_that_comes_later_is_asked_for() -> None:
    """Another instance has made it: unknown at first, read once it is learned."""
    kept, late = ring(numbers=(1, 2)).encrypt(EMAIL, "r1", CANARY), ring()

    with pytest.raises(DataKeyUnknown, match="data key 2 was not learned"):
        late.decrypt(EMAIL, "r1", kept)
    late.learn(2, bytes([2] * 32))

    assert late.text(EMAIL, "r1", kept, None) == CANARY


def test_nobody_encrypts_without_a_data_key() -> None:
    """Rather no row than one in the plain."""
    with pytest.raises(DataKeyUnknown):
        ring(numbers=()).encrypt(EMAIL, "r1", CANARY)


def test_local_keys_wrap_by_the_newest_and_unwrap_by_all(tmp_path: Path) -> None:
    """The first line wraps; a file that changes is read again; a key that is gone is named."""
    file = tmp_path / "keys"
    file.write_text(line("k1", 1) + "\n")
    keys = LocalKeys(file.read_text)
    name, wrapped = asyncio.run(keys.wrap(b"data key", "purpose"))
    file.write_text(f"{line('k2', 2)}\n{line('k1', 1)}\n")

    assert name == "k1"
    assert asyncio.run(keys.newest()) == "k2"
    assert asyncio.run(keys.unwrap("k1", wrapped, "purpose")) == b"data key"
    with pytest.raises(Undecipherable, match="wrapped other is not what 'k1' wrapped"):
        asyncio.run(keys.unwrap("k1", wrapped, "other"))
    with pytest.raises(Undecipherable, match="'k3' is not among those"):
        asyncio.run(keys.unwrap("k3", wrapped, "purpose"))


def test_production_refuses_to_start_without_keys() -> None:
    """And with the stand-in, which everybody knows."""
    stand_in = "development-only " + base64.b64encode(bytes(32)).decode()
    for values in ({}, {"PAYMESH_KEY": stand_in}):
        with pytest.raises(SettingsError, match="must be set in production"):
            LocalKeys.configured(Environment(values), is_production=True)

    given_ = Environment({"PAYMESH_KEY": f"{line('k2', 2)},{line('k1', 1)}"})
    assert asyncio.run(LocalKeys.configured(given_, is_production=True).newest()) == "k2"


@pytest.mark.parametrize(
    "text", ["", "k1", "k1 c2hvcnQ=", line("k1", 1)[3:], f"{line('k1', 1)},{line('k1', 2)}"]
)
def test_lines_that_are_no_keys_are_refused(text: str) -> None:
    """The message does not repeat them: one of them may be the key."""
    with pytest.raises(SettingsError, match="PAYMESH_KEYS_FILE") as raised:
        LocalKeys(lambda: text)

    assert "AQEB" not in str(raised.value)
