"""Resolutions on real PostgreSQL: two persons, one word, applied once with its trail."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import InvalidRequest, Unavailable
from chassis.faults import FaultPoints, InjectedFault
from chassis.money import Money
from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import (
    ResolutionNotFound,
    ResolutionNotOpen,
    ResolutionPending,
    ResolutionUnfit,
    SagaNotFound,
    SecondPersonNeeded,
    UnverifiedOperator,
)
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.list_resolutions import list_resolutions
from payment_svc.use_cases.reject_resolution import reject_resolution
from tests.builders import NOW
from tests.contract.resolution_desk import Desk
from tests.dead_letters import ANN, BOB, EVE, saga_store, stuck_undo, unknown_charge
from tests.saga.test_late_success import late_attempt
from tests.servers import ServiceDatabase

ANN_CERTIFIED, BOB_CERTIFIED = (
    Actor(f"spiffe://paymesh.local/operator/{name}", is_verified=True) for name in ("ann", "bob")
)


@pytest.fixture
def desk(payment_db: Database) -> Desk:
    """A desk over a database of the test's own."""
    return Desk(payment_db)


async def test_what_two_agree_on_is_told_to_the_gateway_and_the_saga_goes_on(desk: Desk) -> None:
    """The saga is in its queue again under the same key, and each step of the way has a name."""
    dead = await unknown_charge(desk.database)
    proposal = await desk.propose(dead, Decision.CHARGED)

    applied = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)
    again = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)

    assert applied.status is again.status is ResolutionStatus.APPLIED
    assert desk.gateway.told == [True]
    assert await desk.queue(dead) is Queue.RETRY
    assert await desk.trail(dead) == ["ann PROPOSE", "bob APPROVE", "bob APPLY"]
    (claimed,) = await saga_store(desk.database).claim(1)
    assert claimed.progress.memory == dead.progress.memory


async def test_two_who_approve_at_once_apply_it_once(desk: Desk) -> None:
    """One of them is the second person; the other hears that it is decided."""
    dead = await unknown_charge(desk.database)
    proposal = await desk.propose(dead, Decision.NOT_CHARGED)

    answers = await asyncio.gather(
        *(desk.operations.approve(proposal.resolution_id, "Yes", who) for who in (BOB, EVE) * 3),
        return_exceptions=True,
    )

    assert {type(a) for a in answers if isinstance(a, Exception)} == {ResolutionNotOpen}
    trail = await desk.trail(dead)
    assert [line.partition(" ")[2] for line in trail] == ["PROPOSE", "APPROVE", "APPLY"]
    (kept,) = await desk.store.list(None, "", "", 10)
    assert kept.status is ResolutionStatus.APPLIED
    assert set(desk.gateway.told) == {False}


async def test_nobody_approves_his_own(desk: Desk, payment_database: ServiceDatabase) -> None:
    """Neither the domain nor the database takes one person for two."""
    proposal = await desk.propose(await unknown_charge(desk.database), Decision.CHARGED)

    with pytest.raises(SecondPersonNeeded):
        await desk.operations.approve(proposal.resolution_id, "Yes", ANN)
    async with await psycopg.AsyncConnection.connect(payment_database.app_url) as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute("UPDATE resolutions SET approved_by = 'ann'")
    async with await psycopg.AsyncConnection.connect(payment_database.app_url) as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute("UPDATE resolutions SET status = 'APPROVED'")

    assert desk.gateway.told == []


