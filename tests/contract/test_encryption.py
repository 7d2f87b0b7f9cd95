"""Encryption at rest on real PostgreSQL: nothing in the plain, keys change, tampering is seen."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.data_keys import learn, rewrap, status
from chassis.database import Database
from chassis.encryption import LocalKeys, Undecipherable
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.payment import Buyer, Payment
from payment_svc.private import PRIVATE
from payment_svc.store import PostgresPaymentStore
from privacy.masked import Personal, Secret
from tests.builders import NOW, make_new_payment, make_payment
from tests.dead_letters import saga_store
from tests.servers import ServiceDatabase

K1 = f"k1 {base64.b64encode(bytes(range(32))).decode()}"
K2 = f"k2 {base64.b64encode(bytes(range(32, 64))).decode()}"
DEADLINE_S = 60
BUYER = Buyer("buyer_1", Personal("canary@example.com"), Personal("192.0.2.77"), "DE")
PAGE = CheckoutPage("https://shop.example/?canary=1", "https://shop.example/back", NOW)
CANARIES = ("canary@example.com", "192.0.2.77", "pm_canary", "canary=1", "cs_canary")


class Killed(Exception):
    """The end of a process."""


@asynccontextmanager
async def instance(
    database: ServiceDatabase, keys: LocalKeys | None = None, *, as_owner: bool = False
) -> AsyncIterator[Database]:
    """Open a database as one instance of the service does, or an operator."""
    url = database.owner_url if as_owner else database.app_url
    opened = Database(url, connections=4, keyring=database.keyring(keys))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


def private_payment() -> Payment:
    """Make a payment all of whose private fields hold canaries."""
    payment = make_payment()
    return replace(payment, buyer=BUYER, payment_token=Secret("pm_canary"), page=PAGE)


async def accepted(database: Database, payment: Payment | None = None) -> Payment:
    """Store a payment."""
    payment = payment or private_payment()
    await PostgresPaymentStore(database, utc_now).accept(make_new_payment(payment))
    return payment


async def in_the_plain(database: Database, payment: Payment) -> None:
    """Make a row what it was before there was encryption."""
    where = {"id": payment.payment_id}
    await database.read(
        "UPDATE payments SET buyer_email = 'canary@example.com', buyer_ip = '192.0.2.77',"
        " payment_token = 'pm_canary', buyer_email_encrypted = NULL, buyer_ip_encrypted = NULL,"
        " payment_token_encrypted = NULL, page_encrypted = NULL,"
        " page = jsonb_build_object('success_url', 'https://shop.example/?canary=1',"
        " 'cancel_url', 'https://shop.example/back', 'expires_at', '2026-01-15T10:30:00+00:00')"
        " WHERE payment_id = %(id)s RETURNING 1",
        where,
    )
    await database.read(
        "UPDATE orders SET redirect_url = 'https://psp.example/cs_canary',"
        " redirect_url_encrypted = NULL WHERE payment_id = %(id)s RETURNING 1",
        where,
    )


def raw(database: ServiceDatabase) -> str:
    """Read all rows of all tables, bytes as they are."""
    with psycopg.connect(database.owner_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        texts = [
            str(connection.execute(f'SELECT t::text FROM "{name}" AS t'.encode()).fetchall())
            for (name,) in tables.fetchall()
        ]
    return "".join(texts)


def seen(text: str) -> list[str]:
    """Tell which canaries are in a text, as they are or as the hex of bytes."""
    return [one for one in CANARIES if one in text or one.encode().hex() in text]


async def test_rows_hold_nothing_in_the_plain(payment_database: ServiceDatabase) -> None:
    """What is read back is whole, by this instance and by another."""
    async with instance(payment_database) as one, instance(payment_database) as two:
        payment = await accepted(one)

        found = await PostgresPaymentStore(two, utc_now).find(payment.payment_id)

    assert found == payment
    assert payment.payment_id in raw(payment_database)
    assert seen(raw(payment_database)) == []


async def test_rows_of_before_are_read_and_then_moved(payment_database: ServiceDatabase) -> None:
    """In the plain they are read as they stand; rewrap encrypts them, the old columns are empty."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(instance(payment_database))
        owner = await stack.enter_async_context(instance(payment_database, as_owner=True))
        payment = await accepted(app)
        await in_the_plain(app, payment)
        store, told = PostgresPaymentStore(app, utc_now), list[Mapping[str, Any]]()
        before = await store.find(payment.payment_id)
        plain = (await status(owner, PRIVATE))["plain"]

        await rewrap(owner, PRIVATE, told.append)
        after = await store.find(payment.payment_id)
        left = await status(owner, PRIVATE)

    assert before is not None
    assert before.buyer == payment.buyer
    assert before.redirect_url == "https://psp.example/cs_canary"
    assert after == before
    assert (plain, left["plain"], left["left"]) == (5, 0, 0)
    assert [step["changed"] for step in told] == [1] * 5
    assert seen(raw(payment_database)) == []


