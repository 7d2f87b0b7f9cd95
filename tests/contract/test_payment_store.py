"""The payment store on real PostgreSQL: D3 to the letter, under concurrency."""

import asyncio

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from payment_svc.ports import Accepted, KeyReused, OrderIdInUse
from payment_svc.store import PostgresPaymentStore
from tests.builders import make_new_payment, make_order, make_payment
from tests.servers import ServiceDatabase


async def count(database: Database, table: str) -> int:
    """Count the rows of a table."""
    (row,) = await database.read(f"SELECT count(*) AS n FROM {table}")
    return int(row["n"])


async def test_accepted_payment_is_found_as_it_was(payment_db: Database) -> None:
    """What is read back equals what was stored."""
    store = PostgresPaymentStore(payment_db, utc_now)
    new = make_new_payment(make_payment(make_order("10.10"), make_order("0.01", seller="s2")))

    accepted = await store.accept(new)

    assert accepted == Accepted(new.payment.payment_id, new.answer, replayed=False)
    assert await store.find(new.payment.payment_id) == new.payment
    assert await store.find("pay_0") is None


async def test_a_payment_is_found_by_its_client_alone(payment_db: Database) -> None:
    """Asked for at once by its client, by another and for nothing, only its client gets it."""
    store = PostgresPaymentStore(payment_db, utc_now)
    payment = make_payment()
    await store.accept(make_new_payment(payment))
    own, id_ = payment.client_id, payment.payment_id

    found = await asyncio.gather(
        *(
            store.find_own(*pair)
            for pair in ((own, id_), ("other", id_), (own, "pay_0"), (own, id_))
        )
    )

    assert found == [payment, None, None, payment]


async def test_same_key_replays_the_first_answer(payment_db: Database) -> None:
    """A second payment under the same key with the same content is the first one."""
    store = PostgresPaymentStore(payment_db, utc_now)
    first = make_new_payment(key="k")
    again = make_new_payment(key="k")
    await store.accept(first)

    replay = await store.accept(again)

    assert replay == Accepted(first.payment.payment_id, first.answer, replayed=True)
    assert await count(payment_db, "payments") == 1


async def test_same_key_with_other_content_names_the_fields(payment_db: Database) -> None:
    """A key belongs to one request."""
    store = PostgresPaymentStore(payment_db, utc_now)
    await store.accept(make_new_payment(key="k", fingerprint="a"))

    refused = await store.accept(make_new_payment(key="k", fingerprint="b"))

    assert refused == KeyReused(("checkout_id",))
    assert await count(payment_db, "payments") == 1


async def test_keys_belong_to_their_client(payment_db: Database) -> None:
    """Two clients may use the same key, and see nothing of each other."""
    store = PostgresPaymentStore(payment_db, utc_now)
    mine = make_new_payment(make_payment(client_id="a"), key="k", fingerprint="x")
    yours = make_new_payment(make_payment(client_id="b"), key="k", fingerprint="y")

    answers = [await store.accept(mine), await store.accept(yours)]

    assert all(isinstance(a, Accepted) and not a.replayed for a in answers)


async def test_order_id_in_use_is_refused_and_consumes_no_key(payment_db: Database) -> None:
    """The order id of a payment under way is taken; the refused key stays fresh."""
    store = PostgresPaymentStore(payment_db, utc_now)
    order = make_order()
    await store.accept(make_new_payment(make_payment(order)))
    clash = make_new_payment(make_payment(order, client_id="demo"), key="k2")

    refused = await store.accept(clash)
    later = await store.accept(make_new_payment(key="k2"))

    assert refused == OrderIdInUse((order.payment_order_id,))
    assert isinstance(later, Accepted)
    assert not later.replayed


async def test_key_used_at_once_by_many_makes_one_payment(
    payment_database: ServiceDatabase,
) -> None:
    """Two instances, forty calls, one key: one payment, all answered with it."""
    databases = [
        Database(payment_database.app_url, keyring=payment_database.keyring()) for _ in range(2)
    ]
    for database in databases:
        await database.open()
    stores = [PostgresPaymentStore(database, utc_now) for database in databases]

    answers = await asyncio.gather(
        *(stores[i % 2].accept(make_new_payment(key="k")) for i in range(40))
    )

    assert len({a.payment_id for a in answers if isinstance(a, Accepted)}) == 1
    assert sum(isinstance(a, Accepted) and not a.replayed for a in answers) == 1
    assert await count(databases[0], "payments") == 1
    for database in databases:
        await database.close()


async def test_order_id_used_at_once_by_many_is_taken_once(
    payment_database: ServiceDatabase,
) -> None:
    """Two instances race for one payment_order_id under different keys: one wins."""
    databases = [
        Database(payment_database.app_url, keyring=payment_database.keyring()) for _ in range(2)
    ]
    for database in databases:
        await database.open()
    stores = [PostgresPaymentStore(database, utc_now) for database in databases]
    order = make_order()

    def new() -> object:
        fresh = make_order()
        mine = type(order)(fresh.order_id, order.payment_order_id, "s", fresh.amount)
        return make_new_payment(make_payment(mine))

    answers = await asyncio.gather(*(stores[i % 2].accept(new()) for i in range(20)))  # type: ignore[arg-type]

    assert sum(isinstance(a, Accepted) for a in answers) == 1
    assert await count(databases[0], "orders") == 1
    for database in databases:
        await database.close()


async def test_one_poisonous_payment_leaves_its_neighbours_alone(payment_db: Database) -> None:
    """A row that the database refuses fails alone; the batch is bisected around it."""
    store = PostgresPaymentStore(payment_db, utc_now)
    poison = make_payment()
    poison = type(poison)(
        **{name: getattr(poison, name) for name in poison.__dataclass_fields__}
        | {"checkout_id": "nul\x00byte"}
    )
    good = [make_new_payment() for _ in range(9)]

    results = await asyncio.gather(
        *(store.accept(new) for new in [*good[:5], make_new_payment(poison), *good[5:]]),
        return_exceptions=True,
    )

    assert sum(isinstance(r, Accepted) for r in results) == 9
    assert sum(isinstance(r, psycopg.Error) for r in results) == 1


@pytest.mark.parametrize("table", ["saga_steps", "status_history", "idempotency_records"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_what_is_written_for_ever_cannot_be_changed(
    payment_database: ServiceDatabase, table: str, statement: str
) -> None:
    """The service's role may neither change nor delete journal, history and keys."""
    column = {"saga_steps": "detail", "status_history": "reason", "idempotency_records": "answer"}
    query = statement.format(table, column[table], column[table])

    with (
        psycopg.connect(payment_database.app_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(query)  # type: ignore[arg-type]