async def test_in_production_nobody_proposes_or_approves_by_his_own_word(desk: Desk) -> None:
    """Two names that nobody vouches for may be one person: neither half of it counts, nor does a
    proposal that was stored before.
    """
    dead = await unknown_charge(desk.database)
    old = await desk.propose(dead, Decision.CHARGED)
    strict = Desk(desk.database, desk.gateway, certified_only=True)

    with pytest.raises(UnverifiedOperator) as error:
        await strict.operations.approve(old.resolution_id, "It is so", BOB_CERTIFIED)
    assert error.value.metadata == {"actor": "ann"}
    await desk.reject(old)
    with pytest.raises(UnverifiedOperator):
        await strict.propose(dead, Decision.CHARGED)
    proposal = await strict.propose(dead, Decision.CHARGED, actor=ANN_CERTIFIED)
    with pytest.raises(UnverifiedOperator):
        await strict.operations.approve(proposal.resolution_id, "It is so", BOB)

    (kept, _) = await desk.store.list(None, "", "", 10)
    assert kept.status is ResolutionStatus.PROPOSED
    assert desk.gateway.told == []
    applied = await strict.operations.approve(proposal.resolution_id, "It is so", BOB_CERTIFIED)
    assert applied.status is ResolutionStatus.APPLIED
    again = await strict.operations.approve(proposal.resolution_id, "It is so", BOB_CERTIFIED)
    assert again.status is ResolutionStatus.APPLIED


async def test_one_proposal_a_saga_at_a_time(desk: Desk) -> None:
    """Of many at once one is stored; once it is rejected, or has expired, another may come."""
    dead = await unknown_charge(desk.database)

    answers = await asyncio.gather(
        *(desk.propose(dead, Decision.CHARGED) for _ in range(5)), return_exceptions=True
    )
    (first,) = [a for a in answers if isinstance(a, Resolution)]
    await reject_resolution(first.resolution_id, "A slip", store=desk.store, actor=ANN, now=NOW)
    second = await desk.propose(dead, Decision.NOT_CHARGED)
    await desk.database.read(
        "UPDATE resolutions SET expires_at = %s WHERE resolution_id = %s RETURNING 1",
        [NOW, second.resolution_id],
    )
    with pytest.raises(ResolutionNotOpen):
        await desk.operations.approve(second.resolution_id, "Late", BOB)
    third = await desk.propose(dead, Decision.CHARGED)

    assert sum(isinstance(a, ResolutionPending) for a in answers) == 4
    listed, token = await list_resolutions(None, "", 2, "", store=desk.store, now=NOW)
    rest, end = await list_resolutions(None, "", 2, token, store=desk.store, now=NOW)
    assert [(r.resolution_id, r.status.value) for r in [*listed, *rest]] == [
        (third.resolution_id, "PROPOSED"),
        (second.resolution_id, "EXPIRED"),
        (first.resolution_id, "REJECTED"),
    ]
    assert end == ""
    (one,), _ = await list_resolutions(
        None, "", 50, "", store=desk.store, now=NOW, resolution_id=second.resolution_id
    )
    assert (one.resolution_id, one.status.value) == (second.resolution_id, "EXPIRED")
    assert await list_resolutions(
        ResolutionStatus.PROPOSED, "", 50, "",
        store=desk.store, now=NOW, resolution_id=first.resolution_id,
    ) == ([], "")  # fmt: skip


async def test_what_is_approved_is_applied_once_the_gateway_answers(desk: Desk) -> None:
    """An approval that met trouble stays approved, and is taken up again by itself."""
    dead = await unknown_charge(desk.database)
    proposal = await desk.propose(dead, Decision.CHARGED)
    desk.gateway.is_away = True

    approved = await desk.operations.approve(proposal.resolution_id, "Yes", BOB)
    await desk.operations.apply_approved()
    resting = await desk.queue(dead)
    desk.gateway.is_away = False
    await asyncio.gather(*(desk.operations.apply_approved() for _ in range(4)))

    assert approved.status is ResolutionStatus.APPROVED
    assert resting is Queue.DEAD_LETTER
    assert await desk.queue(dead) is Queue.RETRY
    assert await desk.trail(dead) == ["ann PROPOSE", "bob APPROVE", "bob APPLY"]


