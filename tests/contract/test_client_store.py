"""API clients at rest: what holds of PostgreSQL holds of the tests' fake."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from edge_auth.domain.credentials import Change, Client, Secret, StoredKey, make_key, make_secret
from edge_auth.domain.errors import (
    ClientNotFound,
    ClientRevoked,
    CredentialNotFound,
    RotationUnderWay,
)
from edge_auth.domain.scopes import Scope
from edge_auth.former_seals import FormerSeals
from edge_auth.ports import ClientStore
from edge_auth.store import PostgresClientStore
from tests.conftest import opened
from tests.known_clients import KnownClients
from tests.servers import ServiceDatabase

FORMER = FormerSeals.parse("")
NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def change(action: str = "CREATED", client_id: str = "demo", at: datetime = NOW) -> Change:
    """Write down a change."""
    return Change(client_id, at, "ada", action, "detail", "because")


def key_of(client_id: str = "demo") -> StoredKey:
    """Make a key."""
    _, key_id, secret_hash = make_key(os.urandom)
    return StoredKey(key_id, client_id, secret_hash)


async def added(store: ClientStore, client_id: str = "demo") -> tuple[StoredKey, Secret]:
    """Store a client."""
    client = Client(client_id, "Demo", NOW, (Scope.READ, Scope.PAYOUT), signing=True)
    key, secret = key_of(client_id), make_secret(os.urandom)
    assert await store.add(client, key, secret, change(client_id=client_id))
    return key, secret


@pytest.fixture(params=["postgres", "fake"])
async def store(
    request: pytest.FixtureRequest, edge_auth_database: ServiceDatabase
) -> AsyncIterator[ClientStore]:
    """Each kind of store."""
    if request.param == "fake":
        yield KnownClients()
        return
    async with opened(edge_auth_database) as database:
        yield PostgresClientStore(database, FORMER, uuid4)


async def test_caller_is_read_whole_by_its_key(store: ClientStore) -> None:
    """Scopes, signing, and the secret as it signs."""
    key, secret = await added(store)

    caller = await store.find_caller(key.key_id, NOW)

    assert caller is not None
    assert (caller.client.client_id, caller.client.signing) == ("demo", True)
    assert caller.client.scopes == (Scope.READ, Scope.PAYOUT)
    assert (caller.key, caller.secrets) == (key, (secret,))
    assert await store.find_caller("000000000000", NOW) is None


async def test_id_that_is_taken_changes_nothing(store: ClientStore) -> None:
    """The second one's key opens nothing."""
    await added(store)
    other = key_of()

    assert not await store.add(Client("demo", "", NOW), other, make_secret(os.urandom), change())
    assert await store.find_caller(other.key_id, NOW) is None


async def test_rotation_leaves_two_until_the_old_one_ends(store: ClientStore) -> None:
    """Both live, then the new one alone; a third is refused while two live."""
    key, secret = await added(store)
    fresh, signs = key_of(), make_secret(os.urandom)

    assert await store.rotate(fresh, LATER, change("ROTATED")) == LATER
    assert await store.rotate(signs, LATER, change("ROTATED")) == LATER
    with pytest.raises(RotationUnderWay):
        await store.rotate(key_of(), LATER, change("ROTATED"))

    old = await store.find_caller(key.key_id, NOW)
    assert old is not None
    assert old.key_expires_at == LATER
    values = {each.value: each.expires_at for each in old.secrets}
    assert values == {secret.value: LATER, signs.value: None}
    assert await store.find_caller(key.key_id, LATER) is None
    new = await store.find_caller(fresh.key_id, LATER)
    assert new is not None
    assert [each.value for each in new.secrets] == [signs.value]
    assert await store.rotate(key_of(), LATER, change("ROTATED", at=LATER)) == LATER


async def test_what_is_to_end_soon_is_given_no_longer_life(store: ClientStore) -> None:
    """A key that leaked ends within the hour it was given, though its successor is revoked and it
    is rotated once more with a longer overlap; what is told is when it ends.
    """
    leaked, secret = await added(store)
    first, first_signs = key_of(), make_secret(os.urandom)
    for fresh in (first, first_signs):
        assert await store.rotate(fresh, LATER, change("ROTATED")) == LATER
    for credential_id in (first.key_id, first_signs.secret_id):
        await store.revoke(credential_id, change("REVOKED"))
    much_later, signs = LATER + timedelta(days=1), make_secret(os.urandom)

    assert await store.rotate(key_of(), much_later, change("ROTATED")) == LATER
    assert await store.rotate(signs, much_later, change("ROTATED")) == LATER

    old = await store.find_caller(leaked.key_id, NOW)
    assert old is not None
    assert old.key_expires_at == LATER
    assert {one.value: one.expires_at for one in old.secrets} == {
        secret.value: LATER,
        signs.value: None,
    }
    assert await store.find_caller(leaked.key_id, LATER) is None


