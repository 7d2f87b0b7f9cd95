"""A payment whose row was altered: its saga is laid before a person once, by name, and goes on when
the row is mended. A data key that is missing is waited for; nobody is told what rests there.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis.clock import utc_now
from chassis.database import Database
from chassis.encryption import DataKeyMissing, Undecipherable
from chassis.telemetry import REGISTRY
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.sagas.quarantine import KEY_CLAIMS_MAX
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.retry_saga import retry_saga
from tests.builders import NOW
from tests.contract.test_encryption import CANARIES, accepted, instance
from tests.dead_letters import ANN, POLICY, saga_store
from tests.servers import ServiceDatabase

FLIP: LiteralString = (
    "UPDATE payments SET buyer_ip_encrypted = set_byte(buyer_ip_encrypted, 20,"
    " get_byte(buyer_ip_encrypted, 20) # 255) WHERE payment_id = %s RETURNING 1"
)
OTHER_KEY: LiteralString = (
    "UPDATE payments SET buyer_ip_encrypted = overlay(buyer_ip_encrypted"
    " placing %s::bytea from 1) WHERE payment_id = %s RETURNING 1"
)
MALFORMED: LiteralString = (
    "UPDATE payments SET buyer_ip_encrypted = '\\x01' WHERE payment_id = %s RETURNING 1"
)
UNKNOWN, FIRST = b"\x01\x00\x00\x03\xe7", b"\x01\x00\x00\x00\x01"
SAGA: LiteralString = "SELECT * FROM sagas WHERE payment_id = %s"


async def saga_of(database: Database, payment_id: str) -> Mapping[str, Any]:
    """Read the one saga of a payment."""
    (row,) = await database.read(SAGA, [payment_id])
    return row


async def test_a_tampered_payment_is_a_dead_letter_once(payment_database: ServiceDatabase) -> None:
    """One line in the journal, one event, one in the metric and the log; the others' work goes on;
    nobody takes it up again.
    """
    labels = {"saga": "pay_in", "step": "assess", "reason": "UNDECIPHERABLE"}
    before = REGISTRY.get_sample_value("paymesh_dead_letters_total", labels) or 0
    async with instance(payment_database) as database:
        bad, good = await accepted(database), await accepted(database)
        await database.read(FLIP, [bad.payment_id])
        with capture_logs() as log:
            claimed = await saga_store(database).claim(10)
            again = await saga_store(database, "two").claim(10)
        saga = await saga_of(database, bad.payment_id)
        steps = await database.read(
            "SELECT * FROM saga_steps WHERE saga_id = %s", [saga["saga_id"]]
        )
        events = await database.read("SELECT * FROM outbox WHERE object_id = %s", [saga["saga_id"]])

    reason = f"UNDECIPHERABLE: payments.buyer_ip_encrypted of {bad.payment_id} is tampered"
    assert [journey.payment.payment_id for journey in claimed] == [good.payment_id]
    assert again == []
    assert (saga["queue"], saga["reason"], saga["due_at"]) == ("DEAD_LETTER", reason, None)
    assert (saga["lease_owner"], saga["journal_length"]) == (None, 1)
    assert [(step["outcome"], step["detail"]) for step in steps] == [("dead", reason)]
    (event,) = events
    assert (event["type"], event["client_id"]) == ("payment.needs_attention", None)
    assert event["payload"]["reason_class"] == "UNDECIPHERABLE"
    (told,) = [line for line in log if line["event"] == "dead_letter"]
    assert told["reason"] == reason
    assert REGISTRY.get_sample_value("paymesh_dead_letters_total", labels) == before + 1
    assert not [one for one in CANARIES if one in f"{log}{saga}{steps}{events}"]


@pytest.mark.parametrize(
    ("alter", "place"), [(MALFORMED, "malformed"), (FLIP, "tampered")], ids=["malformed", "flip"]
)
async def test_whoever_reads_it_is_told_why(
    payment_database: ServiceDatabase, alter: LiteralString, place: str
) -> None:
    """A client, an operator: a clear error, and nothing of what rests there."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(alter, [payment.payment_id])
        await saga_store(database).claim(10)
        saga = await saga_of(database, payment.payment_id)
        operators = PostgresOperatorStore(database)
        for reading in (
            PostgresPaymentStore(database, utc_now).find_own("demo", payment.payment_id),
            operators.find(saga["saga_id"]),
        ):
            with pytest.raises(Undecipherable, match=f"{payment.payment_id} is {place}") as raised:
                await reading
            assert not [one for one in CANARIES if one in str(raised.value)]


