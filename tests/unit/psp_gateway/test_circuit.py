"""The circuit breaker: when it opens, for how long, and how it closes again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.circuit import Circuit, Limits, State
from tests.builders import NOW

LIMITS = Limits(
    window=timedelta(seconds=10),
    calls_min=4,
    rest=timedelta(seconds=2),
    rest_max=timedelta(seconds=5),
)
SECOND = timedelta(seconds=1)


def after(outcomes: str, at: timedelta = timedelta()) -> Circuit:
    """Count calls, `x` for a failed one, all at one time."""
    circuit = Circuit(LIMITS, NOW)
    for outcome in outcomes:
        circuit = circuit.took(failed=outcome == "x", now=NOW + at)
    return circuit


def test_it_opens_when_half_of_enough_calls_failed() -> None:
    """Too few calls, or fewer than half, open nothing; a success never does."""
    states = {calls: after(calls).state for calls in ("xxx", "...x", ".x.x", "xx..", "..xx")}

    assert states == {
        "xxx": State.CLOSED,
        "...x": State.CLOSED,
        ".x.x": State.OPEN,
        "xx..": State.CLOSED,
        "..xx": State.OPEN,
    }


def test_old_calls_do_not_count() -> None:
    """A window that is over is forgotten."""
    circuit = after("xxx").took(failed=True, now=NOW + 10 * SECOND)

    assert (circuit.state, circuit.calls) == (State.CLOSED, 1)


def test_one_call_is_let_through_after_the_rest() -> None:
    """While it is under way no other is; its success closes the circuit."""
    opened = after("xxxx")

    assert opened.allow(NOW + 2 * SECOND - timedelta(microseconds=1)) is None
    probing = opened.allow(NOW + 2 * SECOND)
    assert probing is not None
    assert probing.state is State.HALF_OPEN
    assert probing.allow(NOW + 3 * SECOND) is None
    closed = probing.took(failed=False, now=NOW + 3 * SECOND)
    assert (closed.state, closed.calls, closed.allow(NOW)) == (State.CLOSED, 0, closed)


def test_each_failed_probe_doubles_the_rest() -> None:
    """Up to its bound; then success forgets it all."""
    circuit, now, rests = after("xxxx"), NOW, []
    for _ in range(4):
        rests.append(circuit.rest.total_seconds())
        now += circuit.rest
        probing = circuit.allow(now)
        assert probing is not None
        circuit = probing.took(failed=True, now=now)

    assert rests == [2.0, 4.0, 5.0, 5.0]


def test_a_probe_that_never_came_back_is_replaced() -> None:
    """A circuit does not stay half open for ever."""
    probing = after("xxxx").allow(NOW + 2 * SECOND)
    assert probing is not None

    assert probing.allow(NOW + 6 * SECOND) is None
    assert probing.allow(NOW + 7 * SECOND) is not None


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=60))
def test_it_always_lets_a_call_through_in_the_end(calls: list[tuple[bool, float]]) -> None:
    """Whatever happened, after the longest rest one call is made, and one success closes it."""
    circuit, now = Circuit(LIMITS, NOW), NOW
    for failed, pause in calls:
        now += timedelta(seconds=pause)
        allowed = circuit.allow(now)
        if allowed is not None:
            circuit = allowed.took(failed=failed, now=now)

    later = now + LIMITS.rest_max
    allowed = circuit.allow(later)
    assert allowed is not None
    assert allowed.took(failed=False, now=later).state is State.CLOSED