async def test_revoked_credential_is_dead_alone(store: ClientStore) -> None:
    """The other key goes on; the same word again changes nothing."""
    key, secret = await added(store)
    fresh = key_of()
    await store.rotate(fresh, LATER, change("ROTATED"))

    for credential_id in (key.key_id, secret.secret_id, key.key_id):
        await store.revoke(credential_id, change("REVOKED"))

    assert await store.find_caller(key.key_id, NOW) is None
    caller = await store.find_caller(fresh.key_id, NOW)
    assert caller is not None
    assert caller.secrets == ()
    details = await store.find("demo")
    assert details is not None
    assert [one.action for one in details.changes].count("REVOKED") == 2


async def test_revoked_client_is_dead_for_good(store: ClientStore) -> None:
    """No key of it opens, and no new one is made."""
    key, _ = await added(store)

    first = await store.revoke("", change("REVOKED"))
    again = await store.revoke("", change("REVOKED", at=LATER))

    assert first.revoked_at == again.revoked_at == NOW
    assert await store.find_caller(key.key_id, NOW) is None
    with pytest.raises(ClientRevoked):
        await store.rotate(key_of(), LATER, change("ROTATED"))


async def test_what_is_not_there_is_told(store: ClientStore) -> None:
    """A client, a credential, another client's credential."""
    await added(store)
    other, _ = await added(store, "other")

    assert await store.find("nobody") is None
    for act in (
        store.revoke("", change(client_id="nobody")),
        store.rotate(key_of("nobody"), LATER, change(client_id="nobody")),
        store.set_limit(1, 1, change(client_id="nobody")),
    ):
        with pytest.raises(ClientNotFound):
            await act
    for credential_id in ("000000000000", other.key_id):
        with pytest.raises(CredentialNotFound):
            await store.revoke(credential_id, change("REVOKED"))


async def test_limits_are_set_and_unset(store: ClientStore) -> None:
    """None is the default again; 0 is kept as it is."""
    key, _ = await added(store)

    limited = await store.set_limit(0, 7, change("LIMITED"))
    caller = await store.find_caller(key.key_id, NOW)
    unset = await store.set_limit(None, None, change("LIMITED"))

    assert caller is not None
    assert caller.client == limited
    assert (limited.requests_per_second, limited.burst) == (0, 7)
    assert (unset.requests_per_second, unset.burst) == (None, None)


async def test_list_goes_by_id(store: ClientStore) -> None:
    """Page by page, each client once."""
    for name in ("c", "a", "b"):
        await added(store, name)

    first = await store.list("", 2)
    rest = await store.list("b", 2)

    assert [client.client_id for client in [*first, *rest]] == ["a", "b", "c"]


async def test_details_tell_credentials_and_changes(store: ClientStore) -> None:
    """Who, what and why, the newest first; nothing of another client."""
    key, secret = await added(store)
    await added(store, "other")
    await store.set_limit(1, 1, change("LIMITED", at=LATER))

    details = await store.find("demo")

    assert details is not None
    ids = {credential.credential_id for credential in details.credentials}
    assert ids == {key.key_id, secret.secret_id}
    assert [one.action for one in details.changes] == ["LIMITED", "CREATED"]
    assert {(one.actor, one.reason) for one in details.changes} == {("ada", "because")}


async def test_of_many_rotations_at_once_one_wins(edge_auth_database: ServiceDatabase) -> None:
    """However many ask at the same time, there are two at most."""
    async with opened(edge_auth_database) as database:
        store = PostgresClientStore(database, FORMER, uuid4)
        await added(store)

        answers = await asyncio.gather(
            *(store.rotate(key_of(), LATER, change("ROTATED")) for _ in range(8)),
            return_exceptions=True,
        )

    assert answers.count(LATER) == 1
    assert sum(isinstance(answer, RotationUnderWay) for answer in answers) == 7


async def test_secret_is_stored_encrypted_and_in_its_own_row_alone(
    edge_auth_database: ServiceDatabase,
) -> None:
    """The database holds nothing that signs; what is moved to another row signs nothing."""
    async with opened(edge_auth_database) as database:
        store = PostgresClientStore(database, FORMER, uuid4)
        _, secret = await added(store)
        other_key, _ = await added(store, "other")
        with psycopg.connect(edge_auth_database.owner_url) as connection:
            rows = connection.execute("SELECT * FROM signing_secrets").fetchall()
            connection.execute(
                """UPDATE signing_secrets SET value_encrypted = (
                SELECT value_encrypted FROM signing_secrets WHERE client_id = 'demo')"""
            )
        moved = await store.find_caller(other_key.key_id, NOW)

    kept = [column for row in rows for column in row if isinstance(column, bytes)]
    assert len(kept) == 2
    assert secret.value.encode() not in b"".join(kept)
    assert secret.value not in str(rows)
    assert moved is not None
    assert moved.secrets == ()


def test_changes_can_only_be_added(edge_auth_database: ServiceDatabase) -> None:
    """The service's role may neither alter nor delete what was written down."""
    with psycopg.connect(edge_auth_database.app_url, autocommit=True) as connection:
        for statement in ("UPDATE client_changes SET reason = ''", "DELETE FROM client_changes"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]
