"""Any history of lost answers, late arrivals, crashes and waiting moves money at most once, and
what is said of it is true.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chassis.faults import FaultPoints, InjectedFault
from chassis.money import Money
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome, Stage
from psp_gateway.domain.errors import Refusal
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.execute_holds import execute_hold
from psp_gateway.use_cases.execute_refunds import execute_refund
from psp_gateway.use_cases.take_further import Means, Paying
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import DECLINED_TOKEN, FAULTS, FakePsp, FakeStore, FreePassage

POINTS = (
    "psp.attempt_stored",
    "psp.created",
    "psp.confirmed",
    "psp.captured",
    "psp.voided",
    "psp.refunded",
    "psp.outcome_stored",
)
SUCCESS = Outcome.SUCCEEDED


def new_charge() -> Attempt:
    """Make a charge as it is asked."""
    return Attempt(
        attempt_id="att_1",
        kind=Kind.CHARGE,
        payment_id="pay_1",
        client_id="demo",
        psp="fake",
        amount=Money.parse("99.99", "USD"),
        stage=Stage.CREATE,
        created_at=NOW,
        updated_at=NOW,
    )


def new_refund() -> Attempt:
    """Make a refund of it as it is asked."""
    return replace(
        new_charge(),
        attempt_id="att_refund1",
        kind=Kind.REFUND,
        payment_id="",
        client_id="",
        stage=Stage.REFUND,
        charge_attempt_id="att_1",
    )


def new_hold() -> Attempt:
    """Make an authorization as it is asked."""
    return replace(new_charge(), kind=Kind.AUTHORIZATION)


def new_capture(amount: str = "99.99", attempt_id: str = "att_capture1") -> Attempt:
    """Make a capture of it as it is asked."""
    return replace(
        new_refund(),
        attempt_id=attempt_id,
        kind=Kind.CAPTURE,
        stage=Stage.CAPTURE,
        amount=Money.parse(amount, "USD"),
    )


def new_void(attempt_id: str = "att_void1") -> Attempt:
    """Make a void of it as it is asked."""
    return replace(new_refund(), attempt_id=attempt_id, kind=Kind.VOID, stage=Stage.VOID)


@dataclass
class World:
    """A gateway that can crash, on a clock that can be moved."""

    faults: Sequence[str] = ()
    token: str = "tok"
    is_last_try: bool = False
    psp: FakePsp = field(init=False)
    store: FakeStore = field(default_factory=FakeStore)
    now: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.psp = FakePsp(iter(self.faults))

    async def ask(self, plan: str = "", asked: Attempt | None = None) -> Attempt | None:
        """Ask for the attempt; None when the process crashed on the way."""
        answer = await self.answer(plan, asked or new_charge())
        assert not isinstance(answer, Refusal)
        return answer

    async def answer(self, plan: str, asked: Attempt) -> Attempt | Refusal | None:
        """Ask for the attempt, which may be refused."""
        means = Means(
            store=self.store,
            providers={"fake": self.psp},
            guards={"fake": FreePassage()},
            clock=lambda: NOW + self.now,
            faults=FaultPoints.parse(plan, "development"),
        )
        try:
            match asked.kind:
                case Kind.REFUND:
                    return await execute_refund(means, asked)
                case Kind.CAPTURE | Kind.VOID:
                    return await execute_hold(means, asked)
                case _:
                    paying = Paying(Secret(self.token), is_last_try=self.is_last_try)
                    return await execute_charge(means, asked, paying)
        except InjectedFault:
            return None

    def charges(self) -> int:
        """Count the charges of the PSP's own record."""
        return self.psp.moved.count(("charge", "att_1"))

    def refunds(self) -> int:
        """Count the refunds of the PSP's own record."""
        return self.psp.moved.count(("refund", "att_refund1"))

    async def settle(self, asked: Attempt | None = None) -> Attempt:
        """Let all trouble end, and ask on."""
        self.psp.faults = iter(())
        self.psp.carry_out_held()
        answer = None
        for _ in range(5):
            self.now += timedelta(seconds=1)
            answer = await self.ask("", asked)
            assert answer is not None
            if answer.outcome.is_final:
                break
        assert answer is not None
        return answer


def is_truly_not_sent(world: World) -> bool:
    """Whether no stored row says NOT_SENT of what may yet move money."""
    return all(
        row.outcome is Outcome.TRANSIENT or row.delivery is not Delivery.NOT_SENT
        for row in world.store.rows.values()
    )


visits = st.lists(
    st.tuples(
        st.sampled_from(["", *(f"{point}=fail@{nth}" for point in POINTS for nth in (1, 2, 3))]),
        st.sampled_from([0.0, 1.0, 60.0]),  # seconds until the visit
        st.booleans(),  # held requests arrive before it
    ),
    max_size=6,
)
troubles = st.lists(st.sampled_from(["none", "held", "rate_limited", *FAULTS]), max_size=12)


