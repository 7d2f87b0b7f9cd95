"""Buckets let the long-run rate and one burst pass, for each caller alone."""

from hypothesis import given
from hypothesis import strategies as st

from edge_auth.domain import buckets
from edge_auth.domain.buckets import Buckets
from edge_auth.domain.limits import UNLIMITED, Limit


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
    limited, limit = Buckets(lambda: now), Limit("client", "caller", rate, burst)
    passed = 0
    for pause in pauses:
        now += pause
        wait = limited.take([limit]).wait_s
        passed += not wait
        assert passed <= burst + rate * now + 1e-6
        if wait:
            now += wait + 1e-9
            assert limited.take([limit]).wait_s == 0
            passed += 1


def test_zero_is_no_limit() -> None:
    """A rate of 0 lets everything pass and remembers nobody."""
    free = Buckets(lambda: 0.0)

    assert {free.take([Limit("client", "a", 0, 1)]) for _ in range(100)} == {UNLIMITED}


def test_forgotten_callers_begin_anew() -> None:
    """Memory is bounded: who was not heard of for longest is forgotten."""
    limited = Buckets(lambda: 0.0)

    def wait(subject: str) -> float:
        return limited.take([Limit("client", subject, 1, 1)]).wait_s

    wait("first")
    for number in range(buckets._CALLERS_MAX):
        wait(str(number))

    assert wait("first") == 0
    assert wait(str(buckets._CALLERS_MAX - 1)) > 0