@pytest.mark.parametrize("trouble", [Unavailable("The PSP is away."), AssertionError("a bug")])
async def test_what_cannot_be_applied_yet_keeps_nobody_else_from_it(
    desk: Desk, trouble: Exception
) -> None:
    """However many were approved before, of a PSP that is away or by a bug of ours: each is tried,
    and whoever can go on goes on.
    """
    dead = [await unknown_charge(desk.database) for _ in range(26)]
    proposals = [await desk.propose(journey, Decision.CHARGED) for journey in dead]
    desk.gateway.is_away = True
    for proposal in proposals:
        await desk.operations.approve(proposal.resolution_id, "Yes", BOB)
    desk.gateway.is_away = False
    desk.gateway.trouble = {one.resolution_id: trouble for one in proposals[:-1]}

    await desk.operations.apply_approved()

    left = await desk.store.approved(100)
    assert {one.resolution_id for one in left} == desk.gateway.trouble.keys()
    assert await desk.queue(dead[-1]) is Queue.RETRY


async def test_the_psp_s_word_wins_and_the_saga_goes_on_by_it(desk: Desk) -> None:
    """What was said against it ends CONTRADICTED."""
    dead = await unknown_charge(desk.database)
    proposal = await desk.propose(dead, Decision.NOT_CHARGED)
    desk.gateway.outcome = "SUCCEEDED"

    ended = await desk.operations.approve(proposal.resolution_id, "Yes", BOB)

    assert ended.status is ResolutionStatus.CONTRADICTED
    assert "SUCCEEDED" in ended.note
    assert await desk.queue(dead) is Queue.RETRY


async def test_an_undo_by_hand_ends_payment_and_saga_together(desk: Desk) -> None:
    """Saga, orders, journal, events and trail are one transaction."""
    dead = await stuck_undo(desk.database)
    desk.gateway.outcome = "DECLINED"  # it has nothing of it under way
    decision = Decision.DONE_BY_HAND
    proposal = await desk.propose(dead, decision, psp_reference="re_1")

    applied = await desk.operations.approve(proposal.resolution_id, "Yes", BOB)

    assert applied.status is ResolutionStatus.APPLIED
    assert await desk.queue(dead) is Queue.DONE
    payment = await PostgresPaymentStore(desk.database, utc_now).find(dead.payment.payment_id)
    assert payment is not None
    assert payment.status is PaymentStatus.FAILED
    (view,), _ = await saga_store(desk.database).explain(dead.payment.payment_id)
    assert any(entry.detail == f"{decision} by {proposal.resolution_id}" for entry in view.entries)
    assert desk.gateway.told == [True]
    events = await desk.database.read("SELECT type FROM outbox ORDER BY event_id")
    assert events[-1]["type"] == "payment.failed"


async def test_what_was_given_back_by_hand_is_told_with_its_amount(desk: Desk) -> None:
    """The gateway believes nobody of a refund of no amount; one by hand is of the whole."""
    dead = await stuck_undo(desk.database)

    told = await desk.propose(dead, Decision.DONE_BY_HAND, psp_reference="re_1")

    assert told.amount == dead.amount


async def test_only_what_fits_may_be_proposed(desk: Desk) -> None:
    """Another decision, another amount, a saga that is not there: nothing is stored."""
    unknown, undo = await unknown_charge(desk.database), await stuck_undo(desk.database)

    for journey, decision in ((unknown, Decision.GIVE_UP), (undo, Decision.CHARGED)):
        with pytest.raises(ResolutionUnfit):
            await desk.propose(journey, decision)
    with pytest.raises(ResolutionUnfit, match="was asked for"):
        await desk.propose(unknown, Decision.CHARGED, amount=Money.parse("1.00", "USD"))
    with pytest.raises(InvalidRequest, match="psp_reference"):
        await desk.propose(unknown, Decision.CHARGED, psp_reference="")
    with pytest.raises(InvalidRequest, match="amount"):
        await desk.propose(unknown, Decision.CHARGED, amount=None)
    with pytest.raises(SagaNotFound):
        await desk.propose(unknown, Decision.NOT_CHARGED, saga_id="sga_none")
    with pytest.raises(ResolutionNotFound):
        await desk.operations.approve("res_none", "Yes", BOB)

    assert await desk.store.list(None, "", "", 10) == []


HALF = Money.parse("5.00", "USD")


