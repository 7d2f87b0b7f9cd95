"""Buckets let the long-run rate and one burst pass, for each caller alone."""

from hypothesis import given
from hypothesis import strategies as st

from edge_auth.domain import buckets
from edge_auth.domain.buckets import Buckets


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 2), max_size=60),
)
def test_no_more_passes_than_burst_and_rate_allow(
    rate: int, burst: int, pauses: list[float]
) -> None:
    """Over any time, at most the burst and what the rate adds; the wait that is told is enough."""
    now = 0.0
    limited = Buckets(rate, burst, lambda: now)
    passed = 0
    for pause in pauses:
        now += pause
        wait = limited.take("caller")
        passed += not wait
        assert passed <= burst + rate * now + 1e-6
        if wait:
            now += wait + 1e-9
            assert limited.take("caller") == 0
            passed += 1


def test_zero_is_no_limit() -> None:
    """A rate of 0 lets everything pass and remembers nobody."""
    free = Buckets(0, 1, lambda: 0.0)

    assert {free.take("caller") for _ in range(100)} == {0.0}


def test_forgotten_callers_begin_anew() -> None:
    """Memory is bounded: who was not heard of for longest is forgotten."""
    limited = Buckets(1, 1, lambda: 0.0)
    limited.take("first")
    for number in range(buckets._CALLERS_MAX):
        limited.take(str(number))

    assert limited.take("first") == 0
    assert limited.take(str(buckets._CALLERS_MAX - 1)) > 0
