"""What callers saw: how long, how many, what went wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Answers that were counted. Times in seconds.

    Attributes:
        times_s: of each request that was answered.
        done: transactions that were acknowledged.
        refused: transactions by the reason of their refusal.
        failed: requests by what went wrong with them.
        unknown: transactions in failed requests: they may have been stored.
    """

    times_s: list[float] = field(default_factory=list)
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    def answered(self, took_s: float, done: int, refusals: Sequence[str]) -> None:
        """Count an answer."""
        self.times_s.append(took_s)
        self.done += done
        self.refused.update(refusals)

    def lost(self, took_s: float, reason: str, size: int) -> None:
        """Count a request without an answer: it took its time all the same."""
        self.times_s.append(took_s)
        self.failed[reason] += 1
        self.unknown += size

    @property
    def errors(self) -> Counter[str]:
        """Refusals and failures together, by reason."""
        return self.refused + self.failed


def quantile_ms(ordered_s: Sequence[float], share: float) -> float:
    """Read a quantile out of ordered seconds, in milliseconds; of nothing: 0."""
    if not ordered_s:
        return 0.0
    return ordered_s[min(int(len(ordered_s) * share), len(ordered_s) - 1)] * 1000
