"""Lists of objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.objects import Intent
from devstack.sandbox.stripe.parameters import Window
from devstack.sandbox.stripe.shelf import Collection, Shelf


def intents(count: int) -> Collection[Intent]:
    """Make a collection of intents, the last the newest; every third of customer "c"."""
    collection: Collection[Intent] = Collection("payment_intent")
    for number in range(count):
        customer = "c" if number % 3 == 0 else None
        collection.put(Intent(f"pi_{number}", 1, "usd", "canceled", number, customer=customer))
    return collection


@given(st.integers(0, 40), st.integers(1, 12), st.booleans())
def test_a_walk_sees_each_once(count: int, limit: int, filtered: bool) -> None:
    """A walk by starting_after sees each object once, newest first; by ending_before back again."""
    collection = intents(count)

    def accept(intent: Intent) -> bool:
        return not filtered or intent.customer == "c"

    expected = [
        f"pi_{number}" for number in reversed(range(count)) if not filtered or number % 3 == 0
    ]
    seen: list[str] = []
    more = True
    while more:
        after = seen[-1] if seen else None
        page, more = collection.page(Window(limit, starting_after=after), accept)
        seen += [intent.id for intent in page]

    back: list[str] = []
    more = bool(seen)
    while more:
        before = back[0] if back else seen[-1]
        page, more = collection.page(Window(limit, ending_before=before), accept)
        back = [intent.id for intent in page] + back

    assert seen == expected
    assert back == expected[:-1]


def test_time_bounds() -> None:
    """Only objects between the bounds are listed."""
    page, more = intents(10).page(Window(since=3, until=5), lambda _: True)

    assert ([intent.id for intent in page], more) == (["pi_5", "pi_4", "pi_3"], False)


def test_an_unknown_cursor_is_refused() -> None:
    """A list cannot begin at what is not there."""
    with pytest.raises(StripeError) as refused:
        intents(3).page(Window(starting_after="pi_x"), lambda _: True)
    assert refused.value.error["code"] == "resource_missing"


def test_due_things_come_once_in_time() -> None:
    """What waits comes out at its time, once, and not when it was decided before."""
    shelf = Shelf()
    early, late = (
        Intent(name, 1, "usd", "processing", 0, settles_at=at)
        for name, at in (("a", 5.0), ("b", 9.0))
    )
    decided = Intent("c", 1, "usd", "processing", 0, settles_at=4.0)
    for intent in (late, early, decided, Intent("c", 1, "usd", "succeeded", 0)):
        shelf.put(intent, None, None)

    assert shelf.pop_due(4.9) is None
    assert shelf.pop_due(9.0) is early
    assert shelf.pop_due(9.0) is late
    assert shelf.pop_due(9.0) is None