async def test_a_moved_ciphertext_is_refused_and_harms_nobody_else(
    payment_database: ServiceDatabase,
) -> None:
    """Of two payments whose e-mails are exchanged none is read, by client or worker; others are."""
    async with instance(payment_database) as database:
        one, two, other = [await accepted(database) for _ in range(3)]
        await database.read(
            "UPDATE payments AS p SET buyer_email_encrypted = q.buyer_email_encrypted"
            " FROM payments AS q WHERE p.payment_id = ANY(%(two)s) AND q.payment_id = ANY(%(two)s)"
            " AND p.payment_id <> q.payment_id RETURNING 1",
            {"two": [one.payment_id, two.payment_id]},
        )
        store = PostgresPaymentStore(database, utc_now)

        asked = [store.find_own("demo", payment.payment_id) for payment in (one, two, other)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        claimed = await saga_store(database).claim(10)
        sagas = await database.read("SELECT payment_id, queue, reason FROM sagas")

    assert [type(answer) for answer in answers] == [Undecipherable, Undecipherable, Payment]
    assert "payments.buyer_email_encrypted of pay_" in str(answers[0])
    assert [journey.payment.payment_id for journey in claimed] == [other.payment_id]
    dead = {s["payment_id"] for s in sagas if s["queue"] == "DEAD_LETTER"}
    assert dead == {one.payment_id, two.payment_id}


async def test_a_column_of_another_is_refused(payment_database: ServiceDatabase) -> None:
    """A token that is put where an address is shown is not shown."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(
            "UPDATE payments SET buyer_email_encrypted = payment_token_encrypted RETURNING 1"
        )

        with pytest.raises(Undecipherable, match="is tampered"):
            await PostgresPaymentStore(database, utc_now).find(payment.payment_id)


async def test_keys_change_while_everybody_writes(
    payment_database: ServiceDatabase, tmp_path: Path
) -> None:
    """Two instances go on; afterwards nothing is under the old keys, which may be thrown away."""
    file = tmp_path / "keys"
    file.write_text(K1)
    keys = LocalKeys(file.read_text)
    stop, written = asyncio.Event(), list[Payment]()

    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(instance(payment_database, keys)) for _ in range(2)]
        owner = await stack.enter_async_context(instance(payment_database, keys, as_owner=True))
        written += [await accepted(apps[0]) for _ in range(40)]
        writers = [asyncio.create_task(_write(app, written, stop)) for app in apps]
        async with asyncio.timeout(DEADLINE_S):
            for round_ in range(2):
                file.write_text(f"{K2}\n{K1}" if round_ == 0 else K2)
                if round_ == 0:
                    await learn(owner, rotates=True)
                await rewrap(owner, PRIVATE, lambda _: None, batch=7)
                await _until_more(written, writers)
            stop.set()
            await asyncio.gather(*writers)
            for app in apps:
                await learn(app)
            await rewrap(owner, PRIVATE, lambda _: None, batch=7)
            told = await status(owner, PRIVATE)

    assert told["left"] == 0
    assert [key["wrapped_by"] for key in told["data_keys"]] == ["k2", "k2"]
    with psycopg.connect(payment_database.owner_url) as connection:
        connection.execute("DELETE FROM data_keys WHERE number = 1")
    async with instance(payment_database, LocalKeys(lambda: K2)) as fresh:
        store = PostgresPaymentStore(fresh, utc_now)
        found = await asyncio.gather(*(store.find(payment.payment_id) for payment in written))
    assert found == written


async def _write(database: Database, written: list[Payment], stop: asyncio.Event) -> None:
    """Accept payments, and read some of all, until told to stop."""
    store = PostgresPaymentStore(database, utc_now)
    for number in itertools.count():
        if stop.is_set():
            return
        written.append(await accepted(database))
        known = written[number % len(written)]
        assert await store.find(known.payment_id) == known


async def _until_more(written: Sequence[Payment], writers: Sequence["asyncio.Task[None]"]) -> None:
    """Wait until the writers have written some more."""
    wanted = len(written) + 20
    while len(written) < wanted:
        assert not [task for task in writers if task.done()]
        await asyncio.sleep(0.01)


async def test_rewrap_may_be_killed_and_begun_again(payment_database: ServiceDatabase) -> None:
    """What is done stays done, what is not is read by its old key, and the second run ends it."""

    def dies(step: Mapping[str, Any]) -> None:
        if step["rows"] >= 4:
            raise Killed

    async with instance(payment_database, as_owner=True) as owner:
        payments = [await accepted(owner) for _ in range(9)]
        await learn(owner, rotates=True)
        with pytest.raises(Killed):
            await rewrap(owner, PRIVATE, dies, batch=2)
        half = await status(owner, PRIVATE)
        store = PostgresPaymentStore(owner, utc_now)
        found = await asyncio.gather(*(store.find(payment.payment_id) for payment in payments))
        await rewrap(owner, PRIVATE, lambda _: None, batch=2)
        whole = await status(owner, PRIVATE)

    assert [key["values"] for key in half["data_keys"]] == [4 * 9 - 4, 4]
    assert found == payments
    assert [key["values"] for key in whole["data_keys"]] == [0, 4 * 9]


async def test_an_instance_meets_a_key_of_another(payment_database: ServiceDatabase) -> None:
    """It learns it at that moment, and writes under it from then on."""
    async with instance(payment_database) as one, instance(payment_database) as two:
        await learn(one, rotates=True)
        payment = await accepted(one)

        found = await PostgresPaymentStore(two, utc_now).find(payment.payment_id)

        assert found == payment
        assert two.keyring.newest == one.keyring.newest == 2


async def test_instances_that_start_at_once_share_their_first_key(
    payment_database: ServiceDatabase,
) -> None:
    """One makes it, and all have it; after seven days it is renewed."""
    async with AsyncExitStack() as stack:
        opening = [stack.enter_async_context(instance(payment_database)) for _ in range(4)]
        databases = await asyncio.gather(*opening)
        payment = await accepted(databases[0])
        found = await PostgresPaymentStore(databases[3], utc_now).find(payment.payment_id)
        with psycopg.connect(payment_database.owner_url) as connection:
            connection.execute("UPDATE data_keys SET created_at = now() - interval '8 days'")
        await learn(databases[0])

        assert found == payment
        assert databases[0].keyring.newest == 2


async def test_the_service_may_not_change_data_keys(payment_database: ServiceDatabase) -> None:
    """Its role makes and reads them, no more."""
    async with instance(payment_database) as database:
        for statement in ("UPDATE data_keys SET number = 9", "DELETE FROM data_keys"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await database.read(f"{statement} RETURNING 1")


async def test_an_unknown_data_key_is_refused(payment_database: ServiceDatabase) -> None:
    """A ciphertext that names a key which nobody has made is no value."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(
            "UPDATE payments SET buyer_ip_encrypted = overlay(buyer_ip_encrypted"
            " placing '\\x01000003e7'::bytea from 1) RETURNING 1"
        )

        with pytest.raises(Undecipherable, match="unknown_key"):
            await PostgresPaymentStore(database, utc_now).find(payment.payment_id)
