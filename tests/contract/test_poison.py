"""Poison on real PostgreSQL: a saga that raises, or kills its worker, is not claimed for ever, and
the others keep their pace.
"""

import asyncio
import signal
import sys

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.faults import FaultPoints
from payment_svc.coordinator import Coordinator
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas.commands import Command, ExecuteCharge
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.outcomes import Done, Outcome
from payment_svc.store import PostgresPaymentStore
from tests.builders import make_new_payment
from tests.dead_letters import POLICY, accept, events, saga_store
from tests.servers import ServiceDatabase

CLAIMS_MAX = 4
# Claims what is due, its rest left out, and dies at once, as a worker does that a saga kills.
DIES = """
import asyncio, os, signal, sys
from chassis.database import Database
from tests.dead_letters import saga_store
from tests.servers import ServiceDatabase

async def main():
    keyring = ServiceDatabase("", "", "", "payment_svc").keyring()
    database = Database(sys.argv[1], keyring=keyring)
    await database.open()
    store = saga_store(database, "dying", claims_max=int(sys.argv[2]))
    await store.release_own()
    await database.read("UPDATE sagas SET due_at = now() RETURNING 1")
    if await store.claim(10):
        os.kill(os.getpid(), signal.SIGKILL)
    await database.close()

asyncio.run(main())
"""


class Poisoned:
    """The other services; asked for one payment a step raises, which services never do."""

    def __init__(self, payment_id: str, error: Exception) -> None:
        self._payment_id = payment_id
        self._error = error
        self.asked = 0

    async def perform(self, command: Command) -> Outcome:
        """Do everything, or raise."""
        if isinstance(command, ExecuteCharge):
            if command.payment_id == self._payment_id:
                self.asked += 1
                raise self._error
            return Done({"psp": "stripe", "psp_reference": "pi_1"})
        return Done({"transaction_id": "txn_1"})


def coordinator(store: PostgresSagaStore, services: Poisoned) -> Coordinator:
    """Make a coordinator."""
    return Coordinator(
        store, services, clock=utc_now, in_flight_max=64, policy=POLICY, faults=FaultPoints(),
        moved=lambda _: None, chance=lambda: 0.5,
    )  # fmt: skip


async def hurry(database: Database) -> None:
    """Let the rest that a saga takes be over."""
    await database.read(
        "UPDATE sagas SET due_at = now() WHERE due_at > now() AND queue <> 'WAITING' RETURNING 1"
    )


async def walk(database: Database, walking: Coordinator, rounds: int) -> None:
    """Let claims follow each other without their rest."""
    for _ in range(rounds):
        await walking.claim_and_walk()
        await walking.finish()
        await hurry(database)


async def queues(database: Database) -> dict[str, str]:
    """Tell where each payment's pay-in stands, and why, by payment."""
    found = await database.read(
        "SELECT payment_id, queue, reason FROM sagas WHERE kind = 'pay_in' ORDER BY created_at"
    )
    return {row["payment_id"]: f"{row['queue']} {row['reason']}".strip() for row in found}


async def test_a_saga_that_raises_is_laid_before_a_person(payment_db: Database) -> None:
    """After so many claims it is a dead letter with the error's class, an event, and no secret."""
    poison = make_new_payment()
    await PostgresPaymentStore(payment_db, utc_now).accept(poison)
    payment_id = poison.payment.payment_id
    services = Poisoned(payment_id, ValueError("card 4242 secret"))
    walking = coordinator(saga_store(payment_db, claims_max=CLAIMS_MAX), services)

    await walk(payment_db, walking, 1)
    resting = (await queues(payment_db))[payment_id]
    await accept(payment_db)
    await walk(payment_db, walking, 1)
    others = [queue for name, queue in (await queues(payment_db)).items() if name != payment_id]
    await walk(payment_db, walking, CLAIMS_MAX + 2)

    assert resting == "RETRY WALK_FAILED: ValueError"
    assert others == ["DONE"]
    assert (await queues(payment_db))[payment_id] == "DEAD_LETTER POISON: ValueError"
    assert services.asked == 1 + CLAIMS_MAX  # the first claim had moved it from assess to charge
    ((_, number, payload),) = await events(payment_db)
    assert payload["reason_class"] == "POISON"
    (view, *_), _ = await saga_store(payment_db).explain(payment_id)
    assert (view.entries[-1].outcome, view.entries[-1].sequence) == ("dead", number)
    assert "4242" not in str(await payment_db.read("SELECT * FROM sagas, saga_steps, outbox"))


