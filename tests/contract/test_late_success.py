"""A late charge on real PostgreSQL: found once, given back once, over crashes at every step; a case
tells of it.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from paymesh.payment.v1 import psp_event_service_pb2 as service
from structlog.testing import capture_logs

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.faults import FaultPoints
from chassis.telemetry import REGISTRY
from payment_svc.case_store import PostgresCaseStore
from payment_svc.coordinator import Coordinator
from payment_svc.domain.case import Case, CaseStatus
from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.domain.testimony import Attempt
from payment_svc.psp_event_servicer import PaymentPspEventService
from payment_svc.psp_events import PspEvents
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas import late_success
from payment_svc.sagas.commands import Command, ExecuteCharge, RefundCharge, VoidCharge
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.outcomes import Done, Outcome, Refused
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.apply_psp_events import Applied
from tests.builders import make_id, make_new_payment
from tests.saga.test_late_success import late_attempt

STEPS = [step.name for step in late_success.LATE_SUCCESS.steps]
# The first and the last ask nothing of the outside; the last is one move with the step before it.
POINTS = [
    f"late_success.{step}.{at}" for step in STEPS[:-1] for at in ("before", "after", "recorded")
]


@dataclass
class Services:
    """`ports.Services`: the card is declined; the rest is done, and counted."""

    refusal: Outcome | None = None
    asked: list[Command] = field(default_factory=list)

    async def perform(self, command: Command) -> Outcome:
        """See `ports.Services`."""
        self.asked.append(command)
        if isinstance(command, ExecuteCharge):
            return Refused("CARD_DECLINED", "Declined.")
        if isinstance(command, RefundCharge | VoidCharge) and self.refusal is not None:
            return self.refusal
        return Done()


@dataclass
class Gateway:
    """`ports.Witnesses`, as far as it is asked here."""

    charged: list[Attempt]

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """See `ports.Witnesses`."""
        return tuple(self.charged)


class World:
    """payment_svc over one database."""

    def __init__(self, database: Database, services: Services) -> None:
        self.payments = PostgresPaymentStore(database, utc_now)
        self.cases = PostgresCaseStore(database)
        self.services = services
        self.database = database

    def sagas(self) -> PostgresSagaStore:
        """Make a store of an instance that has just started."""
        return PostgresSagaStore(
            self.database, owner="one", lease=timedelta(minutes=1), new_id=make_id, clock=utc_now
        )

    async def work(self, plan: str = "") -> None:
        """Walk what is due; a plan makes the process die on the way."""
        store = self.sagas()
        # A saga whose walk failed rests a while; here nobody waits for that.
        await self.database.run(
            lambda tx: tx.execute("UPDATE sagas SET due_at = now() WHERE due_at IS NOT NULL")
        )
        coordinator = Coordinator(
            store,
            self.services,
            clock=utc_now,
            in_flight_max=8,
            policy=RetryPolicy(),
            faults=FaultPoints.parse(plan, "development"),
            moved=lambda _: None,
        )
        await coordinator.claim_and_walk()
        await coordinator.finish()

    async def failed(self) -> Payment:
        """Bring a payment to FAILED."""
        payment = (new := make_new_payment()).payment
        await self.payments.accept(new)
        await self.work()
        found = await self.payments.find(payment.payment_id)
        assert found is not None
        assert found.status is PaymentStatus.FAILED
        return found

    async def told(self, payment: Payment, *charged: Attempt) -> Applied:
        """Hear of news of a payment."""
        return await self.events(*charged).apply([payment.payment_id], [payment.payment_id])

    def events(self, *charged: Attempt) -> PspEvents:
        """Make what applies news, of a gateway that knows of what was charged."""
        gateway: Any = Gateway(list(charged))
        return PspEvents(self.payments, self.sagas(), self.sagas(), gateway, utc_now)

    async def only_case(self, payment: Payment) -> Case:
        """Read the payment's one case."""
        (case,) = await self.cases.cases_of(payment.payment_id)
        return case


def late(payment: Payment) -> Attempt:
    """Make a late charge of a payment."""
    return replace(late_attempt(), attempt_id=f"att_{payment.payment_id[4:]}c1l1")


@pytest.fixture
def world(payment_db: Database) -> World:
    """Make a world."""
    return World(payment_db, Services())


async def test_it_is_found_once_and_told(world: World) -> None:
    """Told eight times at once, it begins once, ends closed, and the payment stays FAILED."""
    before = await world.failed()
    told = await asyncio.gather(*(world.told(before, late(before)) for _ in range(8)))
    await world.work()
    again = await world.told(before, late(before))
    case = await world.only_case(before)

    assert sum(applied.late for applied in told) == 1
    assert again.late == 0
    assert (case.status, case.resolution, case.amount) == (CaseStatus.CLOSED, "GIVEN_BACK", "10.00")
    assert [line.kind for line in case.history] == [
        "OPENED", "BOOKED", "GIVEN_BACK", "RELEASED", "CLOSED"
    ]  # fmt: skip
    assert await world.payments.find(before.payment_id) == before
    events = await world.database.read(
        "SELECT type FROM outbox WHERE object_id = %s ORDER BY sequence", [case.case_id]
    )
    assert [row["type"] for row in events] == ["case.opened", "case.closed"]
    assert await world.cases.find_case(case.case_id) == case
    assert case.case_id in {
        c.case_id for c in await world.cases.list_cases(CaseStatus.CLOSED, 500, None)
    }


