"""Remembers for seconds whose a key is, so that a request costs no database."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from edge_auth.domain.credentials import key_id_of, matches
from edge_auth.ports import ClientStore

_ENTRIES_MAX = 10_000


class KeyCache:
    """Tells whose a presented key is. Keys are remembered by their hash, wrong ones too.

    Args:
        store: asked when a key is not remembered.
        seconds: tells the time, in seconds that only rise.
        remember_s: how long an answer is remembered; a revoked key works that much longer.
    """

    def __init__(
        self, store: ClientStore, *, seconds: Callable[[], float], remember_s: float
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._remember_s = remember_s
        self._known: OrderedDict[bytes, tuple[float, str | None]] = OrderedDict()

    async def client_of(self, key: str) -> str | None:
        """Tell whose a key is; None: nobody's."""
        key_id = key_id_of(key)
        if key_id is None:
            return None
        digest = hashlib.sha256(key.encode()).digest()
        known = self._known.get(digest)
        now = self._seconds()
        if known is not None and known[0] > now:
            return known[1]
        stored = await self._store.find_key(key_id)
        client_id = stored.client_id if stored is not None and matches(key, stored) else None
        self._remember(digest, now + self._remember_s, client_id)
        return client_id

    def _remember(self, digest: bytes, until: float, client_id: str | None) -> None:
        self._known[digest] = (until, client_id)
        self._known.move_to_end(digest)
        if len(self._known) > _ENTRIES_MAX:
            self._known.popitem(last=False)
