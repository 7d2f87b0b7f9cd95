"""How much may be asked again at one PSP: a token bucket, as a pure value, against storms.

What is asked first brings a share of a token; what is asked again costs one. One more comes with
time, so that a PSP that is asked nothing new is heard of again. What was asked again and answered
gives its token back and another: a PSP that has come back is soon asked all that was put off.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Shares:
    """How much is too much.

    Attributes:
        of_first: tokens that each first request brings.
        per_s: tokens a second, whatever happens.
        most: tokens that can be saved up; the bucket begins with them.
    """

    of_first: float = 0.1
    per_s: float = 0.5
    most: float = 10.0


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """The bucket as it stands since `since`; `tokens` is within 0 and `shares.most`."""

    shares: Shares
    since: datetime
    tokens: float

    @classmethod
    def full(cls, shares: Shares, now: datetime) -> "RetryBudget":
        """Make a full one."""
        return cls(shares, now, shares.most)

    def first(self, now: datetime) -> "RetryBudget":
        """Count a first request."""
        return self._with(self.shares.of_first, now)

    def again(self, now: datetime) -> "RetryBudget | None":
        """Let something be asked again: the bucket as it then stands; None when it is empty."""
        filled = self._with(0.0, now)
        return None if filled.tokens < 1.0 else replace(filled, tokens=filled.tokens - 1.0)

    def answered(self, now: datetime) -> "RetryBudget":
        """Count that something which was asked again was answered."""
        return self._with(2.0, now)

    def empty_for(self, now: datetime) -> timedelta:
        """Tell how long it takes at most until something may be asked again."""
        missing = max(1.0 - self._with(0.0, now).tokens, 0.0)
        return _SECOND * (missing / self.shares.per_s) if self.shares.per_s else _SECOND

    def _with(self, more: float, now: datetime) -> "RetryBudget":
        grown = max(now - self.since, timedelta(0)) / _SECOND * self.shares.per_s
        tokens = min(self.tokens + grown + more, self.shares.most)
        return RetryBudget(self.shares, max(now, self.since), tokens)