async def test_a_moved_saga_is_no_suspect(payment_db: Database) -> None:
    """Claims are counted from the last move on."""
    await accept(payment_db)
    store = saga_store(payment_db, claims_max=2)
    services = Poisoned("", ValueError())
    (first,) = await store.claim(1)
    await hurry(payment_db)
    (held,) = await store.claim(1)
    assert held.progress.epoch == first.progress.epoch + 1
    await hurry(payment_db)

    await walk(payment_db, coordinator(saga_store(payment_db, claims_max=3), services), 1)

    (row,) = await payment_db.read("SELECT max(unmoved) AS unmoved FROM sagas WHERE kind='pay_in'")
    assert row["unmoved"] == 0
    assert set((await queues(payment_db)).values()) == {"DONE"}


async def test_trouble_of_the_database_is_not_held_against_a_saga(payment_db: Database) -> None:
    """A walk that ends because the database did not answer counts for nothing."""
    poison = make_new_payment()
    await PostgresPaymentStore(payment_db, utc_now).accept(poison)
    services = Poisoned(poison.payment.payment_id, Unavailable("The database did not answer."))
    walking = coordinator(saga_store(payment_db, claims_max=2), services)

    await walk(payment_db, walking, 6)

    assert services.asked == 6
    assert (await queues(payment_db))[poison.payment.payment_id].startswith("RETRY")


async def test_a_saga_that_cannot_be_started_keeps_no_other_from_work(
    payment_db: Database,
) -> None:
    """One of a kind that this version does not know is put aside; those claimed with it go on."""
    for _ in range(3):
        await accept(payment_db)
    await payment_db.read(
        "UPDATE sagas SET kind = 'unheard_of' WHERE saga_id = (SELECT min(saga_id) FROM sagas)"
        " RETURNING 1"
    )
    store = saga_store(payment_db, claims_max=CLAIMS_MAX)
    walking = coordinator(store, Poisoned("", ValueError()))

    await walk(payment_db, walking, 1)
    done = list((await queues(payment_db)).values())
    await walk(payment_db, walking, CLAIMS_MAX + 1)

    assert done == ["DONE", "DONE"]
    (row,) = await payment_db.read("SELECT queue, reason FROM sagas WHERE kind = 'unheard_of'")
    assert (row["queue"], row["reason"]) == ("DEAD_LETTER", "POISON: KeyError")


async def test_a_saga_that_kills_its_worker_is_laid_before_a_person(
    payment_db: Database, payment_database: ServiceDatabase
) -> None:
    """However often the process dies of it, in the end it is a dead letter, and another saga that
    was claimed with it is not.
    """
    await accept(payment_db)

    async def die() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DIES, payment_database.app_url, str(CLAIMS_MAX)
        )
        async with asyncio.timeout(60):
            return await process.wait()

    ended = [await die() for _ in range(CLAIMS_MAX)]
    await hurry(payment_db)
    neighbour = make_new_payment()
    await PostgresPaymentStore(payment_db, utc_now).accept(neighbour)
    neighbour_id = neighbour.payment.payment_id
    survivors = saga_store(payment_db, "survivor", claims_max=CLAIMS_MAX)
    await walk(payment_db, coordinator(survivors, Poisoned("", ValueError())), 1)

    assert ended == [-signal.SIGKILL] * CLAIMS_MAX
    told = await queues(payment_db)
    assert told.pop(neighbour_id) == "DONE"
    assert list(told.values()) == ["DEAD_LETTER POISON: ProcessEnded"]
    assert len(await events(payment_db)) == 1
    found = await PostgresPaymentStore(payment_db, utc_now).find(neighbour_id)
    assert found is not None
    assert found.status is PaymentStatus.COMPLETED


async def test_suspects_are_claimed_one_at_a_time(payment_db: Database) -> None:
    """Those that were claimed twice for nothing come apart from each other, and from the sound."""
    for _ in range(3):
        await accept(payment_db)
    store = saga_store(payment_db)
    for _ in range(2):
        assert len(await store.claim(10)) == 3
        await hurry(payment_db)
    await accept(payment_db)

    claimed = await store.claim(10)

    assert len(claimed) == 2
    assert {journey.progress.queue for journey in claimed} == {Queue.PAYMENT}
