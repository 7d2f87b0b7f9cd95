"""Remembers for seconds whose a key is, so that a request costs no database."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from chassis.clock import Clock
from edge_auth.domain.credentials import Caller, key_id_of, matches
from edge_auth.ports import ClientStore

_ENTRIES_MAX = 10_000


class KeyCache:
    """Tells whose a presented key is. Keys are remembered by their hash, wrong ones too.

    Args:
        store: asked when a key is not remembered.
        seconds: tells the time, in seconds that only rise.
        clock: tells the time of day, by which keys end.
        remember_s: how long an answer is remembered at most, should nobody say `forget`.
    """

    def __init__(
        self,
        store: ClientStore,
        *,
        seconds: Callable[[], float],
        clock: Clock,
        remember_s: float,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._remember_s = remember_s
        self._known: OrderedDict[bytes, tuple[float, Caller | None]] = OrderedDict()
        self._forgotten = 0

    async def caller_of(self, key: str) -> Caller | None:
        """Tell whose a key is; None: nobody's."""
        key_id = key_id_of(key)
        if key_id is None:
            return None
        digest = hashlib.sha256(key.encode()).digest()
        known = self._known.get(digest)
        started = self._seconds()
        if known is not None and known[0] > started:
            return known[1]
        forgotten, now = self._forgotten, self._clock()
        found = await self._store.find_caller(key_id, now)
        caller = found if found is not None and matches(key, found.key) else None
        remember_s = self._remember_s
        if caller is not None and caller.key_expires_at is not None:
            remember_s = min(remember_s, (caller.key_expires_at - now).total_seconds())
        if forgotten == self._forgotten:  # else what was read may be older than the change
            self._remember(digest, started + remember_s, caller)
        return caller

    def forget(self) -> None:
        """Ask anew about every key: something has changed."""
        self._known.clear()
        self._forgotten += 1

    def _remember(self, digest: bytes, until: float, caller: Caller | None) -> None:
        self._known[digest] = (until, caller)
        self._known.move_to_end(digest)
        if len(self._known) > _ENTRIES_MAX:
            self._known.popitem(last=False)
