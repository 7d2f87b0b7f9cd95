"""How much may be asked, and what a request is told about it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one subject.

    Attributes:
        name: whose limit it is: client, address, stranger.
        subject: the client's id, or the address.
        per_second: requests a second in the long run; 0: no limit.
        burst: requests at once after a rest; at least 1.
    """

    name: str
    subject: str
    per_second: float
    burst: int

    @property
    def window_s(self) -> int:
        """Seconds in which an empty allowance is full again."""
        return max(1, math.ceil(self.burst / self.per_second))


class Nonce(StrEnum):
    """What became of a request's nonce."""

    NONE = "none"  # it has none
    FRESH = "fresh"
    USED = "used"
    UNKNOWN = "unknown"  # nobody could be asked


@dataclass(frozen=True, slots=True)
class Passage:
    """What came of asking whether a request may pass.

    Attributes:
        wait_s: seconds to wait for the next; 0: this one passes.
        limit: the one that refuses, or else the first; None: there is none.
        left: requests that may follow at once.
        full_s: seconds until all of the burst may follow at once.
    """

    wait_s: float = 0.0
    limit: Limit | None = None
    left: int = 0
    full_s: float = 0.0
    nonce: Nonce = Nonce.NONE

    def headers(self) -> Sequence[tuple[str, str]]:
        """Tell it in the fields of the IETF's draft on RateLimit header fields."""
        if self.limit is None:
            return ()
        name, limit = f'"{self.limit.name}"', self.limit
        again_s = math.ceil(self.wait_s or self.full_s)
        return (
            ("ratelimit-policy", f"{name};q={limit.burst};w={limit.window_s}"),
            ("ratelimit", f"{name};r={self.left};t={again_s}"),
        )


UNLIMITED = Passage()


def in_force(limits: Sequence[Limit]) -> list[Limit]:
    """Leave out what limits nothing."""
    return [limit for limit in limits if limit.per_second > 0]
