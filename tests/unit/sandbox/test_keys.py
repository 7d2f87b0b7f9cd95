"""Idempotency keys."""

import pytest

from devstack.sandbox.stripe.changes import SERVER_ERROR, Answer
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.keys import KeyCache

DAY = 86_400.0


def test_first_result_is_replayed() -> None:
    """What was answered first is answered again, a 500 too."""
    keys = KeyCache(DAY)

    assert keys.begin("k", "f", 0) is None
    keys.keep("k", SERVER_ERROR)
    assert keys.begin("k", "f", DAY - 1) is SERVER_ERROR


def test_other_parameters_are_refused() -> None:
    """The same key with other parameters is an idempotency_error, under way or done."""
    keys = KeyCache(DAY)
    keys.begin("k", "f", 0)

    with pytest.raises(StripeError) as under_way:
        keys.begin("k", "g", 0)
    keys.keep("k", Answer(200))
    with pytest.raises(StripeError) as done:
        keys.begin("k", "g", 0)
    assert under_way.value.error["type"] == done.value.error["type"] == "idempotency_error"
    assert done.value.status == 400


def test_concurrent_duplicate_is_a_conflict() -> None:
    """While the first call is under way the second gets 409, even past the key's age."""
    keys = KeyCache(DAY)
    keys.begin("k", "f", 0)

    with pytest.raises(StripeError) as conflict:
        keys.begin("k", "f", 2 * DAY)
    assert conflict.value.status == 409
    assert conflict.value.error["code"] == "idempotency_key_in_use"


def test_a_call_given_up_leaves_no_trace() -> None:
    """A key whose call never executed is as new; one that was answered stays."""
    keys = KeyCache(DAY)
    keys.begin("given-up", "f", 0)
    keys.give_up("given-up")
    keys.begin("answered", "f", 0)
    keys.keep("answered", Answer(200))
    keys.give_up("answered")

    assert keys.begin("given-up", "g", 0) is None
    assert keys.begin("answered", "f", 0) == Answer(200)


def test_old_keys_are_forgotten() -> None:
    """At its age a key is new again, also behind one that is still under way."""
    keys = KeyCache(DAY)
    keys.begin("under-way", "f", 0)
    keys.begin("old", "f", 0)
    keys.keep("old", Answer(200))

    assert keys.begin("old", "g", DAY) is None


def test_long_keys_are_refused() -> None:
    """A key has at most 255 characters."""
    with pytest.raises(StripeError):
        KeyCache(DAY).begin("k" * 256, "f", 0)
