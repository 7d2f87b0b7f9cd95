"""What is asked again at a PSP in trouble: not too soon, not too much; none of it is lost."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chassis.faults import FaultPoints
from privacy.masked import Secret
from psp_gateway.domain.answer import Verdict, no_answer
from psp_gateway.domain.answered import advance
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome, Stage
from psp_gateway.domain.circuit import Limits
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.retry_budget import Shares
from psp_gateway.domain.walk import Patience, Seen, Step, Walk, is_due
from psp_gateway.guard import Bounds, Guard
from psp_gateway.messages import to_attempt
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.take_further import Means, Paying
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import CHALLENGED_TOKEN, FakePsp, FakeStore, capable
from tests.unit.psp_gateway.test_take_further import new_charge

SECOND = timedelta(seconds=1)
PATIENCE = Patience(timedelta(hours=12))
NEVER = Limits(calls_min=10**9)


def limited(after: timedelta | None) -> Attempt:
    """Make a charge whose PSP has asked to slow down, for so long."""
    walk = Walk(replace(new_charge(), stage=Stage.CREATE), Seen.STORED)
    verdict = Verdict(
        Outcome.TRANSIENT,
        reason=Reason.PSP_RATE_LIMITED,
        about_request=True,
        retry_after=after,
    )
    return advance(walk, Step.SEND, verdict, NOW, PATIENCE).attempt


def test_retry_after_is_kept_and_told() -> None:
    """The attempt rests as long as its PSP wants, and whoever asks is told how long."""
    attempt = limited(7 * SECOND)

    assert not is_due(attempt, NOW + 6.9 * SECOND, PATIENCE)
    assert is_due(attempt, NOW + 7 * SECOND, PATIENCE)
    assert to_attempt(attempt, NOW).retry_after.ToTimedelta() == 7 * SECOND
    assert not to_attempt(limited(None), NOW).HasField("retry_after")


@pytest.mark.parametrize(("passed", "left"), [(5, 2), (7, 0), (3600, 0)])
def test_who_asks_later_has_less_to_wait(passed: int, left: int) -> None:
    """What is told is what is left of the rest, and never negative, however old the row is."""
    told = to_attempt(limited(7 * SECOND), NOW + passed * SECOND)

    assert told.HasField("retry_after")
    assert told.retry_after.ToTimedelta() == left * SECOND


def test_what_is_final_has_nothing_to_wait_for() -> None:
    """Though it rested before."""
    ended = replace(limited(7 * SECOND), outcome=Outcome.DECLINED)

    assert not to_attempt(ended, NOW).HasField("retry_after")


def test_retry_after_of_a_day_is_five_minutes() -> None:
    """No PSP keeps a payment waiting for longer."""
    assert is_due(limited(timedelta(days=1)), NOW + timedelta(minutes=5), PATIENCE)


def test_what_is_not_known_is_looked_up_inside_the_keys_life() -> None:
    """Ever less often, but two dozen times at least while the key may be sent again."""
    walk = Walk(new_charge(), Seen.STORED)
    # The last was made by a clock that was ahead: it is not looked up each second until then.
    for age in (timedelta(0), timedelta(minutes=8), timedelta(hours=11), timedelta(hours=-11)):
        now = NOW + age
        after = advance(walk, Step.SEND, no_answer(), now, PATIENCE).attempt
        assert after.outcome is Outcome.UNKNOWN
        assert after.retry_at == now + max(SECOND, min(abs(age) / 8, timedelta(minutes=30)))


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(0), timedelta(0)),
        (timedelta(minutes=4), timedelta(seconds=30)),
        (timedelta(days=1), timedelta(minutes=1)),
        (timedelta(hours=-26), timedelta(minutes=1)),  # by a clock that was ahead
    ],
)
def test_what_no_psp_has_spoken_of_is_asked_for_soon(age: timedelta, pause: timedelta) -> None:
    """It waits for this gateway, not for its PSP; what its PSP has put off itself does not."""
    interrupted = replace(new_charge(), delivery=Delivery.SENT_NO_ANSWER)
    told = to_attempt(interrupted, NOW + age)
    at_psp = to_attempt(replace(interrupted, delivery=Delivery.ANSWERED), NOW + age)

    assert told.retry_after.ToTimedelta() == pause
    assert not at_psp.HasField("retry_after")


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ACTION_REQUIRED])
def test_what_is_unfinished_is_asked_for_soon(outcome: Outcome) -> None:
    """Whatever was known before, there is news as soon as it ends."""
    told = to_attempt(replace(new_charge(), outcome=outcome).unfinished(), NOW)

    assert told.HasField("retry_after")
    assert told.retry_after.ToTimedelta() == timedelta(0)


@dataclass
class Gateway:
    """A gateway before a PSP that can be dead, on a clock that is moved by hand."""

    psp: FakePsp
    token: str = "tok"
    store: FakeStore = field(default_factory=FakeStore)
    now: datetime = NOW
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        bounds = Bounds(shares=Shares(of_first=0.1, per_s=0.5, most=4.0))
        self.guard = Guard("fake", lambda: self.now, bounds, NEVER)

    async def ask(self, attempt_id: str, *, is_last_try: bool = False) -> Attempt:
        """Ask for a charge."""
        means = Means(
            store=self.store,
            providers={"fake": self.psp},
            guards={"fake": self.guard},
            clock=lambda: self.now,
            faults=FaultPoints({}),
        )
        asked = replace(new_charge(), attempt_id=attempt_id, created_at=self.now)
        paying = Paying(Secret(self.token), is_last_try=is_last_try)
        found = await execute_charge(means, asked, paying)
        assert isinstance(found, Attempt)
        return found


async def test_a_dead_psp_is_asked_little_more_than_offered() -> None:
    """Two hundred charges, each asked for again and again: the PSP hears 1.2 of each, and its
    probes; once it answers all are charged, once each.
    """
    gateway = Gateway(FakePsp(iter(["not_sent"] * 10_000)))
    ids = [f"att_{number}" for number in range(200)]
    for attempt_id in ids:
        gateway.now += SECOND / 10
        await gateway.ask(attempt_id)
    put_off = 0
    for _ in range(5):
        gateway.now += SECOND
        put_off += sum([(await gateway.ask(attempt_id)).is_put_off for attempt_id in ids])

    probes = 0.5 * ((gateway.now - NOW) / SECOND)
    assert put_off > 0
    assert len(gateway.psp.sent_keys) <= 1.2 * len(ids) + probes

    gateway.psp.faults = iter(())
    outcomes: list[Attempt] = []
    for _ in range(20):
        gateway.now += SECOND
        outcomes = [await gateway.ask(attempt_id) for attempt_id in ids]
    assert {attempt.outcome for attempt in outcomes} == {Outcome.SUCCEEDED}
    assert len(gateway.psp.moved) == len(set(gateway.psp.moved)) == len(ids)


async def test_what_is_put_off_stays_as_it_is() -> None:
    """It is stored as before, says so, and is no request."""
    gateway = Gateway(FakePsp(iter(["not_sent"] * 100)))
    first = await gateway.ask("att_1")
    gateway.guard.bounds = Bounds(shares=Shares(0.0, 0.0, 0.0))
    while gateway.guard.may_repeat("create"):
        pass
    gateway.now += SECOND
    answered = await gateway.ask("att_1")

    assert answered == replace(first, is_put_off=True, version=answered.version)
    assert not gateway.store.rows["att_1"].is_put_off
    assert to_attempt(answered, NOW).is_put_off


async def test_what_was_put_off_was_no_last_try() -> None:
    """Nobody has asked the PSP: it is not given up, and may be charged yet."""
    gateway = Gateway(FakePsp(iter(["not_sent"])))
    await gateway.ask("att_1")
    gateway.guard.bounds = Bounds(shares=Shares(0.0, 0.0, 0.0))
    while gateway.guard.may_repeat("create"):
        pass
    gateway.now += SECOND

    put_off = await gateway.ask("att_1", is_last_try=True)

    assert (put_off.outcome, put_off.is_put_off) == (Outcome.TRANSIENT, True)
    assert gateway.store.rows["att_1"].outcome is Outcome.TRANSIENT


async def test_polling_a_psp_that_answers_costs_nothing() -> None:
    """A buyer who takes his time uses up no budget: nothing failed."""
    gateway = Gateway(FakePsp(), token=CHALLENGED_TOKEN)
    assert (await gateway.ask("att_1")).outcome is Outcome.ACTION_REQUIRED
    while gateway.guard.may_repeat("create"):
        pass
    gateway.now += SECOND / 2
    told = await gateway.ask("att_1")

    assert not told.is_put_off
    assert told.request_count == 3


async def test_what_is_never_told_does_not_keep_the_others_waiting() -> None:
    """Of forty charges a PSP repeats a kept error for ever: one that it would answer now is not put
    off behind them.
    """
    mute = replace(capable("fake"), can_look_up=False)
    gateway = Gateway(FakePsp(iter(["error_before_kept"] * 200), mute))
    stuck = [f"att_{number}" for number in range(40)]
    for attempt_id in stuck:
        await gateway.ask(attempt_id)
    gateway.psp.faults = iter(["held", "held"])
    assert (await gateway.ask("att_one")).outcome is Outcome.UNKNOWN

    for _ in range(20):
        gateway.now += SECOND
        for attempt_id in stuck:
            assert (await gateway.ask(attempt_id)).outcome is Outcome.UNKNOWN
    found = await gateway.ask("att_one")

    assert not found.is_put_off
    assert found.outcome is Outcome.SUCCEEDED
