"""What earlier versions left in flight is read by this one, and ends well. README.md says more."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from payment_svc.domain.resolution import Decision
from payment_svc.domain.statuses import FINAL, PAYMENT_MOVES, OrderStatus
from payment_svc.sagas import late_success
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Journey, Queue, Saga, nothing
from payment_svc.sagas.keeping import is_kept
from tests.saga.test_kept import leave
from tests.saga.world import Sagas
from tests.upgrade.journeys import EXPIRED, claim_all, let_dead_on
from tests.upgrade.record import FOLDER, FORM
from tests.upgrade.states import State, in_flight, restored

RECORDINGS = sorted(FOLDER.glob("in_flight*.jsonl"))
STATES_MIN = 200
STEPS_MAX = 200


def read(path: Path) -> list[State]:
    """Read a recording, and see that it is one."""
    header, *states = (json.loads(line) for line in path.read_text().splitlines())
    assert header["form"] == FORM
    assert header["version"]
    return states


def play_on(sagas: Sagas) -> None:
    """Go on as after an upgrade: all is claimed anew, dead letters are let go on, days pass."""
    let_dead_on(sagas)
    claim_all(sagas)
    for _ in range(2):
        for _ in range(STEPS_MAX):
            if not sagas.open:
                break
            sagas.step(sagas.open[0], "done")
        sagas.now += EXPIRED


def assert_square(sagas: Sagas) -> None:
    """All is over, and what was kept of the buyer's money is what was sold, credited and booked, or
    what two persons left with a PSP and suspense has.
    """
    assert {walk.progress.queue for walk in sagas.walks.values()} == {Queue.DONE}
    payment, world = sagas.payment, sagas.world
    assert payment.status in FINAL
    sold = [order for order in payment.orders if order.status is OrderStatus.SUCCESS]
    taken = sum((order.taken.amount for order in sold), Decimal(0))
    suspense = (what for name, what in world.posted.items() if not name.endswith(":captured"))
    left = sum(suspense, Decimal(0))
    assert left == sum((left_by(walk) for walk in sagas.walks.values()), Decimal(0))
    assert world.kept == taken + left
    assert sum(world.posted.values()) == taken + left
    assert sum(world.credited.values()) == taken
    assert len(world.credited) == len(sold)
    assert set(world.held) <= world.voided | set(world.captured_of.values())
    assert payment.payment_token is None
    steps = zip(sagas.statuses, sagas.statuses[1:], strict=False)
    assert all(after in PAYMENT_MOVES[before] for before, after in steps)


def left_by(walk: Journey) -> Decimal:
    """Tell what a saga left with its PSP by the word of two persons."""
    if is_kept(walk):
        return walk.amount.amount
    is_late = walk.progress.kind == late_success.KIND and not late_success.is_held(walk)
    is_left = is_late and late_success.is_given_up(walk)
    return late_success.late_amount(walk).amount if is_left else Decimal(0)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_was_in_flight_ends_square(path: Path) -> None:
    """Each state, of whatever version: to the end, and no money is lost or made."""
    failed = []
    for line, state in enumerate(read(path), start=2):
        try:
            sagas = restored(state)
            version = sagas.payment.version
            play_on(sagas)
            assert_square(sagas)
            assert sagas.payment.version == version + len(sagas.statuses) - 1
        except Exception as error:  # noqa: BLE001 - all lines that fail are told, not the first
            stood = [(s["kind"], s["step"], s["queue"]) for s in in_flight(state)]
            failed.append((line, stood, repr(error)))

    assert not failed, f"{len(failed)} states do not end, such as {failed[:3]}"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_no_psp_gives_back_may_be_left_there(path: Path) -> None:
    """Dead letters of any version: two persons end them, and suspense has what the PSP has."""
    count = 0
    for state in read(path):
        sagas = restored(state)
        count += leave(sagas, Decision.GIVE_UP)
        play_on(sagas)
        assert_square(sagas)

    assert count > 0 or path.stem != "in_flight"


def asks(saga: Saga, name: str) -> bool:
    """Whether a saga can stand at a step: what asks nothing is taken with the step before it."""
    return name == saga.steps[0].name or saga.step(name).do is not nothing


def test_every_step_of_today_is_recorded() -> None:
    """Whoever adds a step, or a kind of saga, records anew, in a file of its own."""
    states = [state for path in RECORDINGS for state in read(path)]
    flying = [saga for state in states for saga in in_flight(state)]
    stood = {(saga["kind"], saga["step"]) for saga in flying}
    ended = {(saga["kind"], saga["step"]) for state in states for saga in state["sagas"]}
    steps = {(saga.kind, step.name): saga for saga in SAGAS.values() for step in saga.steps}

    assert sum(bool(in_flight(state)) for state in states) >= STATES_MIN
    assert steps.keys() - ended == set()
    assert {at for at, saga in steps.items() if asks(saga, at[1])} - stood == set()
    assert {saga["queue"] for saga in flying} == set(Queue) - {Queue.DONE}


def test_every_step_was_left_in_every_way() -> None:
    """Claimed by who died then, parked, and laid before a person; and back, where it is undone."""
    flying = [s for path in RECORDINGS for state in read(path) for s in in_flight(state)]
    found = {(s["kind"], s["step"], s["queue"]) for s in flying}
    wanted = {
        (saga.kind, step.name, queue)
        for saga in SAGAS.values()
        for step in saga.steps
        if step.do is not nothing
        for queue in (Queue.PAYMENT, Queue.RETRY, Queue.DEAD_LETTER)
    }
    back = {(s["kind"], s["step"]) for s in flying if s["turned_round"]}
    undone = {
        (saga.kind, step.name)
        for saga in SAGAS.values()
        for step in saga.steps
        if step.undo is not nothing
    }

    assert wanted - found == set()
    assert undone - back == set()
