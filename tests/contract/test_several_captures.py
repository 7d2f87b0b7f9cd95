"""What is held is captured several times, at every PSP, over the sandbox and a real PostgreSQL:
never above what is held, each capture once, and the rest let go of by the last word.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.contract.test_every_psp import PSPS, Tried, final
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.relay import running_world
from tests.unit.psp_gateway.sandbox import IMPATIENT, Gateway, Sandbox, served

HELD = ("authorization", 9999)
CUT_OFF = [
    {"kind": "charge_then_timeout"},
    {"kind": "connection_reset_after"},
    {"kind": "error_after"},
    {"kind": "malformed"},
    {"kind": "rate_limit"},
]


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> dict[str, str]:
    """Tell how long the PSPs are waited for; a test may say otherwise."""
    return dict(getattr(request, "param", {}))


@pytest.fixture(params=sorted(PSPS))
async def tried(
    request: pytest.FixtureRequest,
    psp_database: ServiceDatabase,
    tmp_path: Path,
    patience: dict[str, str],
) -> AsyncIterator[Tried]:
    """Each PSP in turn."""
    async with running_world(psp_database, tmp_path, **patience) as world:
        yield Tried(request.param, world.gateway, world.sandbox)


async def captured(
    gateway: Gateway, number: int, amount: str, *, is_final: bool = False
) -> noun.Attempt:
    """Capture until it is final."""
    asked = {"attempt_id": f"att_capture{number}", "amount": amount, "is_final": is_final}
    return await final(lambda: gateway.capture(**asked))


async def test_parts_are_taken_and_the_last_lets_go(tried: Tried) -> None:
    """Two parts and a final one; then nothing is captured or let go any more."""
    await tried.hold()
    parts = [await captured(tried.gateway, number, "20.00") for number in (1, 2)]
    again = await captured(tried.gateway, 1, "20.00")
    last = await captured(tried.gateway, 3, "30.00", is_final=True)
    more = await tried.gateway.capture(attempt_id="att_capture4", amount="1.00", is_final=False)
    void = await tried.gateway.void(amount="29.99")

    outcomes = {part.outcome for part in [*parts, again, last]}
    assert outcomes == {noun.Attempt.SUCCEEDED}
    assert [part.is_final for part in [*parts, again, last]] == [False, False, False, True]
    assert (more.refusal.reason, void.refusal.reason) == ("ALREADY_CAPTURED", "ALREADY_CAPTURED")
    taken = [moved for moved in await tried.sandbox.money() if moved[0] == "capture"]
    assert taken == [("capture", 2000), ("capture", 2000), ("capture", 3000)]


async def test_the_rest_is_let_go_of(tried: Tried) -> None:
    """After two parts a void is of what they left, and of no other amount."""
    await tried.hold()
    for number in (1, 2):
        await captured(tried.gateway, number, "20.00")
    whole = await tried.gateway.void(attempt_id="att_whole")
    void = await final(lambda: tried.gateway.void(amount="59.99"))
    late = await tried.gateway.capture(attempt_id="att_late", amount="1.00")

    assert whole.refusal.reason == "EXCEEDS_AUTHORIZATION"
    assert whole.refusal.metadata["held"] == "59.99"
    assert void.outcome == noun.Attempt.SUCCEEDED
    assert late.refusal.reason == "ALREADY_VOIDED"
    assert (await tried.sandbox.money())[1:] == [
        ("capture", 2000),
        ("capture", 2000),
        ("void", 5999),
    ]


async def test_parts_never_sum_above_the_hold(tried: Tried) -> None:
    """Not by a cent, whatever was said before of the rest."""
    await tried.hold()
    await captured(tried.gateway, 1, "99.00")
    above = await tried.gateway.capture(attempt_id="att_above", amount="1.00", is_final=False)
    rest = await captured(tried.gateway, 2, "0.99")

    assert above.refusal.reason == "EXCEEDS_AUTHORIZATION"
    assert rest.outcome == noun.Attempt.SUCCEEDED
    assert sum(amount for kind, amount in await tried.sandbox.money() if kind == "capture") == 9999


@pytest.mark.parametrize("patience", [IMPATIENT], indirect=True)
@pytest.mark.parametrize("is_final", [False, True], ids=["part", "last"])
@pytest.mark.parametrize("fault", CUT_OFF, ids=str)
async def test_a_later_capture_of_unknown_outcome_is_found(
    tried: Tried, fault: dict[str, str], is_final: bool
) -> None:
    """The second of two alike, whose answer is lost, is told from the first and taken once."""
    await tried.hold()
    await captured(tried.gateway, 1, "20.00")
    match = {"operation": "capture", "psp": tried.psp}
    await tried.sandbox.fault(fault["kind"], match=match)

    second = await captured(tried.gateway, 2, "20.00", is_final=is_final)

    assert second.outcome == noun.Attempt.SUCCEEDED
    taken = [moved for moved in await tried.sandbox.money() if moved[0] == "capture"]
    assert taken == [("capture", 2000), ("capture", 2000)]


async def test_each_capture_is_given_back_by_itself(tried: Tried) -> None:
    """Refunds go by the capture that they name, and never above it."""
    await tried.hold()
    await captured(tried.gateway, 1, "20.00")
    await captured(tried.gateway, 2, "30.00", is_final=True)
    about = "att_capture2"
    refunded = await final(lambda: tried.gateway.refund(charge_attempt_id=about, amount="30.00"))
    more = await tried.gateway.refund(attempt_id="att_r2", charge_attempt_id=about, amount="0.01")

    assert refunded.outcome == noun.Attempt.SUCCEEDED
    assert more.refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert (await tried.sandbox.money())[-1] == ("refund", 3000)


async def test_parts_at_once_over_two_gateways(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Sixteen parts of 20.00 of what is 99.99 at once: four are taken up, and a fifth never."""
    async with (
        served(psp_database, sandbox.url) as one,
        served(psp_database, sandbox.url) as two,
    ):
        await one.hold()
        answers = await asyncio.gather(
            *(
                gateway.capture(attempt_id=f"att_{name}{n}", amount="20.00", is_final=False)
                for n in range(8)
                for name, gateway in (("one", one), ("two", two))
            )
        )
        taken = [answer.attempt.attempt_id for answer in answers if answer.HasField("attempt")]
        for attempt_id in taken:
            asked = {"attempt_id": attempt_id, "amount": "20.00", "is_final": False}
            await final(lambda asked=asked: one.capture(**asked))  # type: ignore[misc]

    assert len(taken) == 4
    refused = {answer.refusal.reason for answer in answers if answer.HasField("refusal")}
    assert refused == {"EXCEEDS_AUTHORIZATION"}
    assert await sandbox.money() == [HELD, *[("capture", 2000)] * 4]


