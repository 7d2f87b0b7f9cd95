"""Idempotency keys: what was answered under each, until it is forgotten."""

import heapq
from dataclasses import dataclass

from devstack.sandbox.jsonwire.messages import Answer


class InProgress(Exception):
    """Another call is under way with the key."""


@dataclass(slots=True)
class _Kept:
    until: float
    answer: Answer | None = None


class KeyCache:
    """The keys seen. Times are Unix seconds of the sandbox's clock."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, key: str, now: float) -> Answer | None:
        """Open a key for a call, or give the answer it already has.

        Raises:
            InProgress: another call is under way with it.
        """
        self._forget_old(now)
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = _Kept(until=now)
            return None
        if kept.answer is None:
            raise InProgress
        return kept.answer

    def keep(self, key: str, answer: Answer, until: float) -> None:
        """Keep the answer of a call that is done."""
        self._kept[key] = _Kept(until, answer)
        heapq.heappush(self._ends, (until, key))

    def give_up(self, key: str) -> None:
        """Forget a call that kept nothing, so that its key is as new."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is None:
            del self._kept[key]

    def _forget_old(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            until, key = heapq.heappop(self._ends)
            kept = self._kept.get(key)
            if kept is not None and kept.answer is not None and kept.until == until:
                del self._kept[key]
