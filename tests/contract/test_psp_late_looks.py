"""What was given up is looked at again by a schedule, on real PostgreSQL and at the sandbox: a late
charge of which no webhook tells is found all the same.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.psp.v1 import attempt_pb2 as noun

from chassis.clock import utc_now
from chassis.database import Database
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.late_looks import LateLook, is_accounted, looks_at
from psp_gateway.late_look_store import LateLookStore
from tests.builders import NOW
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, served
from tests.unit.psp_gateway.test_take_further import new_charge

DEADLINE_S = 60.0
HOUR = timedelta(hours=1)
SCHEDULE = (HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR)


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, sandbox: Sandbox) -> AsyncIterator[Gateway]:
    """Serve a gateway that looks soon."""
    settings = {"PSP_LATE_LOOKS_S": "0.1,0.2,0.3", "PSP_LATE_POLL_S": "0.05"}
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started


@pytest.fixture
async def psp_db(psp_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The gateway's database."""
    async with opened(psp_database) as database:
        yield database


async def rested(database: Database, attempt_id: str) -> int:
    """Wait until an attempt is looked at no more; tell how often it was."""
    query = "SELECT made FROM late_looks WHERE attempt_id = %s AND due_at IS NULL"
    async with asyncio.timeout(DEADLINE_S):
        while not (found := await database.read(query, [attempt_id])):
            await asyncio.sleep(0.02)
    return int(found[0]["made"])


async def test_a_late_charge_is_found_without_a_webhook(
    gateway: Gateway, sandbox: Sandbox, psp_db: Database
) -> None:
    """The declined attempt stays declined; what the PSP took is kept as its own, and given back."""
    await sandbox.fault("charge_then_refuse", match={"operation": "confirm"})
    declined = (await gateway.charge()).attempt
    late_id = f"{declined.attempt_id}l1"

    await rested(psp_db, declined.attempt_id)
    attempts = await gateway.attempts("pay_1")
    back = await gateway.refund(charge_attempt_id=late_id, attempt_id=f"{late_id}r1")

    assert declined.outcome == noun.Attempt.DECLINED
    assert [(a.attempt_id, a.outcome) for a in attempts] == [
        (declined.attempt_id, noun.Attempt.DECLINED),
        (late_id, noun.Attempt.SUCCEEDED),
    ]
    assert back.attempt.outcome == noun.Attempt.SUCCEEDED
    assert [kind for kind, _ in await sandbox.money()] == ["charge", "refund"]


async def test_what_was_truly_declined_stays_so(gateway: Gateway, psp_db: Database) -> None:
    """It is looked at once, since the PSP has said no of itself, and nothing changes."""
    declined = (await gateway.charge(payment_token="pm_card_chargeDeclined")).attempt

    assert await rested(psp_db, declined.attempt_id) == 1
    assert [a.attempt_id for a in await gateway.attempts("pay_1")] == [declined.attempt_id]


async def test_what_succeeded_is_never_looked_at(gateway: Gateway, psp_db: Database) -> None:
    """There is nothing to be found out."""
    await gateway.charge(attempt_id="att_2", payment_id="pay_2")
    declined = (await gateway.charge(payment_token="pm_card_chargeDeclined")).attempt
    await rested(psp_db, declined.attempt_id)

    found = await psp_db.read("SELECT attempt_id FROM late_looks")
    assert [row["attempt_id"] for row in found] == [declined.attempt_id]


async def test_each_look_is_made_by_one(psp_db: Database) -> None:
    """Many claim at once: each look is claimed once, and who was too slow writes nothing."""
    store, now = LateLookStore(psp_db), utc_now()
    planned = [LateLook(f"att_{n}", now, 0, now - HOUR) for n in range(50)]
    await asyncio.gather(store.plan(planned), store.plan(planned))

    claimed = await asyncio.gather(*(store.claim(10) for _ in range(8)))
    looks = [look for batch in claimed for look in batch]
    stale = replace(looks[0], due_at=now)
    await store.settle([(stale, replace(stale, made=9, due_at=None))])
    await store.settle([(looks[0], looks[0].after(SCHEDULE, now, told=True))])
    (row,) = await psp_db.read(
        "SELECT made, due_at FROM late_looks WHERE attempt_id = %s", [looks[0].attempt_id]
    )

    assert sorted(look.attempt_id for look in looks) == sorted(p.attempt_id for p in planned)
    assert (row["made"], row["due_at"]) == (1, now + 6 * HOUR)


def given_up(**changes: object) -> Attempt:
    """Make a charge that was declined by the PSP itself."""
    declined = replace(new_charge(), outcome=Outcome.DECLINED, reason="CARD_DECLINED")
    return replace(declined, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempt", "looks"),
    [
        (given_up(), SCHEDULE[2:3]),
        (given_up(reason="PSP_RATE_LIMITED"), SCHEDULE),
        (given_up(reason="PAGE_EXPIRED"), SCHEDULE),
        (given_up(psps_tried=("adyen",)), SCHEDULE),
        (given_up(outcome=Outcome.UNKNOWN), SCHEDULE),
        (given_up(kind=Kind.VOID, outcome=Outcome.SUCCEEDED), SCHEDULE),
    ],
)
def test_evidence_spares_looks(attempt: Attempt, looks: tuple[timedelta, ...]) -> None:
    """Where the PSP has said no of itself one look is enough."""
    assert looks_at(attempt, SCHEDULE) == looks


def test_what_another_took_of_a_hold_is_not_late() -> None:
    """The PSP's object would tell of it as if it were this attempt's."""
    capture = given_up(kind=Kind.CAPTURE, charge_attempt_id="att_1")
    other = replace(capture, attempt_id="att_other", outcome=Outcome.SUCCEEDED)
    void = given_up(kind=Kind.VOID, charge_attempt_id="att_1", outcome=Outcome.SUCCEEDED)

    assert not is_accounted(capture, [capture])
    assert is_accounted(capture, [capture, other])
    assert is_accounted(void, [void, other])
    assert not is_accounted(void, [void])
    assert is_accounted(replace(void, is_final=False), [void])
    assert is_accounted(given_up(outcome=Outcome.SUCCEEDED), [])


@given(told=st.lists(st.booleans(), max_size=40), minutes=st.integers(1, 10_000))
def test_looks_end(told: list[bool], minutes: int) -> None:
    """Each is made once when the PSP tells; while it does not, for some days, and then no more."""
    look, now = LateLook("att_1", NOW, 0, NOW + HOUR), NOW
    for answer in told:
        if look.due_at is None:
            break
        now = max(now + timedelta(minutes=minutes), look.due_at)
        before, look = look, look.after(SCHEDULE, now, told=answer)
        assert look.made == before.made + answer
    assert look.made <= len(SCHEDULE)
    assert look.due_at is None or look.due_at <= NOW + SCHEDULE[-1] + timedelta(days=5)
