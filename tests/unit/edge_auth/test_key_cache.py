"""What is remembered of a key ends with the key, with its seconds, and with any change."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from edge_auth.domain.credentials import Caller, Change, StoredKey, make_key
from edge_auth.key_cache import KeyCache
from edge_auth.use_cases.create_client import NewClient, create_client
from tests.known_clients import KnownClients

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


class Watched(KnownClients):
    """Counts how often it is asked, and may do something between reading and answering."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.then: Callable[[], None] = lambda: None

    async def find_caller(self, key_id: str, now: datetime) -> Caller | None:
        """See `ports.ClientStore.find_caller`."""
        self.asked += 1
        found = await super().find_caller(key_id, now)
        self.then()
        return found


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Tell the time of day."""
        return NOW + timedelta(seconds=self.seconds)


async def known() -> tuple[Watched, Clock, KeyCache, str]:
    """Make a cache over a store with one client; answer its key too."""
    store, clock = Watched(), Clock()
    made = await create_client(
        NewClient("demo"), store=store, clock=clock.now, random_bytes=os.urandom
    )
    cache = KeyCache(store, seconds=lambda: clock.seconds, clock=clock.now, remember_s=5)
    return store, clock, cache, made.api_key


async def test_database_is_asked_once_in_five_seconds() -> None:
    """Whether the key is right or wrong."""
    store, clock, cache, key = await known()
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    for seconds in (0.0, 4.9):
        clock.seconds = seconds
        assert await cache.caller_of(key) is not None
        assert await cache.caller_of(wrong) is None

    assert store.asked == 2


async def test_key_that_ends_is_not_remembered_beyond_its_end() -> None:
    """A rotation without overlap of a second leaves the old key no second more."""
    store, clock, cache, key = await known()
    _, key_id, secret_hash = make_key(os.urandom)
    change = Change("demo", NOW, "ada", "ROTATED", key_id, "because")
    ends = NOW + timedelta(seconds=1)
    await store.rotate(StoredKey(key_id, "demo", secret_hash), ends, change)

    assert await cache.caller_of(key) is not None
    clock.seconds = 1.0
    assert await cache.caller_of(key) is None


async def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    """A look-up that was under way when the change came is asked again next time."""
    store, _, cache, key = await known()
    store.then = cache.forget

    await asyncio.gather(*(cache.caller_of(key) for _ in range(2)))
    store.then = lambda: None
    await cache.caller_of(key)
    await cache.caller_of(key)

    assert store.asked == 3