async def test_the_rest_waits_for_what_is_not_known(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """While nobody knows what a part took, neither word lets go of the rest; another part may."""
    async with served(psp_database, sandbox.url) as gateway:
        await gateway.hold()
        await sandbox.dark(dark=True)
        doubt = (await gateway.capture(amount="20.00", is_final=False)).attempt
        words = [
            await gateway.void(amount="79.99"),
            await gateway.capture(attempt_id="att_last", amount="79.99"),
        ]
        await sandbox.dark(dark=False)
        settled = await captured(gateway, 1, "20.00")
        void = await final(lambda: gateway.void(amount="79.99"))

    assert doubt.outcome == noun.Attempt.UNKNOWN
    assert {word.refusal.reason for word in words} == {"CAPTURE_UNDECIDED"}
    assert settled.outcome == void.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.money() == [HELD, ("capture", 2000), ("void", 7999)]


async def test_a_card_that_is_captured_once(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Where the network has no second capture a part is declined and says so; a final one goes."""
    async with served(psp_database, sandbox.url) as gateway:
        await gateway.hold(payment_token="pm_card_jcb")
        part = await captured(gateway, 1, "20.00")
        last = await captured(gateway, 2, "20.00", is_final=True)

    assert (part.outcome, part.reason) == (noun.Attempt.DECLINED, "CAPTURED_ONCE")
    assert last.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.money() == [HELD, ("capture", 2000)]


async def test_a_capture_is_not_another_by_its_id(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Whether it is final belongs to what is asked."""
    async with served(psp_database, sandbox.url) as gateway:
        await gateway.hold()
        await captured(gateway, 1, "20.00")
        other = await gateway.capture(amount="20.00")

    assert other.refusal.reason == "ATTEMPT_REUSED"
    assert other.refusal.metadata["differs"] == "is_final"
