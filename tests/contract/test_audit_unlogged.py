"""INV-15's half about the audit log: what is changed and not in it is named."""

import psycopg

from chassis.database import Database
from devstack.audit.databases import read_context
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.use_cases.retry_saga import retry_saga
from tests.builders import NOW
from tests.conftest import opened
from tests.dead_letters import ANN, POLICY, stuck
from tests.servers import ServiceDatabase


async def _retry(database: Database) -> str:
    dead = (await stuck(database)).progress
    store = PostgresOperatorStore(database)
    await retry_saga(
        dead.saga_id, dead.epoch, "gone", store=store, actor=ANN, policy=POLICY, now=NOW
    )
    return dead.saga_id


async def test_what_is_not_logged_is_named(payment_database: ServiceDatabase) -> None:
    """Nothing while every line is there; an action and a payment whose lines were taken away."""
    url = payment_database.owner_url
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("UPDATE audit_log SET at = '2000-01-01'")  # the tests' clock is behind
        async with opened(payment_database) as database:
            saga_id = await _retry(database)
        before = read_context(payment_database.app_url, "payment", lambda _: None)
        owner.execute("DELETE FROM audit_log WHERE sequence > 1")
        after = read_context(payment_database.app_url, "payment", lambda _: None)

    assert before["unlogged_payment"] == []
    assert {one.subject.split()[0] for one in after["unlogged_payment"]} == {"saga", "payment"}
    assert f"saga {saga_id}" in {one.subject for one in after["unlogged_payment"]}
