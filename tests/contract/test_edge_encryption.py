"""Signing secrets rest encrypted as in the other services, former seals are read and moved, and
keys change while clients sign.
"""

import base64
import os
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.data_keys import learn, rewrap, status
from chassis.database import Database
from chassis.encryption import DataKeyMissing, LocalKeys, Undecipherable
from chassis.settings import SettingsError
from edge_auth.domain.credentials import StoredKey
from edge_auth.former_seals import FormerSeals
from edge_auth.private import PRIVATE, unsealing
from edge_auth.store import PostgresClientStore
from tests.conftest import opened
from tests.contract.test_client_store import NOW, added
from tests.servers import ServiceDatabase

KEY = "a" * 32
FORMER = FormerSeals.parse(f"k1={KEY}")
NOTHING = FormerSeals.parse("")
K1 = f"k1 {base64.b64encode(bytes(range(32))).decode()}"
K2 = f"k2 {base64.b64encode(bytes(range(32, 64))).decode()}"


def sealed(value: str, row: str, key_id: str = "k1") -> bytes:
    """Seal a value as edge_auth did before."""
    purpose = b"paymesh edge_auth sealing 1"
    key = HKDF(SHA256(), length=32, salt=None, info=purpose).derive(KEY.encode())
    nonce = os.urandom(12)
    place = f"1\n{key_id}\nsigning_secrets\nsealed\n{row}".encode()
    return key_id.encode() + b"\0" + nonce + AESGCM(key).encrypt(nonce, value.encode(), place)


async def sealed_before(stored: ServiceDatabase, key_id: str = "k1") -> tuple[StoredKey, str]:
    """Make a client whose secret stands as it did before; tell its key, and what it signs with."""
    async with opened(stored) as database:
        key, secret = await added(PostgresClientStore(database, FORMER, uuid4))
    with psycopg.connect(stored.owner_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE signing_secrets SET sealed = %s, value_encrypted = NULL",
            [sealed(secret.value, secret.secret_id, key_id)],
        )
    return key, secret.value


async def signing(database: Database, former: FormerSeals, key: StoredKey) -> list[str]:
    """Read what a client may sign with."""
    caller = await PostgresClientStore(database, former, uuid4).find_caller(key.key_id, NOW)
    assert caller is not None
    return [secret.value for secret in caller.secrets]


async def as_owner(stored: ServiceDatabase, keys: LocalKeys | None = None) -> Database:
    """Open it as `edge_auth.keys` does."""
    owner = Database(stored.owner_url, connections=2, keyring=stored.keyring(keys))
    await owner.open()
    return owner


async def test_former_seals_are_read_and_moved(edge_auth_database: ServiceDatabase) -> None:
    """Before `rewrap` by their own key, afterwards without; what is new is not sealed so."""
    key, value = await sealed_before(edge_auth_database)
    owner = await as_owner(edge_auth_database)
    async with opened(edge_auth_database) as app:
        before = (await signing(app, FORMER, key), (await status(owner, PRIVATE))["left"])
        await rewrap(owner, unsealing(FORMER), lambda _: None)
        after = (await signing(app, NOTHING, key), (await status(owner, PRIVATE))["left"])
        (row,) = await app.read("SELECT sealed, value_encrypted FROM signing_secrets")
    await owner.close()

    assert before == ([value], 1)
    assert after == ([value], 0)
    assert row["sealed"] is None
    assert value.encode() not in row["value_encrypted"]


@pytest.mark.parametrize(
    "damage",
    [
        "sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 255)",
        "secret_id = secret_id || 'x'",
        "sealed = '\\x00'",
        "sealed = ''",
    ],
    ids=["changed", "moved", "no key", "empty"],
)
async def test_a_former_seal_that_is_not_one_signs_nothing(
    edge_auth_database: ServiceDatabase, damage: LiteralString
) -> None:
    """Nor is it moved: it stands as it was, is counted as left, and its client's key goes on."""
    key, _ = await sealed_before(edge_auth_database)
    with psycopg.connect(edge_auth_database.owner_url, autocommit=True) as connection:
        connection.execute(f"UPDATE signing_secrets SET {damage}")
    owner = await as_owner(edge_auth_database)
    async with opened(edge_auth_database) as app:
        (before,) = await app.read("SELECT * FROM signing_secrets")
        await rewrap(owner, unsealing(FORMER), lambda _: None)
        found = await signing(app, FORMER, key)
        (after,) = await app.read("SELECT * FROM signing_secrets")
    left = (await status(owner, PRIVATE))["left"]
    await owner.close()

    assert (found, left) == ([], 1)
    assert after == before


