"""Idempotency keys of the JSON faces."""

import pytest

from devstack.sandbox.jsonwire.keys import InProgress, KeyCache
from devstack.sandbox.jsonwire.messages import Answer

NOW = 1_800_000_000.0
ANSWER = Answer(201, {"id": "1"})


def test_a_key_gives_its_answer_until_it_is_forgotten() -> None:
    """The answer is there up to its time, and the key is new from then on."""
    keys = KeyCache()
    assert keys.begin("k", NOW) is None
    keys.keep("k", ANSWER, NOW + 10)

    assert keys.begin("k", NOW + 9.9) == ANSWER
    assert keys.begin("k", NOW + 10) is None


def test_a_key_is_held_while_its_call_runs() -> None:
    """A second call is told so; once the first kept nothing, the key is as new."""
    keys = KeyCache()
    keys.begin("k", NOW)

    with pytest.raises(InProgress):
        keys.begin("k", NOW)
    keys.give_up("k")

    assert keys.begin("k", NOW) is None


def test_giving_up_forgets_no_answer() -> None:
    """What was kept stays when its call ends."""
    keys = KeyCache()
    keys.begin("k", NOW)
    keys.keep("k", ANSWER, NOW + 10)

    keys.give_up("k")

    assert keys.begin("k", NOW) == ANSWER


def test_short_lives_do_not_end_long_ones() -> None:
    """Keys end each at its own time, in whatever order they came."""
    keys = KeyCache()
    keys.keep("long", ANSWER, NOW + 100)
    keys.keep("short", ANSWER, NOW + 1)

    assert keys.begin("long", NOW + 50) == ANSWER
    assert len(keys) == 1
