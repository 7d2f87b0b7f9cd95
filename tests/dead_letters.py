"""Dead letters for the tests of what operators do about them."""

from collections.abc import Sequence
from datetime import timedelta

from chassis.clock import utc_now
from chassis.database import Database
from payment_svc.domain.actor import Actor
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Journey, Move, Queue
from payment_svc.sagas.outcomes import Done, Outcome, Refused, Stuck, Waiting
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.store import PostgresPaymentStore
from tests.builders import NOW, make_id, make_new_payment

ANN, BOB, EVE = Actor("ann"), Actor("bob"), Actor("eve")
POLICY = RetryPolicy()
CHARGED = Done({"psp": "stripe", "psp_reference": "pi_1"})
UNKNOWN = Waiting("NO_USABLE_ANSWER", unknown=True)


def saga_store(
    database: Database,
    owner: str = "one",
    *,
    lease: timedelta = timedelta(minutes=1),
    claims_max: int = 10,
) -> PostgresSagaStore:
    """Make a store for an instance."""
    return PostgresSagaStore(
        database,
        owner=owner,
        lease=lease,
        new_id=make_id,
        clock=lambda: NOW,
        claims_max=claims_max,
    )


def advance(journey: Journey, outcome: Outcome, after: timedelta = timedelta(0)) -> Move:
    """Decide what an outcome changes, a while after the step was begun."""
    return engine.advance(
        SAGAS[journey.progress.kind],
        journey,
        outcome,
        started_at=NOW + after,
        now=NOW + after,
        chance=0.5,
        policy=POLICY,
    )


async def accept(database: Database) -> None:
    """Accept a payment."""
    await PostgresPaymentStore(database, utc_now).accept(make_new_payment())


async def walked(database: Database, *outcomes: Outcome) -> Journey:
    """Accept a payment and walk its saga by outcomes; the last may come days later."""
    store = saga_store(database)
    await accept(database)
    (journey,) = await store.claim(1)
    for outcome in outcomes[:-1]:
        journey = await store.record(advance(journey, outcome))
    return await store.record(advance(journey, outcomes[-1], timedelta(days=2)))


async def unknown_charge(database: Database) -> Journey:
    """Make a dead letter of a charge of which nobody knows what came."""
    journey = await walked(database, Done(), UNKNOWN)
    assert journey.progress.queue is Queue.DEAD_LETTER
    return journey


async def stuck_undo(database: Database) -> Journey:
    """Make a dead letter of a refund that the PSP refuses."""
    refused = Refused("WALLET_FROZEN", "No.")
    told = Refused("CHARGE_TOO_OLD", "No.")
    return await walked(database, Done(), CHARGED, refused, Done(), told)


async def stuck(database: Database, reason: str = "INVALID_REQUEST: x") -> Journey:
    """Make a dead letter of a credit that can never work as it is."""
    return await walked(database, Done(), CHARGED, Stuck(reason))


async def events(database: Database) -> Sequence[tuple[str, int, dict[str, str]]]:
    """List what operators are told: object, number, payload."""
    rows = await database.read(
        "SELECT object_id, sequence, payload, client_id FROM outbox"
        " WHERE type = 'payment.needs_attention' ORDER BY event_id"
    )
    assert all(row["client_id"] is None for row in rows), "a client is told"
    return [(row["object_id"], row["sequence"], row["payload"]) for row in rows]