async def half_taken(desk: Desk) -> tuple[Journey, Resolution]:
    """Let Ann say that the PSP took half of a charge; psp_gateway keeps it as a late one."""
    dead = await unknown_charge(desk.database)
    said = {"psp_reference": "pi_1", "amount": HALF}
    proposal = await desk.propose(dead, Decision.OTHER_AMOUNT, **said)
    desk.gateway.outcome, desk.gateway.reason = "DECLINED", "AMOUNT_MISMATCH"
    late_id = f"{proposal.attempt_id}l1"
    late = replace(late_attempt(), attempt_id=late_id, amount="5.00", psp_reference="pi_1")
    desk.gateway.late = [late]
    return dead, proposal


async def late_sagas(desk: Desk, journey: Journey) -> list[dict[str, str]]:
    """Tell what the sagas of late charges of a payment know."""
    views, _ = await saga_store(desk.database).explain(journey.payment.payment_id)
    return [dict(v.progress.memory) for v in views if v.progress.kind == "late_success"]


async def test_another_amount_is_given_back_and_the_charge_counts_as_refused(desk: Desk) -> None:
    """The saga of the late success knows the PSP's amount; the payment's own hears the no."""
    dead, proposal = await half_taken(desk)

    applied = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)
    again = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)

    assert applied.status is again.status is ResolutionStatus.APPLIED
    assert "given back" in applied.note
    assert await desk.queue(dead) is Queue.RETRY
    (late,) = await late_sagas(desk, dead)
    assert (late["late_amount"], late["late_attempt_id"]) == ("5.00", f"{proposal.attempt_id}l1")
    assert await desk.trail(dead) == ["ann PROPOSE", "bob APPROVE", "bob APPLY"]
    assert desk.gateway.told == [False]


@pytest.mark.parametrize("point", ["resolution.told", "resolution.giving_back"])
async def test_a_crash_between_gives_it_back_once(desk: Desk, point: str) -> None:
    """Whoever finds the approved resolution begins what is not begun, and ends it."""
    dead, proposal = await half_taken(desk)

    desk.faults = FaultPoints.parse(f"{point}=fail", "development")
    with pytest.raises(InjectedFault):
        await desk.operations.approve(proposal.resolution_id, "It is so", BOB)
    desk.faults = FaultPoints()
    resting = await desk.queue(dead)
    await asyncio.gather(*(desk.operations.apply_approved() for _ in range(4)))

    assert resting is Queue.DEAD_LETTER
    assert await desk.queue(dead) is Queue.RETRY
    assert len(await late_sagas(desk, dead)) == 1
    assert await desk.trail(dead) == ["ann PROPOSE", "bob APPROVE", "bob APPLY"]


async def test_what_psp_gateway_does_not_keep_is_not_given_back(desk: Desk) -> None:
    """A decline of another kind is the PSP's own word against it."""
    dead, proposal = await half_taken(desk)
    desk.gateway.reason, desk.gateway.late = "CARD_DECLINED", []

    ended = await desk.operations.approve(proposal.resolution_id, "It is so", BOB)

    assert ended.status is ResolutionStatus.CONTRADICTED
    assert await late_sagas(desk, dead) == []


async def test_the_amount_that_was_asked_for_is_no_other(desk: Desk) -> None:
    """It is refused at once, as is a figure without its reference, or none."""
    dead = await unknown_charge(desk.database)
    said: dict[str, object] = {"psp_reference": "pi_1", "amount": HALF}

    with pytest.raises(ResolutionUnfit, match="was asked for"):
        await desk.propose(dead, Decision.OTHER_AMOUNT, **said | {"amount": dead.amount})
    for field_, empty in (("psp_reference", ""), ("amount", None)):
        with pytest.raises(InvalidRequest, match=field_):
            await desk.propose(dead, Decision.OTHER_AMOUNT, **said | {field_: empty})
    other = {"amount": Money.parse("5.00", "EUR")}
    assert (await desk.propose(dead, Decision.OTHER_AMOUNT, **said | other)).amount is not None
