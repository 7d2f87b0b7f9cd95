"""The gate before the queue: it closes when too much waits, and opens only when much less does."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from payment_svc.admission import QueueAdmission
from payment_svc.domain.backlog import Backlog, BacklogLimits, Gate

LIMITS = BacklogLimits(depth_max=100, age_max=timedelta(seconds=10))
backlogs = st.builds(
    Backlog, st.integers(0, 200), st.timedeltas(timedelta(0), timedelta(seconds=60))
)


def gate(*seen: tuple[int, float]) -> Gate:
    """Let a gate see backlogs of a depth and an age in seconds."""
    found = Gate(LIMITS)
    for depth, oldest_s in seen:
        found = found.saw(Backlog(depth, timedelta(seconds=oldest_s)))
    return found


def test_it_closes_by_depth_or_by_age() -> None:
    """Either is enough; exactly the limit is not."""
    assert gate((101, 0)).is_closed
    assert gate((1, 10.1)).is_closed
    assert not gate((100, 10)).is_closed


def test_it_opens_at_half_of_both() -> None:
    """Between half and all it stays as it was."""
    assert gate((101, 0), (51, 0)).is_closed
    assert gate((101, 0), (50, 5.1)).is_closed
    assert not gate((101, 0), (50, 5)).is_closed
    assert not gate((51, 0)).is_closed


@given(seen=st.lists(backlogs, max_size=30))
def test_it_never_flaps(seen: list[Backlog]) -> None:
    """It changes only beyond the limits or at half of them, and asks for 1 to 30 seconds."""
    found = Gate(LIMITS)
    for backlog in seen:
        before, found = found, found.saw(backlog)
        if LIMITS.is_above(backlog):
            assert found.is_closed
        elif LIMITS.is_well_below(backlog):
            assert not found.is_closed
        else:
            assert found.is_closed == before.is_closed
        assert timedelta(seconds=1) <= found.wait <= timedelta(seconds=30)


def test_the_edge_is_asked_to_stop_before_the_gate_closes() -> None:
    """At half of the limits; what is on its way then is still taken in."""
    admission = QueueAdmission(LIMITS)

    admission.saw(Backlog(51, timedelta(seconds=3)))
    assert admission.early_wait() == timedelta(seconds=3)
    assert admission.wait() is None
    admission.saw(Backlog(101, timedelta(seconds=3)))
    assert admission.wait() == timedelta(seconds=3)
    admission.saw(Backlog(25, timedelta(0)))
    assert (admission.early_wait(), admission.wait()) == (None, None)
