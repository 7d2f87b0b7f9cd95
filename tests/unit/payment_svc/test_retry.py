"""The strategies by which steps are tried again, and how long who asks for it is left alone."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry import (
    EXPONENTIAL,
    Cancel,
    Exponential,
    Fixed,
    Immediate,
    Incremental,
)

tries = st.integers(1, 10_000)
chances = st.floats(0, 1, exclude_max=True)
spans = st.timedeltas(timedelta(0), timedelta(hours=2))
ZERO = timedelta(0)


@given(first=spans, most=spans, least=spans, tries=tries, chance=chances)
def test_exponential_stays_between_least_and_ceiling(
    first: timedelta, most: timedelta, least: timedelta, tries: int, chance: float
) -> None:
    """No pause is above the ceiling, or below the least where the ceiling allows it."""
    strategy = Exponential(first, most, least)
    ceiling = strategy.ceiling(tries)

    assert min(least, ceiling) <= strategy.pause(tries, chance) <= ceiling <= most
    assert ceiling <= strategy.ceiling(tries + 1)


@given(tries=tries)
def test_jitter_is_full(tries: int) -> None:
    """Chance alone decides over the whole range, from the least to the ceiling."""
    ceiling = EXPONENTIAL.ceiling(tries)

    assert EXPONENTIAL.pause(tries, 0.0) == EXPONENTIAL.least
    assert ceiling - EXPONENTIAL.pause(tries, 0.999999) < timedelta(milliseconds=1)


def test_ceilings_double_from_a_second_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16 and then always 30 s."""
    ceilings = [EXPONENTIAL.ceiling(tries) / timedelta(seconds=1) for tries in range(1, 8)]

    assert ceilings == [1, 2, 4, 8, 16, 30, 30]


@given(tries=tries, chance=chances, step=spans, most=spans)
def test_the_others_keep_their_word(
    tries: int, chance: float, step: timedelta, most: timedelta
) -> None:
    """At once, always as long, longer each time up to a bound, never."""
    incremental = Incremental(step, most)

    assert Immediate().pause(tries, chance) == ZERO
    assert Fixed(step).pause(tries, chance) == step
    assert incremental.pause(tries, chance) == min(step * tries, most)
    assert incremental.pause(tries, chance) <= incremental.pause(tries + 1, chance)
    assert Cancel().pause(tries, chance) is None


@given(pause=spans, asked=st.none() | spans, from_psp=st.booleans())
def test_who_wants_to_be_left_alone_is(
    pause: timedelta, asked: timedelta | None, from_psp: bool
) -> None:
    """Retry-After is obeyed with the pause on top, up to a bound; our own services' up to 30 s. The
    pause that a step itself names is never cut.
    """
    policy = RetryPolicy()
    due = policy.due_after(pause, asked, from_psp=from_psp)

    if from_psp:
        assert due == min(asked or ZERO, policy.asked_after_max) + pause
    else:
        assert pause <= due <= max(policy.own_pause_max, pause)


def test_a_fixed_pause_is_kept_at_our_own_services_too() -> None:
    """A step that names a minute waits for a minute, whatever the service asks for besides."""
    policy, minute = RetryPolicy(), timedelta(minutes=1)
    pause = Fixed(minute).pause(1, 0.5)

    assert policy.due_after(pause, None, from_psp=False) == minute
    assert policy.due_after(pause, timedelta(hours=1), from_psp=False) == minute
    assert policy.due_after(ZERO, timedelta(hours=1), from_psp=False) == policy.own_pause_max


@given(tries=tries, chance=chances, after=st.none() | spans)
def test_what_is_not_known_is_looked_at_again_in_time(
    tries: int, chance: float, after: timedelta | None
) -> None:
    """By our own schedule five minutes apart at most, by the PSP's half an hour."""
    policy = RetryPolicy()
    most = timedelta(minutes=5) if after is None else policy.look_again_max

    assert timedelta(seconds=0.75) <= policy.look_again(tries, chance, after) <= most
