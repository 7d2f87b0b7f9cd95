"""Failover: another PSP is asked only when nothing can come of what the first one was asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.faults import FaultPoints, InjectedFault
from privacy.masked import Secret
from psp_gateway.domain.answer import Answer, Verdict, no_answer, not_sent, unusable
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome, Stage
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.domain.endings import rerouted
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.reasons import Reason
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.take_further import Means, Paying
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import FAULTS, FakePsp, FakeStore, FreePassage, capable
from tests.unit.psp_gateway.test_take_further import new_charge

DECLINED = Verdict(Outcome.DECLINED, reason=Reason.CARD_DECLINED)


def one_request(psp: str) -> Capabilities:
    """Declare a PSP that charges in one request and cannot be asked afterwards."""
    return replace(capable(psp), first_stage=Stage.CONFIRM, can_look_up=False)


@dataclass
class KeyedPsp(FakePsp):
    """A PSP that charges in one request: its keys are all that makes it charge once."""

    capabilities: Capabilities = field(default_factory=lambda: one_request("keyed"))
    verdict: Verdict = field(default_factory=lambda: Verdict(Outcome.SUCCEEDED, reference="psp_1"))

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge`."""

        def effect() -> Answer:
            if self.verdict.outcome is Outcome.SUCCEEDED:
                self.moved.append(("charge", attempt.attempt_id))
            return self.verdict

        return self._send(key, effect)


