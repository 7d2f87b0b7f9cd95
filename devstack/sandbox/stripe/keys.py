"""Idempotency keys as Stripe v1 keeps them: the first result, errors included, until the key is
forgotten.
"""

from dataclasses import dataclass

from devstack.sandbox.stripe.changes import Answer
from devstack.sandbox.stripe.errors import StripeError, invalid

_LENGTH_MAX = 255


@dataclass(slots=True)
class _Kept:
    fingerprint: str
    since: float
    answer: Answer | None


class KeyCache:
    """The keys seen, and what was answered under each.

    Args:
        lifetime_s: how long a key is remembered, by the sandbox's clock.
    """

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, key: str, fingerprint: str, now: float) -> Answer | None:
        """Open a key for a call, or give the answer it already has.

        Raises:
            StripeError: other parameters came with the key first, another call is under way with
                it, or it is too long.
        """
        if len(key) > _LENGTH_MAX:
            raise invalid(f"Idempotency keys are limited to {_LENGTH_MAX} characters.")
        self._forget_old(now)
        kept = self._kept.get(key)
        if kept is None or self._expired(kept, now):
            self._kept.pop(key, None)
            self._kept[key] = _Kept(fingerprint, now, None)
            return None
        if kept.fingerprint != fingerprint:
            raise StripeError(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}' if you meant to execute a "
                "different request.",
            )
        if kept.answer is None:
            raise StripeError(
                409,
                "invalid_request_error",
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.",
                code="idempotency_key_in_use",
            )
        return kept.answer

    def keep(self, key: str, answer: Answer) -> None:
        """Keep the answer of a call that is done."""
        kept = self._kept.get(key)
        if kept is not None:
            kept.answer = answer

    def give_up(self, key: str) -> None:
        """Forget a call that never executed, so that its key is as new."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is None:
            del self._kept[key]

    def restore(self, key: str, fingerprint: str, since: float, answer: Answer) -> None:
        """Take up what the record says was answered under a key."""
        self._forget_old(since)
        self._kept.pop(key, None)
        self._kept[key] = _Kept(fingerprint, since, answer)

    def _forget_old(self, now: float) -> None:
        """Drop expired keys; they sit in the order they came, so the look stops at the first
        that is young or under way.
        """
        while self._kept:
            key = next(iter(self._kept))
            if not self._expired(self._kept[key], now):
                return
            del self._kept[key]

    def _expired(self, kept: _Kept, now: float) -> bool:
        return kept.answer is not None and now - kept.since >= self._lifetime_s