async def test_a_former_key_that_was_not_told_is_missing(
    edge_auth_database: ServiceDatabase,
) -> None:
    """Its secrets sign nothing and are not moved until it is told."""
    key, value = await sealed_before(edge_auth_database)
    owner = await as_owner(edge_auth_database)
    async with opened(edge_auth_database) as app:
        await rewrap(owner, unsealing(NOTHING), lambda _: None)
        without = await signing(app, NOTHING, key)
        told = await signing(app, FORMER, key)
    await owner.close()

    assert (without, told) == ([], [value])


async def test_keys_change_while_clients_sign(
    edge_auth_database: ServiceDatabase, tmp_path: Path
) -> None:
    """A secret that one instance made under a new data key signs at the other at once; when nothing
    is under the old keys, they may be thrown away.
    """
    file = tmp_path / "keys"
    file.write_text(K1)
    keys = [LocalKeys(file.read_text) for _ in range(3)]
    one, two = (
        Database(edge_auth_database.app_url, keyring=edge_auth_database.keyring(each))
        for each in keys[:2]
    )
    await one.open()
    await two.open()
    owner = await as_owner(edge_auth_database, keys[2])
    old, secret = await added(PostgresClientStore(one, NOTHING, uuid4))
    file.write_text(f"{K2}\n{K1}")
    await learn(owner, rotates=True)
    await learn(one)
    new, fresh = await added(PostgresClientStore(one, NOTHING, uuid4), "other")

    assert await signing(two, NOTHING, new) == [fresh.value]
    assert await signing(two, NOTHING, old) == [secret.value]
    await rewrap(owner, PRIVATE, lambda _: None)
    file.write_text(K2)
    told = await status(owner, PRIVATE)
    assert told["left"] == 0
    assert {key["wrapped_by"] for key in told["data_keys"]} == {"k2"}
    for each in (one, two, owner):
        await each.close()
    late = Database(
        edge_auth_database.app_url, keyring=edge_auth_database.keyring(LocalKeys(file.read_text))
    )
    await late.open()
    assert await signing(late, NOTHING, old) == [secret.value]
    await late.close()


async def test_the_service_may_not_change_data_keys(edge_auth_database: ServiceDatabase) -> None:
    """Its role makes and reads them, no more; and a secret that is nowhere cannot be."""
    async with opened(edge_auth_database) as app:
        await added(PostgresClientStore(app, NOTHING, uuid4))
        for statement in ("UPDATE data_keys SET number = 9", "DELETE FROM data_keys"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await app.read(f"{statement} RETURNING 1")
        with pytest.raises(psycopg.errors.CheckViolation):
            await app.read("UPDATE signing_secrets SET value_encrypted = NULL RETURNING 1")


def test_a_seal_opens_in_its_row_alone() -> None:
    """No byte of it may change; another key opens nothing, and says that it is another."""
    seal = sealed("secret", "s1")

    assert FORMER.open("s1", seal) == b"secret"
    with pytest.raises(Undecipherable, match="of s2 is not what was sealed"):
        FORMER.open("s2", seal)
    for at in range(len(seal)):
        with pytest.raises(Undecipherable):
            FORMER.open("s1", seal[:at] + bytes([seal[at] ^ 1]) + seal[at + 1 :])
    with pytest.raises(DataKeyMissing, match="EDGE_AUTH_SEALING_KEYS"):
        FormerSeals.parse(f"k2={KEY}").open("s1", seal)


@pytest.mark.parametrize("text", ["k1", "k1=short", f"K1={KEY}", f"k1={KEY},k1={KEY}", f"={KEY}"])
def test_keys_that_are_none_are_refused(text: str) -> None:
    """The message repeats no key."""
    with pytest.raises(SettingsError, match="EDGE_AUTH_SEALING_KEYS") as refused:
        FormerSeals.parse(text)

    assert "aaaa" not in str(refused.value)
