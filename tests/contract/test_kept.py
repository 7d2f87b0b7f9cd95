"""A charge that cannot be given back, ended by two persons on real PostgreSQL: what its PSP has
still is booked once over crashes at every step, and a case tells of it.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from chassis.database import Database
from payment_svc.audit_store import PostgresAuditStore
from payment_svc.domain.case import Case, CaseKind, CaseStatus
from payment_svc.domain.resolution import Decision, ResolutionStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.sagas.commands import Command, PostKeptCharge
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused
from tests.contract.test_late_success import Services, World
from tests.contract.test_resolutions import Desk
from tests.dead_letters import BOB, stuck_undo

POINTS = [f"pay_in.book_kept.{at}" for at in ("before", "after", "recorded")]


@dataclass
class Books(Services):
    """`ports.Services`: what is kept is booked, unless there is trouble."""

    trouble: Outcome | None = None

    async def perform(self, command: Command) -> Outcome:
        """See `ports.Services`."""
        outcome = await super().perform(command)
        if isinstance(command, PostKeptCharge):
            return self.trouble or Done({}, "txn_1")
        return outcome


class Kept(World):
    """A payment whose refund two persons gave up."""

    def __init__(self, database: Database, trouble: Outcome | None = None) -> None:
        self.books = Books(trouble=trouble)
        super().__init__(database, self.books)
        self.desk = Desk(database)

    async def left(self, decision: Decision = Decision.GIVE_UP) -> Journey:
        """Have two persons leave a charge with its PSP."""
        dead = await stuck_undo(self.database)
        proposal = await self.desk.propose(dead, decision)
        applied = await self.desk.operations.approve(proposal.resolution_id, "It is so", BOB)
        assert applied.status is ResolutionStatus.APPLIED
        self.resolution_id = proposal.resolution_id
        return dead

    async def case(self, journey: Journey) -> Case:
        """Read its case."""
        return await self.only_case(journey.payment)

    async def status(self, journey: Journey) -> PaymentStatus:
        """Tell how the payment stands."""
        payment = await self.payments.find(journey.payment.payment_id)
        assert payment is not None
        return payment.status

    def booked(self) -> list[Any]:
        """List what the ledger was asked to book."""
        return [one for one in self.books.asked if isinstance(one, PostKeptCharge)]


@pytest.mark.parametrize(
    ("decision", "resolution"),
    [(Decision.GIVE_UP, "GIVEN_UP"), (Decision.DONE_BY_HAND, "GIVEN_BACK")],
)
async def test_it_is_booked_before_the_payment_ends(
    payment_db: Database, decision: Decision, resolution: str
) -> None:
    """The case is opened with the word of two, and closed when the books have it; the shop hears
    of both, and of the payment's end after the booking.
    """
    world = Kept(payment_db)
    journey = await world.left(decision)
    opened = await world.case(journey)
    before = await world.status(journey)

    await world.work()

    case = await world.case(journey)
    charge = f"att_{journey.payment.payment_id[4:]}c1"
    assert (opened.kind, opened.status) == (CaseKind.KEPT_CHARGE, CaseStatus.OPEN)
    assert (opened.subject_id, opened.psp_reference, opened.psp) == (charge, "pi_1", "stripe")
    assert opened.amount == str(journey.amount)
    assert (before, await world.status(journey)) == (
        PaymentStatus.PROCESSING,
        PaymentStatus.FAILED,
    )
    assert (case.status, case.resolution) == (CaseStatus.CLOSED, resolution)
    assert [line.kind for line in case.history] == ["OPENED", "BOOKED", "CLOSED"]
    assert case.history[0].detail == f"{decision} by {world.resolution_id}"
    assert case.history[1].detail == "txn_1"
    assert [one.reference for one in world.booked()] == [f"charge:{charge}:kept"]
    told = await payment_db.read("SELECT type FROM outbox ORDER BY event_id")
    assert [row["type"] for row in told if row["type"].startswith("case")] == [
        "case.opened",
        "case.closed",
    ]


@pytest.mark.parametrize("point", POINTS)
async def test_it_survives_a_crash_at_the_booking(payment_db: Database, point: str) -> None:
    """Asked again under the same reference, however often; told once."""
    world = Kept(payment_db)
    journey = await world.left()

    await world.work(f"{point}=fail")
    await world.work()

    assert {one.reference for one in world.booked()} == {world.booked()[0].reference}
    assert [line.kind for line in (await world.case(journey)).history] == [
        "OPENED", "BOOKED", "CLOSED"
    ]  # fmt: skip
    assert await world.desk.queue(journey) is Queue.DONE


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(Again("UNAVAILABLE"), "TROUBLE"), (Refused("ACCOUNT_CLOSED", "No."), "STUCK")],
)
async def test_what_is_not_booked_keeps_all_open(
    payment_db: Database, trouble: Outcome, told: str
) -> None:
    """Payment and case end with the booking alone; days later it is laid before a person."""
    world = Kept(payment_db, trouble)
    journey = await world.left()

    await world.work()
    case = await world.case(journey)
    dead = await world.desk.queue(journey)

    assert dead is Queue.DEAD_LETTER
    assert [line.kind for line in case.history] == ["OPENED", told]
    assert case.status is CaseStatus.OPEN
    assert await world.status(journey) is PaymentStatus.PROCESSING


async def test_an_audit_is_told_what_was_left(payment_db: Database) -> None:
    """Once the saga is over, and by the charge's own name; no other saga has left anything."""
    world = Kept(payment_db)
    journey = await world.left()
    store, ids = PostgresAuditStore(payment_db), [journey.payment.payment_id]
    (under_way,) = await store.find(ids)
    await world.work()
    other = await world.failed()
    (over,) = await store.find(ids)
    (declined,) = await store.find([other.payment_id])

    assert [saga.left_at_psp for saga in under_way.sagas] == [""]
    assert [saga.left_at_psp for saga in over.sagas] == [f"att_{ids[0][4:]}c1"]
    assert {saga.left_at_psp for saga in declined.sagas} == {""}
