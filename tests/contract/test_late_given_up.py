"""A late charge that its PSP refuses to give back, ended by two persons on real PostgreSQL: the
books say of the PSP's money only what became of it there.
"""

from dataclasses import replace

import pytest

from chassis.database import Database
from payment_svc.domain.case import CaseStatus
from payment_svc.domain.resolution import Decision, ResolutionStatus
from payment_svc.sagas.commands import PostLateCharge, ReleaseSuspense
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Refused
from tests.contract.resolution_desk import Desk
from tests.contract.test_late_success import Services, World, late
from tests.dead_letters import BOB

_AT_PSP = {"psp_reference": "re_1"}


async def stuck(world: World, kind: str) -> Journey:
    """Make the dead letter of a late charge's refund, or of a late hold's void."""
    payment = await world.failed()
    await world.told(payment, replace(late(payment), kind=kind))
    await world.work()
    view = (await world.sagas().explain(payment.payment_id))[0][-1]
    assert (view.progress.queue, view.progress.step) == (Queue.DEAD_LETTER, "give_back")
    return Journey(view.progress, payment)


@pytest.mark.parametrize(
    ("decision", "more", "resolution", "is_released"),
    [
        (Decision.GIVE_UP, {}, "GIVEN_UP", False),
        (Decision.DONE_BY_HAND, {}, "GIVEN_BACK", False),
        (Decision.DONE_BY_HAND, _AT_PSP, "GIVEN_BACK", True),
    ],
    ids=["given up", "given back elsewhere", "given back at the PSP"],
)
async def test_what_the_psp_keeps_stays_in_suspense(
    payment_db: Database,
    decision: Decision,
    more: dict[str, str],
    resolution: str,
    is_released: bool,
) -> None:
    """The PSP's clearing account owes us until the money has left the PSP; the case says how it
    ended, and its history nothing that did not happen.
    """
    world = World(payment_db, Services(Refused("CHARGE_TOO_OLD", "No.")))
    journey = await stuck(world, "CHARGE")
    desk = Desk(payment_db)
    desk.gateway.outcome = "DECLINED"  # what was done by hand is nothing that it has under way
    proposal = await desk.propose(journey, decision, **more)

    applied = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)
    await world.work()

    assert applied.status is ResolutionStatus.APPLIED
    case = await world.only_case(journey.payment)
    assert (case.status, case.resolution) == (CaseStatus.CLOSED, resolution)
    released = ["RELEASED"] if is_released else []
    kinds = [line.kind for line in case.history]
    assert kinds == ["OPENED", "BOOKED", "STUCK", resolution, *released, "CLOSED"]
    booked = [type(one) for one in world.services.asked if hasattr(one, "reference")]
    assert booked == [PostLateCharge, *([ReleaseSuspense] if is_released else [])]
    assert await desk.queue(journey) is Queue.DONE


async def test_a_late_hold_that_is_given_up_is_in_no_book(payment_db: Database) -> None:
    """It is only held: nothing is booked, and the case says that it was given up."""
    world = World(payment_db, Services(Refused("PSP_CANCELLED", "No.")))
    journey = await stuck(world, "AUTHORIZATION")
    desk = Desk(payment_db)
    proposal = await desk.propose(journey, Decision.GIVE_UP)

    await desk.operations.approve(proposal.resolution_id, "It ends by itself", BOB)

    case = await world.only_case(journey.payment)
    assert (case.status, case.resolution) == (CaseStatus.CLOSED, "GIVEN_UP")
    assert [line.kind for line in case.history] == ["OPENED", "STUCK", "GIVEN_UP", "CLOSED"]
    assert not [one for one in world.services.asked if hasattr(one, "reference")]