@pytest.mark.parametrize("first", ["gateway", "operators"])
async def test_it_is_counted_and_logged_once(world: World, first: str) -> None:
    """Whether the gateway tells of it or operators' work finds it, whoever comes second is silent;
    the worker is woken by the gateway's word alone.
    """
    payment = await world.failed()
    events, woken = world.events(late(payment)), list[str]()
    servicer = PaymentPspEventService(events, woken=lambda: woken.append("worker"))
    ids = [payment.payment_id]
    counted_before = REGISTRY.get_sample_value("paymesh_late_successes_total") or 0

    with capture_logs() as log:
        if first == "operators":
            await events.begin(payment.payment_id)
        request = service.ApplyPspEventsRequest(payment_ids=ids, doubtful_payment_ids=ids)
        told = await servicer.ApplyPspEvents(request, None)
        await events.begin(payment.payment_id)

    by_gateway = int(first == "gateway")
    assert (told.late_count, woken) == (by_gateway, ["worker"] * by_gateway)
    assert REGISTRY.get_sample_value("paymesh_late_successes_total") == counted_before + 1
    assert [line for line in log if line["event"] == "late_success"] == [
        {"event": "late_success", "log_level": "error", "payment_ids": ids, "count": 1}
    ]


@pytest.mark.parametrize("point", POINTS)
async def test_it_survives_a_crash_at_every_step(world: World, point: str) -> None:
    """Whatever instant the process dies at, the next run ends it; under the same ids all along."""
    payment = await world.failed()
    await world.told(payment, late(payment))

    await world.work(f"{point}=fail")
    crashed = (await world.sagas().explain(payment.payment_id))[0][-1]
    await world.work()
    case = await world.only_case(payment)

    # What comes after the last step that asks somebody is of one transaction with it.
    is_over = point == "late_success.book_refund.recorded"
    assert (crashed.progress.queue is Queue.DONE) is is_over, "the fault did not strike"
    assert case.status is CaseStatus.CLOSED
    kinds = [line.kind for line in case.history]
    assert len(kinds) == len(set(kinds)) == 5
    refunds = {c.attempt_id for c in world.services.asked if isinstance(c, RefundCharge)}
    assert refunds == {f"{late(payment).attempt_id}r1"}


async def test_a_refund_that_is_refused_is_for_a_person(payment_db: Database) -> None:
    """The case stays open and says why; the money waits in suspense."""
    world = World(payment_db, Services(Refused("PSP_CANCELLED", "No.")))
    payment = await world.failed()
    await world.told(payment, late(payment))
    await world.work()
    case = await world.only_case(payment)
    view = (await world.sagas().explain(payment.payment_id))[0][-1]

    assert case.status is CaseStatus.OPEN
    assert [line.kind for line in case.history] == ["OPENED", "BOOKED", "STUCK"]
    assert case.history[-1].detail == "PSP_CANCELLED"
    assert view.progress.queue is Queue.DEAD_LETTER
    assert view.progress.saga_id == late_success.saga_id(late(payment).attempt_id)


async def test_a_charge_that_its_saga_knows_is_not_late(world: World) -> None:
    """News of what was refused and stays so, or of nothing, begins nothing."""
    payment = await world.failed()
    declined = replace(late(payment), outcome="DECLINED")

    assert await world.told(payment, declined) == Applied(0)
    assert await world.told(payment) == Applied(0)
    assert not await world.cases.cases_of(payment.payment_id)


async def test_a_payment_that_cannot_be_read_is_nobody_elses_concern(world: World) -> None:
    """Its late charge is told of again later, and the log says why; the others' begin, and who asks
    for it alone hears that it has not begun.
    """
    bad, good = await world.failed(), await world.failed()
    charged = {payment.payment_id: late(payment) for payment in (bad, good)}
    events = world.events(*charged.values())
    await world.database.run(
        lambda tx: tx.execute(
            "UPDATE payments SET buyer_email_encrypted = '\\x01' WHERE payment_id = %s",
            [bad.payment_id],
        )
    )

    async def attempts(payment_id: str) -> tuple[Attempt, ...]:
        return (charged[payment_id],)

    events.witnesses.attempts = attempts  # type: ignore[method-assign]
    ids = sorted(charged)

    with capture_logs() as log:
        applied = await events.apply(ids, ids)

    assert (applied.late, applied.undecided) == (1, (bad.payment_id,))
    (told,) = [line for line in log if line["event"] == "news_not_judged"]
    assert (told["payment_id"], told["error"]) == (bad.payment_id, "Undecipherable")
    assert (await world.sagas().explain(good.payment_id))[0][-1].progress.kind == late_success.KIND
    with pytest.raises(Unavailable):
        await events.begin(bad.payment_id)