@dataclass
class Refusing(FakePsp):
    """A PSP that declines every charge, and says whether another may be asked."""

    verdict: Verdict = DECLINED

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge`."""
        return self.verdict


@dataclass
class World:
    """A gateway with PSPs, that can crash, on a clock that can be moved."""

    psps: dict[str, FakePsp]
    order: tuple[str, ...]
    store: FakeStore = field(default_factory=FakeStore)
    now: timedelta = timedelta()

    async def ask(self, plan: str = "") -> Attempt | None:
        """Ask for the charge; None when the process crashed on the way."""
        means = Means(
            store=self.store,
            providers=self.psps,
            guards={psp: FreePassage() for psp in self.psps},
            clock=lambda: NOW + self.now,
            faults=FaultPoints.parse(plan, "development"),
        )
        first = self.order[0]
        stage = self.psps[first].capabilities.first_stage
        asked = replace(new_charge(), psp=first, stage=stage)
        try:
            answer = await execute_charge(means, asked, Paying(Secret("tok"), self.order))
        except InjectedFault:
            return None
        assert not isinstance(answer, Refusal)
        return answer

    async def settle(self) -> Attempt:
        """Let all trouble end, and ask on."""
        for psp in self.psps.values():
            psp.faults = iter(())
            psp.carry_out_held()
        answer = None
        for _ in range(6):
            self.now += timedelta(seconds=1)
            answer = await self.ask()
        assert answer is not None
        return answer

    @property
    def charges(self) -> int:
        """Count the charges of all PSPs' own records."""
        return sum(psp.moved.count(("charge", "att_1")) for psp in self.psps.values())


def world(*psps: FakePsp) -> World:
    """Make a gateway that tries these in their order."""
    named = {psp.capabilities.psp: psp for psp in psps}
    return World(named, tuple(named))


def two_requests(name: str, faults: Sequence[str] = ()) -> FakePsp:
    """Make a PSP that charges in two requests."""
    return FakePsp(iter(faults), capable(name))


async def test_who_cannot_be_reached_is_passed_by() -> None:
    """The next PSP charges, and the attempt says who was tried."""
    gateway = world(two_requests("a", ["not_sent"]), two_requests("b"))
    answer = await gateway.ask()

    assert answer is not None
    assert (answer.outcome, answer.psp, answer.psps_tried) == (Outcome.SUCCEEDED, "b", ("a",))
    assert gateway.psps["a"].moved == []


async def test_nobody_can_be_reached() -> None:
    """It stays with the last, is transient, and is tried again there."""
    gateway = world(two_requests("a", ["not_sent"]), two_requests("b", ["not_sent"]))
    answer = await gateway.ask()

    assert answer is not None
    assert (answer.outcome, answer.delivery, answer.psp) == (
        Outcome.TRANSIENT,
        Delivery.NOT_SENT,
        "b",
    )
    assert (await gateway.settle()).psp == "b"
    assert gateway.charges == 1


@pytest.mark.parametrize("fault", ["lost", "held", "error_before", "error_before_kept"])
@pytest.mark.parametrize("keyed", [False, True])
async def test_doubt_never_goes_elsewhere(fault: str, *, keyed: bool) -> None:
    """What may have happened is asked for where it may have, whatever it takes."""
    faults = [fault] * 9 if keyed else ["none", *[fault] * 5]
    first = KeyedPsp(iter(faults)) if keyed else two_requests("a", faults)
    gateway = world(first, two_requests("b"))
    answer = await gateway.ask()

    assert answer is not None
    assert not answer.outcome.is_final
    assert answer.psps_tried == ()
    await gateway.settle()
    assert gateway.psps["b"].moved == []
    assert gateway.charges <= 1


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_decline_goes_elsewhere_only_where_the_table_says(*, elsewhere: bool) -> None:
    """An issuer's no is everybody's; a PSP's own is not."""
    no = replace(DECLINED, may_go_elsewhere=elsewhere)
    gateway = world(Refusing(capabilities=capable("a"), verdict=no), two_requests("b"))
    answer = await gateway.ask()

    assert answer is not None
    expected = (Outcome.SUCCEEDED, "b") if elsewhere else (Outcome.DECLINED, "a")
    assert (answer.outcome, answer.psp) == expected


async def test_the_last_decline_stands() -> None:
    """When all have declined, the attempt is declined, by the last of them."""
    no = replace(DECLINED, may_go_elsewhere=True)
    gateway = world(*(Refusing(capabilities=capable(name), verdict=no) for name in "abc"))
    answer = await gateway.ask()

    assert answer is not None
    assert (answer.outcome, answer.psp, answer.psps_tried) == (Outcome.DECLINED, "c", ("a", "b"))


async def test_what_is_told_unasked_is_not_asked_for() -> None:
    """A PSP without a look-up that has accepted a charge is left alone until it tells."""
    psp = KeyedPsp(verdict=Verdict(Outcome.PENDING, reference="psp_1"))
    gateway = world(psp)
    await gateway.ask()
    await gateway.settle()

    assert psp.sent_keys == ["att_1:confirm"]


async def test_a_stored_error_of_a_keyed_psp_is_left_alone() -> None:
    """Another key would be another charge: it waits for what the PSP tells."""
    psp = KeyedPsp(verdict=unusable("500", is_replay=True))
    gateway = world(psp, two_requests("b"))
    await gateway.ask()
    answer = await gateway.settle()

    assert set(psp.sent_keys) == {"att_1:confirm"}
    assert (answer.outcome, answer.psp) == (Outcome.UNKNOWN, "keyed")


CRASHES = ["", "psp.attempt_stored", "psp.created", "psp.confirmed", "psp.outcome_stored"]


@given(
    st.lists(st.sampled_from(FAULTS), max_size=6),
    st.lists(st.sampled_from(FAULTS), max_size=6),
    st.lists(st.sampled_from(CRASHES), max_size=4),
    st.permutations(["two", "keyed"]),
)
async def test_at_most_one_psp_charges(
    at_two: list[str], at_keyed: list[str], crashes: list[str], order: list[str]
) -> None:
    """Whatever fails at whom, and wherever the gateway dies, the buyer is charged once at most, and
    the answer is true.
    """
    psps = {"two": two_requests("two", at_two), "keyed": KeyedPsp(iter(at_keyed))}
    gateway = world(*(psps[name] for name in order))
    for crash in crashes:
        await gateway.ask(f"{crash}=fail" if crash else "")
        gateway.now += timedelta(seconds=1)
    answer = await gateway.settle()

    assert gateway.charges <= 1
    if answer.outcome is Outcome.SUCCEEDED:
        assert gateway.charges == 1
        assert gateway.psps[answer.psp].moved == [("charge", "att_1")]
    if answer.outcome is Outcome.DECLINED:
        assert gateway.charges == 0


def test_a_rerouted_attempt_begins_anew() -> None:
    """Nothing of what the first PSP said is left, but that it was tried."""
    told = replace(
        new_charge(),
        psp="a",
        outcome=Outcome.DECLINED,
        reason="CARD_DECLINED",
        psp_reference="pi_1",
        redirect_url="https://psp",
        psps_tried=("z",),
    )

    fresh = rerouted(told, "b", Stage.CONFIRM)

    assert fresh == replace(
        new_charge(), psp="b", stage=Stage.CONFIRM, psps_tried=("z", "a"), version=told.version
    )


def test_silence_is_not_the_same_as_never_sent() -> None:
    """The two that look alike, and must never be mixed."""
    assert no_answer().outcome is Outcome.UNKNOWN
    assert (not_sent().outcome, not_sent().delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)