@settings(max_examples=400, deadline=None)
# Held on its way, looked up too early, and the repetition refused: still a doubt.
@example(["none", "held", "none", "rate_limited"], [("", 0.0, False)], "tok")
# The same with a crash in between.
@example(
    ["none", "held", "none", "rate_limited"],
    [("psp.confirmed=fail@1", 0.0, False), ("", 1.0, False)],
    "tok",
)
# A refused confirm, another that is held and forgotten in a crash, and one that is refused again.
@example(
    ["none", "rate_limited", "held", "rate_limited", "rate_limited"],
    [("", 0.0, False), ("psp.confirmed=fail@1", 1.0, False), ("", 1.0, False)],
    "tok",
)
@example(
    ["none", "rate_limited", "held", "none", "rate_limited"],
    [("", 0.0, False), ("psp.confirmed=fail@1", 1.0, False), ("", 1.0, False)],
    "tok",
)
@given(faults=troubles, visits=visits, token=st.sampled_from(["tok", DECLINED_TOKEN]))
async def test_what_is_said_of_a_charge_is_true(
    faults: list[str], visits: list[tuple[str, float, bool]], token: str
) -> None:
    """SUCCEEDED means charged once; DECLINED and TRANSIENT mean not charged, not even later; in the
    end it is one of the first two.
    """
    world = World(faults, token)
    for plan, wait_s, arrive in visits:
        world.now += timedelta(seconds=wait_s)
        if arrive:
            world.psp.carry_out_held()
        answer = await world.ask(plan)
        assert world.charges() <= 1
        assert is_truly_not_sent(world)
        if answer is not None and answer.outcome is SUCCESS:
            assert world.charges() == 1
        if answer is not None and answer.outcome in (Outcome.DECLINED, Outcome.TRANSIENT):
            world.psp.carry_out_held()
            assert world.charges() == 0

    settled = await world.settle()

    assert settled.outcome is (Outcome.DECLINED if token == DECLINED_TOKEN else SUCCESS)
    assert world.charges() == (token != DECLINED_TOKEN)


@settings(max_examples=300, deadline=None)
@given(faults=troubles, visits=visits)
async def test_what_is_said_of_a_refund_is_true(
    faults: list[str], visits: list[tuple[str, float, bool]]
) -> None:
    """SUCCEEDED means given back once, TRANSIENT means not given back, not even later; nothing is
    ever given back twice.
    """
    world = World()
    await world.ask()
    world.psp.faults = iter(faults)
    for plan, wait_s, arrive in visits:
        world.now += timedelta(seconds=wait_s)
        if arrive:
            world.psp.carry_out_held()
        answer = await world.ask(plan, new_refund())
        assert is_truly_not_sent(world)
        if answer is not None and answer.outcome is Outcome.TRANSIENT:
            world.psp.carry_out_held()
            assert world.refunds() == 0

    settled = await world.settle(new_refund())

    assert world.refunds() == (settled.outcome is SUCCESS)
    assert settled.outcome in (SUCCESS, Outcome.UNKNOWN)


@pytest.mark.parametrize("hours", [12, 24, 100])
async def test_an_old_key_is_never_sent_again(hours: int) -> None:
    """After half of the PSP's retention an attempt is only looked up; not found, it is UNKNOWN."""
    world = World(["lost"])
    world.psp.faults = iter(["none", "held", "lost", "lost", "lost"])
    await world.ask()
    sent = list(world.psp.sent_keys)
    world.psp.faults = iter(())
    world.now = timedelta(hours=hours)

    answer = await world.ask()

    assert answer is not None
    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "KEY_TOO_OLD")
    assert world.psp.sent_keys == sent

    world.psp.carry_out_held()
    world.now += timedelta(hours=1)
    late = await world.ask()
    assert late is not None
    assert late.outcome is SUCCESS


async def test_a_key_is_sent_again_while_it_is_young() -> None:
    """Just inside the window the same key is sent again."""
    world = World(["lost", "lost"])
    await world.ask()
    world.now = timedelta(hours=12) - timedelta(seconds=1)

    answer = await world.ask()

    assert answer is not None
    assert answer.outcome is SUCCESS
    assert world.psp.sent_keys == [*["att_1:create"] * 3, "att_1:confirm"]


async def test_an_unfinished_attempt_rests_before_it_is_asked_about() -> None:
    """Asked again at once, what is stored is answered and the PSP is left alone."""
    world = World(["rate_limited"])
    await world.ask()

    answer = await world.ask()

    assert answer is not None
    assert answer.outcome is Outcome.TRANSIENT
    assert len(world.psp.sent_keys) == 1


async def test_what_is_final_never_reaches_the_psp() -> None:
    """A final outcome is answered from the store."""
    world = World()
    await world.ask()
    world.now = timedelta(days=400)

    answer = await world.ask()

    assert answer is not None
    assert answer.outcome is SUCCESS
    assert world.psp.sent_keys == ["att_1:create", "att_1:confirm"]


@pytest.mark.parametrize("faults", [["rate_limited"], ["none", "not_sent"]])
async def test_what_the_last_try_leaves_undone_is_never_done(faults: list[str]) -> None:
    """A call that was on its way while its caller gave up finds the charge ended."""
    world = World(faults, is_last_try=True)
    given_up = await world.ask()
    world.is_last_try = False

    late = await world.settle()

    assert given_up is not None
    assert given_up.outcome is late.outcome is Outcome.DECLINED
    assert world.charges() == 0


@pytest.mark.parametrize("faults", [["lost", "lost"], ["none", "lost"], []])
async def test_the_last_try_ends_nothing_that_may_have_happened(faults: list[str]) -> None:
    """Who gives up is told what is so: a charge that may be under way, or that was made."""
    world = World(faults, is_last_try=True)
    answer = await world.ask()

    assert answer is not None
    assert answer.outcome is not Outcome.DECLINED
    assert (await world.settle()).outcome is SUCCESS
    assert world.charges() == 1