async def test_an_operator_lets_it_go_on_once_it_is_mended(
    payment_database: ServiceDatabase,
) -> None:
    """Before that he is refused, and nothing is changed."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(FLIP, [payment.payment_id])
        await saga_store(database).claim(10)
        dead = await saga_of(database, payment.payment_id)

        async def retry() -> None:
            await retry_saga(
                dead["saga_id"], dead["epoch"], "mended",
                store=PostgresOperatorStore(database), actor=ANN, policy=POLICY, now=NOW,
            )  # fmt: skip

        with pytest.raises(Undecipherable, match="is tampered"):
            await retry()
        assert await saga_of(database, payment.payment_id) == dead
        await database.read(FLIP, [payment.payment_id])
        await retry()
        (journey,) = await saga_store(database).claim(10)

    assert journey.payment.buyer == payment.buyer


async def test_a_missing_data_key_is_waited_for(payment_database: ServiceDatabase) -> None:
    """It rests longer and longer, and goes on when the key is there."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(OTHER_KEY, [UNKNOWN, payment.payment_id])
        for _ in range(3):
            assert await saga_store(database).claim(10) == []
            await database.read("UPDATE sagas SET due_at = now() WHERE due_at > now() RETURNING 1")
        resting = await saga_of(database, payment.payment_id)
        await database.read(OTHER_KEY, [FIRST, payment.payment_id])
        (journey,) = await saga_store(database).claim(10)

    assert (resting["queue"], resting["reason"]) == ("RETRY", "WALK_FAILED: DataKeyMissing")
    assert resting["unmoved"] == 3
    assert journey.payment.buyer == payment.buyer


async def test_a_data_key_that_never_comes_is_a_dead_letter(
    payment_database: ServiceDatabase,
) -> None:
    """After about an hour, with a reason of its own."""
    async with instance(payment_database) as database:
        payment = await accepted(database)
        await database.read(OTHER_KEY, [UNKNOWN, payment.payment_id])
        with pytest.raises(DataKeyMissing):
            await PostgresPaymentStore(database, utc_now).find(payment.payment_id)
        for unmoved, queue in ((KEY_CLAIMS_MAX - 1, "RETRY"), (KEY_CLAIMS_MAX, "DEAD_LETTER")):
            await database.read(
                "UPDATE sagas SET unmoved = %s, due_at = now() RETURNING 1", [unmoved]
            )
            assert await saga_store(database).claim(10) == []
            saga = await saga_of(database, payment.payment_id)
            assert saga["queue"] == queue

    place = f"payments.buyer_ip_encrypted of {payment.payment_id}"
    assert saga["reason"] == f"DATA_KEY_MISSING: {place} is unknown_key"


async def test_a_row_that_is_nonsense_keeps_nobody_from_work(
    payment_database: ServiceDatabase,
) -> None:
    """A value that no version wrote: told by the class of the error alone."""
    async with instance(payment_database) as database:
        bad, good = await accepted(database), await accepted(database)
        with psycopg.connect(payment_database.owner_url, autocommit=True) as owner:
            owner.execute(
                "UPDATE payments SET capture_method = 'canary=1' WHERE payment_id = %s",
                [bad.payment_id],
            )
        claimed = await saga_store(database).claim(10)
        saga = await saga_of(database, bad.payment_id)

    assert [journey.payment.payment_id for journey in claimed] == [good.payment_id]
    assert (saga["queue"], saga["reason"]) == ("DEAD_LETTER", "UNREADABLE: ValueError")
