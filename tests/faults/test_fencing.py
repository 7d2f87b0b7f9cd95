"""Who slept through his lease, or has a wrong clock, does nothing twice and undoes nothing: real
processes are stopped and woken over one real database.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import psycopg
import pytest
import pytest_asyncio
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from paymesh.psp.v1 import attempt_pb2

from devstack.audit import CHECKERS, Told, gather, judge_all, violations
from tests.faults.instances import (
    DEADLINE_S,
    Instance,
    Settings,
    first,
    own_lane,
    pay,
    payments_of,
    second,
    until,
    until_all,
)
from tests.faults.matrix.judge import unsound
from tests.faults.matrix.lane import Lane
from tests.faults.matrix.processes import Nursery, nurseries
from tests.servers import PostgresServer
from tests.unit.ledger_svc.builders import CLEARING, SELLER, wire_account, wire_posting
from tests.unit.psp_gateway.sandbox import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT_LEASE = {"payment_svc": {"SAGA_LEASE_S": "1"}}
MakeLane = Callable[[Settings], AbstractAsyncContextManager[Lane]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Nursery]]:
    """Every service, imported and ready to be forked."""
    async with nurseries(tmp_path_factory.mktemp("nurseries") / "log") as started:
        yield dict(started)


@pytest.fixture
def lane_of(
    tmp_path: Path, forks: dict[str, Nursery], postgres: PostgresServer, redis_url: str
) -> MakeLane:
    """Make lanes with settings by service."""
    return partial(own_lane, tmp_path, forks, postgres, redis_url)


async def sound(lane: Lane, payment_ids: list[str], *, but: Set[str] = frozenset()) -> None:
    """Hold every payment, and the whole lane, against the invariants; `but` are ledger references
    that a test wrote itself.
    """
    for payment_id in payment_ids:
        trail = await lane.operator.trail(payment_id)
        assert unsound(trail, lane.tellings.told[payment_id]) == []
    facts = await gather(lane.place.described())
    own = {one.transaction_id for one in facts.transactions if one.reference in but}
    facts = replace(
        facts,
        transactions=[one for one in facts.transactions if one.transaction_id not in own],
        entries=[one for one in facts.entries if one.transaction_id not in own],
    )
    told = Told(notices=lane.tellings.notices)
    assert violations(judge_all(CHECKERS, facts, told)) == []


async def steps_in_journals(lane: Lane) -> int:
    """Count all steps that were written down."""
    (row,) = await lane.rows("SELECT count(*) AS steps FROM saga_steps")
    return int(row["steps"])


async def steps_taken(*instances: Instance) -> int:
    """Count the steps that instances say they have taken."""
    counts = [await one.count("paymesh_saga_steps_total") for one in instances]
    return sum(counts)


@pytest.mark.parametrize(
    "point", ["pay_in.charge.before", "pay_in.charge.after", "pay_in.credit.after",
              "pay_in.post.after", "settle.settle.after"],
)  # fmt: skip
async def test_a_worker_that_slept_through_its_lease_writes_nothing(
    lane_of: MakeLane, point: str
) -> None:
    """Stopped in the middle of a step, woken when another has finished the payment: its record is
    refused, and what it does late is done once.
    """
    async with lane_of(SHORT_LEASE) as lane:
        zombie = first(lane, "payment_svc")
        lane.arm("payment_svc", [f"{point}=stop"])
        payment_id = await pay(lane.payments)
        await zombie.until_stopped()

        async with second(lane, "payment_svc") as heir:
            await until_all(lane, [payment_id], "COMPLETED")
            journal = await steps_in_journals(lane)
            zombie.go_on()
            await zombie.until_fenced("saga")

            assert await steps_in_journals(lane) == journal
            assert await steps_taken(heir, zombie) == journal
            await sound(lane, [payment_id])


async def test_two_coordinators_share_the_work(lane_of: MakeLane) -> None:
    """Both walk sagas; no step is taken twice, and no webhook is sent twice."""
    async with lane_of({}) as lane, second(lane, "payment_svc") as other:
        one = first(lane, "payment_svc")
        async with payments_of(other) as payments:
            stubs = (lane.payments, payments)
            payment_ids = await asyncio.gather(*(pay(stubs[n % 2]) for n in range(40)))
            async with asyncio.timeout(DEADLINE_S):
                while not all([await steps_taken(each) for each in (one, other)]):
                    payment_ids += await asyncio.gather(*map(pay, stubs))
        await until_all(lane, payment_ids, "COMPLETED")

        assert await steps_taken(one, other) == await steps_in_journals(lane)
        (row,) = await lane.rows(
            "SELECT (SELECT count(*) FROM webhook_attempts) AS attempts,"
            " (SELECT count(*) FROM webhook_deliveries) AS deliveries"
        )
        assert row["attempts"] == row["deliveries"]
        await sound(lane, payment_ids)


@pytest.mark.parametrize("hours", [26, -26])
@pytest.mark.parametrize("wrong", ["payment_svc", "psp_gateway", "wallet_svc", "ledger_svc"])
async def test_a_wrong_clock_changes_nothing_but_what_it_tells(
    lane_of: MakeLane, wrong: str, hours: int
) -> None:
    """Leases, and who may work, go by the database's clock: whoever's own is off by a day steals
    nothing and loses nothing.
    """
    skew = {wrong: {"CLOCK_SKEW_S": str(hours * 3600)}}
    async with lane_of(skew) as lane, second(lane, "payment_svc") as other:
        one = first(lane, "payment_svc")
        payment_ids = await asyncio.gather(*(pay(lane.payments) for _ in range(10)))
        await until_all(lane, payment_ids, "COMPLETED")

        for instance in (one, other):
            assert await instance.count("paymesh_fenced_writes_total") == 0
        assert await steps_taken(one, other) == await steps_in_journals(lane)
        await sound(lane, payment_ids)


@pytest.mark.parametrize("hours", [26, -26])
async def test_a_wrong_clock_gives_nobody_up(lane_of: MakeLane, hours: int) -> None:
    """How long a step has been in trouble is judged by one clock: what one coordinator began, the
    other does not take for a day old, and a trouble of seconds makes no dead letters.
    """
    told = {"CLOCK_SKEW_S": str(hours * 3600), "RPC_TIMEOUT_S": "1"}
    async with lane_of({"payment_svc": told}) as lane, second(lane, "payment_svc") as other:
        one = first(lane, "payment_svc")
        lane.alive["risk_svc"].signal(signal.SIGSTOP)
        async with payments_of(other) as payments:
            theirs = await asyncio.gather(*(pay(payments) for _ in range(5)))
        ours = await asyncio.gather(*(pay(lane.payments) for _ in range(5)))
        # Ids are told by the process's own clock: it is wrong indeed.
        assert min(ours) > max(theirs) if hours > 0 else max(ours) < min(theirs)
        for instance in (one, other):
            await until(partial(_has_tried, instance, again=2 * len(ours)))
        lane.alive["risk_svc"].signal(signal.SIGCONT)

        await until_all(lane, [*ours, *theirs], "COMPLETED")
        await sound(lane, [*ours, *theirs])


async def test_a_gateway_that_slept_over_an_event_writes_nothing(lane_of: MakeLane) -> None:
    """Another instance applies what the PSP told; what the sleeper writes then is refused."""
    async with lane_of({}) as lane:
        zombie = first(lane, "psp_gateway")
        lane.arm("psp_gateway", ["psp.events_applied=stop"])
        payment_id = await pay(lane.payments)
        await zombie.until_stopped()

        async with second(lane, "psp_gateway"):
            await until(lambda: _no_events_left(lane))
            zombie.go_on()
            await zombie.until_fenced("webhook_event")
            await until_all(lane, [payment_id], "COMPLETED")
            await sound(lane, [payment_id])


@pytest.mark.parametrize("point", ["psp.attempt_stored", "psp.created", "psp.confirmed"])
async def test_a_gateway_that_slept_in_an_attempt_writes_nothing(
    lane_of: MakeLane, point: str
) -> None:
    """Stopped after the PSP has answered, or before it was asked, woken when another instance has
    ended the attempt: money moved once, and what the sleeper writes late is refused.
    """
    async with lane_of({}) as lane, second(lane, "psp_gateway") as other:
        zombie = first(lane, "psp_gateway")
        lane.arm("psp_gateway", [f"{point}=stop"])
        async with (
            grpc.aio.insecure_channel(zombie.target) as sleepy,
            grpc.aio.insecure_channel(other.target) as awake,
        ):
            asked = asyncio.create_task(Gateway(sleepy).charge())
            await zombie.until_stopped()
            settled = await Gateway(awake).settled()
            zombie.go_on()
            late = (await asked).attempt
        await zombie.until_fenced("attempt")

        assert settled.outcome == late.outcome == attempt_pb2.Attempt.SUCCEEDED
        assert settled.psp_reference == late.psp_reference
        record = await lane.operator.psp_record("pay_1", [])
        assert [(line["kind"], line["amount"]) for line in record] == [("charge", 9999)]


async def test_a_courier_that_slept_writes_nothing(lane_of: MakeLane) -> None:
    """Another instance delivers what it had in hand; its own late word of it is refused."""
    async with lane_of(SHORT_LEASE) as lane:
        zombie = first(lane, "payment_svc")
        lane.arm("payment_svc", ["webhooks.sent=stop"])
        payment_id = await pay(lane.payments)
        await zombie.until_stopped()
        expired = "UPDATE webhook_deliveries SET due_at = now() WHERE lease_owner IS NOT NULL"
        await lane.rows(f"{expired} RETURNING delivery_id")

        async with second(lane, "payment_svc"):
            await until_all(lane, [payment_id], "COMPLETED")
            attempts = await lane.rows("SELECT * FROM webhook_attempts")
            zombie.go_on()
            await zombie.until_fenced("webhook_delivery")

            assert await lane.rows("SELECT * FROM webhook_attempts") == attempts
            await sound(lane, [payment_id])


async def test_a_ledger_that_slept_writes_in_another_stream(lane_of: MakeLane) -> None:
    """Its stream has gone to another instance meanwhile: its next batch is refused there, and
    written elsewhere.
    """
    async with lane_of({}) as lane:
        zombie = first(lane, "ledger_svc")
        lane.arm("ledger_svc", ["ledger.batch.committed=stop"])
        payment_id = await pay(lane.payments)
        await zombie.until_stopped()
        url = lane.place.databases["ledger_svc"].owner_url
        async with await psycopg.AsyncConnection.connect(url) as owner:
            await owner.execute("UPDATE streams SET leased_until = 'epoch'")

        async with second(lane, "ledger_svc") as other:
            await _post_to(other)
            zombie.go_on()
            await until_all(lane, [payment_id], "COMPLETED")
            later = await pay(lane.payments)
            await until_all(lane, [later], "COMPLETED")

            assert await zombie.count("paymesh_fenced_writes_total", of="stream") > 0
            await sound(lane, [payment_id, later], but={"apart"})


async def _has_tried(instance: Instance, *, again: int) -> bool:
    """Tell whether an instance has met so much trouble."""
    return await instance.count("paymesh_saga_steps_total", outcome="retry") >= again


async def _no_events_left(lane: Lane) -> bool:
    return await lane.events_left() == 0


async def _post_to(instance: Instance) -> None:
    """Have an instance of the ledger write a batch of its own."""
    async with grpc.aio.insecure_channel(instance.target) as channel:
        stub = LedgerServiceStub(channel)
        accounts = [
            wire_account(CLEARING, ledger_pb2.Account.ASSET),
            wire_account(SELLER, ledger_pb2.Account.LIABILITY),
        ]
        await stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=accounts))
        postings = [wire_posting("apart", "1.00")]
        answer = await stub.PostTransactions(ledger.PostTransactionsRequest(postings=postings))
        assert answer.results[0].HasField("transaction")
