"""Any history of lost answers, late arrivals, crashes, waiting and duplicate commands pays at most
once, and what is said of a payout is true.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.faults import FaultPoints, InjectedFault
from chassis.money import Money
from privacy.masked import Personal
from psp_gateway.domain.attempt import Delivery
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.payout import MOVES, Destination, Payout, PspAccount, State
from psp_gateway.running import Asked, Running
from psp_gateway.use_cases.execute_payouts import Paying, execute_payout
from psp_gateway.use_cases.follow_payouts import look_at_payout
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import FreePassage
from tests.unit.psp_gateway.payout_fakes import FakeBook, FakePayer

TO = Destination(PspAccount("fake", Personal("acct_1")), "Sales of May")
FAULTS = (
    "none",
    "not_sent",
    "rate_limited",
    "refused",
    "lost",  # carried out, and the answer lost
    "held",  # carried out later, if at all
    "error_before",
    "error_before_kept",
    "error_after_kept",
)
POINTS = ("psp.payout_stored", "psp.paid_out", "psp.outcome_stored")


def new_payout(attempt_id: str = "att_1", now: datetime = NOW) -> Payout:
    """Make a payout as it is asked."""
    return Payout(
        attempt_id=attempt_id,
        payout_id="pout_1",
        client_id="demo",
        psp="fake",
        amount=Money.parse("25.00", "USD"),
        fingerprint="f",
        created_at=now,
        updated_at=now,
        key_since=now,
    )


@dataclass
class World:
    """A gateway, its book, and the PSP; the clock moves on only when it is told to."""

    can_find: bool = True
    is_slow: bool = False
    now: datetime = NOW
    book: FakeBook = field(default_factory=FakeBook)
    payer: FakePayer = field(init=False)
    retention: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        self.payer = FakePayer(
            lambda: self.now,
            can_find=self.can_find,
            is_slow=self.is_slow,
            retention=self.retention,
        )

    def paying(self, crash: str = "") -> Paying:
        """Make what paying out takes; a process that is to die dies at `crash`."""
        faults = FaultPoints({crash: ("fail", 1)} if crash else {})
        payers, guards = {"fake": self.payer}, {"fake": FreePassage()}
        return Paying(self.book, payers, guards, lambda: self.now, faults)

    async def ask(
        self, attempt_id: str = "att_1", faults: tuple[str, ...] = (), crash: str = ""
    ) -> Payout | Refusal | None:
        """Ask for a payout; None when the process died."""
        self.payer.faults = iter(faults)
        try:
            asked = new_payout(attempt_id, self.now)
            return await execute_payout(self.paying(crash), asked, TO)
        except InjectedFault:
            return None
        finally:
            self.payer.faults = iter(())


@dataclass(frozen=True)
class Go:
    """One command with its troubles, and what happens after it."""

    attempt_id: str
    faults: tuple[str, ...]
    crash: str
    wait: timedelta
    late: bool
    comes_back: bool


GOES = st.builds(
    Go,
    attempt_id=st.sampled_from(["att_1", "att_1", "att_2"]),
    faults=st.lists(st.sampled_from(FAULTS), max_size=4).map(tuple),
    crash=st.sampled_from(["", "", *POINTS]),
    wait=st.sampled_from(
        [timedelta(0), timedelta(seconds=1), timedelta(hours=7), timedelta(hours=13)]
    ),
    late=st.booleans(),
    comes_back=st.booleans(),
)


@settings(max_examples=400)
@given(goes=st.lists(GOES, max_size=8), can_find=st.booleans(), is_slow=st.booleans())
async def test_any_history_pays_once_and_tells_the_truth(
    goes: list[Go], can_find: bool, is_slow: bool
) -> None:
    """Of two attempts at a payout at most one moves money that stays; each pays once at most, under
    one key; no state is skipped backwards; and PAID, FAILED and RETURNED are the PSP's own record.
    """
    world = World(can_find=can_find, is_slow=is_slow)
    for go in goes:
        await world.ask(go.attempt_id, go.faults, go.crash)
        # What is held back arrives within the time that any network keeps a request.
        if go.late or go.wait:
            world.payer.carry_out_held()
        if go.comes_back:
            world.payer.send_back(go.attempt_id)
        world.now += go.wait
        _check(world)
    for _ in range(3):
        world.now += timedelta(hours=2)
        world.payer.carry_out_held()
        for row in list(world.book.rows.values()):
            await world.ask(row.attempt_id)
            await look_at_payout(world.paying(), world.book.rows[row.attempt_id])
        _check(world)
    _check_end(world)


def _check(world: World) -> None:
    paid, back = world.payer.paid, world.payer.back
    assert len(paid) == len(set(paid))
    assert len(set(paid) - set(back)) <= 1
    assert world.payer.keys <= {"att_1:payout", "att_2:payout"}
    for row in world.book.rows.values():
        history = world.book.history[row.attempt_id]
        assert all(after in MOVES[before] for before, after in pairwise(history))
        if row.state in (State.PAID, State.SUBMITTED, State.RETURNED):
            assert row.attempt_id in paid
        if row.state is State.RETURNED:
            assert row.attempt_id in back
        if row.state is State.FAILED:
            assert row.attempt_id not in set(paid) - set(back)
        assert row.delivery is not Delivery.NOT_SENT or row.state is State.TRANSIENT


def _check_end(world: World) -> None:
    """Where the PSP can be asked, what it paid is known in the end."""
    for row in world.book.rows.values():
        if row.attempt_id in world.payer.paid and world.can_find:
            is_back = row.attempt_id in world.payer.back
            known = (State.FAILED, State.RETURNED) if is_back else (State.PAID, State.SUBMITTED)
            assert row.state in known


async def test_a_forgotten_key_is_not_sent_again() -> None:
    """After half of the time that the PSP keeps keys only a look-up is left; where there is none,
    or it finds nothing, a person must look.
    """
    for can_find in (True, False):
        world = World(can_find=can_find)
        await world.ask(faults=("error_before", "error_before", "error_before"))
        world.now += timedelta(hours=13)

        found = await world.ask()

        assert isinstance(found, Payout)
        assert (found.state, found.reason) == (State.UNKNOWN, "KEY_TOO_OLD")
        assert world.payer.paid == []


async def test_what_never_left_may_be_sent_at_any_time() -> None:
    """A PSP that was not reached knows no key: days later the same attempt pays."""
    world = World(can_find=False)
    before = await world.ask(faults=("not_sent",))
    world.now += timedelta(days=9)

    found = await world.ask()

    assert isinstance(before, Payout)
    assert (before.state, before.delivery) == (State.TRANSIENT, Delivery.NOT_SENT)
    assert isinstance(found, Payout)
    assert found.state is State.PAID
    assert world.payer.paid == ["att_1"]


async def test_a_refusal_after_an_unknown_is_no_end() -> None:
    """What is said of the second request says nothing of the first, which may be on its way."""
    world = World()
    await world.ask(faults=("held", "none", "refused"))
    row = world.book.rows["att_1"]
    world.payer.carry_out_held()
    world.now += timedelta(minutes=1)
    found = await world.ask()

    assert row.state is State.UNKNOWN
    assert isinstance(found, Payout)
    assert found.state in (State.PAID, State.UNKNOWN)
    assert len(world.payer.paid) <= 1


async def test_what_is_paid_is_looked_at_again_after_an_hour() -> None:
    """Asked sooner it is answered as it stands; later it may have come back."""
    world = World()
    await world.ask()
    world.payer.send_back("att_1")
    world.now += timedelta(minutes=59)
    soon = await world.ask()
    world.now += timedelta(minutes=1)
    later = await world.ask()

    assert isinstance(soon, Payout)
    assert isinstance(later, Payout)
    assert (soon.state, later.state) == (State.PAID, State.RETURNED)
    assert later.paid_at == NOW
    assert later.message


async def test_one_that_takes_long_is_told_as_it_stands() -> None:
    """What was paid is not told as what nothing is known of, because its PSP is slow to say so."""
    world = World()
    await world.ask()
    world.now += timedelta(hours=2)
    let = asyncio.Event()

    class Slow(FreePassage):
        """A PSP that answers when it is let."""

        async def ask(self, operation: str, send: Any, **more: Any) -> Any:
            """See `ports.Guarding`."""
            await let.wait()
            return await send()

    running = Running[Payout](answer_s=0.05, count_max=10)
    paying = replace(world.paying(), guards={"fake": Slow()}, noted=running.saw)
    asked = new_payout(now=world.now)
    take = partial(execute_payout, paying, asked, TO)

    (told,) = await running.run([Asked(asked, take)])
    let.set()
    await running.close(60.0)

    assert isinstance(told, Payout)
    assert (told.state, told.psp_reference) == (State.PAID, "tr_att_1")


def test_states_move_forward_only() -> None:
    """What is over stays, what is accepted is never unknown again, and only PAID is RETURNED."""
    assert not MOVES[State.FAILED] | MOVES[State.RETURNED]
    assert all(
        State.RETURNED not in after for before, after in MOVES.items() if before is not State.PAID
    )
    for accepted in (State.SUBMITTED, State.PAID):
        unsure = {State.PENDING, State.TRANSIENT, State.UNKNOWN}
        assert not MOVES[accepted] & unsure
    assert {State.PENDING, State.TRANSIENT}.isdisjoint(MOVES[State.UNKNOWN])


def test_no_repr_has_the_destination() -> None:
    """Nor has anything that is stored."""
    assert "acct_1" not in repr(TO)
    assert "May" not in repr(TO)
    assert "acct_1" not in repr(replace(new_payout(), reason="x"))
