"""Chance and the trace: one seeded generator decides everything, and all that happens is noted.

A fault that took effect is a strike. A class of faults that never struck was not tested.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from tests.simulation.clockwork import SimulatedLoop

Choice = TypeVar("Choice")

# How likely each fault is, each time that it could strike.
RATES = {
    "request_lost": 0.02,
    "answer_lost": 0.03,
    "request_late": 0.025,  # it arrives after its caller has given up
    "credit_late": 0.15,  # the same of wallets: undo must not overtake do
    "request_twice": 0.04,
    "commit_refused": 0.008,
    "commit_unknown": 0.012,  # it is there, and the process saw an error
    "commit_late": 0.1,  # after one that took its event id later
    "psp_unreachable": 0.02,
    "psp_request_lost": 0.015,
    "psp_request_late": 0.02,
    "psp_answer_lost": 0.06,  # it was done
    "psp_limited": 0.03,  # 429, before the keys
    "psp_error_before": 0.04,  # 500, kept under the key
    "psp_refund_spoilt": 0.15,  # the same, of a refund: its key is spent, and nothing was done
    "psp_error_after": 0.05,  # done, then 500, kept under the key
    "psp_malformed": 0.02,
    "psp_other_amount": 0.015,  # it took, or held, more or less than it was asked for
    "psp_late_charge": 0.3,  # of what it has declined
    "psp_stale": 0.1,  # a look-up does not know the newest yet
    "webhook_lost": 0.15,
    "webhook_twice": 0.3,
    "webhook_late": 0.15,
}
# What the nemesis and the clients do; the rates are theirs.
OTHERS = (
    "killed",
    "paused",
    "partitioned",
    "database_down",
    "psp_dark",
    "psp_dark_for_long",
    "psp_dark_at_once",
    "clock_skewed",
    "double_click",
    "key_with_other_body",
    "buyer_stayed_away",
    "wallet_frozen",
    "declined",
    "fenced",
    "poison_raises",
    "poison_kills",
    "quarantined",
    "retried_by_hand",
    "resolved_charged",
    "resolved_not_charged",
    "resolved_by_hand",
    "left_at_psp",
    "resolved_other_amount",
    "resolved_wrongly",
    "approved_alone",
    "killed_approving",
    "late_success",
)
CLASSES = (*RATES, *OTHERS)


class Chance:
    """What happens in one seed, drawn from it alone.

    Attributes:
        is_faulty: whether faults strike; not while the world heals.
        strikes: how often each class of faults took effect.
    """

    def __init__(self, seed: int, loop: SimulatedLoop) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._draw = self._random.random
        self._loop = loop
        self._events: list[tuple[float, str]] = []
        self.is_faulty = True
        self.strikes: Counter[str] = Counter()

    def draw(self) -> float:
        """Draw from [0, 1)."""
        return self._draw()

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return low + (high - low) * self._draw()

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """Draw one of several."""
        return choices[int(self._draw() * len(choices))]

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return self._random.randint(low, high)

    def bytes(self, size: int) -> bytes:
        """Draw bytes."""
        return self._random.randbytes(size)

    def happens(self, probability: float) -> bool:
        """Draw whether something happens that is no fault."""
        return self._draw() < probability

    def strikes_now(self, fault: str) -> bool:
        """Draw whether a fault strikes, and count it."""
        if not self.is_faulty or self._draw() >= RATES[fault]:
            return False
        self.struck(fault)
        return True

    def struck(self, fault: str) -> None:
        """Count a fault that somebody else has decided."""
        self.strikes[fault] += 1
        self.note(f"fault {fault}")

    def note(self, text: str) -> None:
        """Keep what happened."""
        self._events.append((self._loop.time(), text))

    @property
    def trace_hash(self) -> str:
        """A hash of all that happened, and when."""
        return hashlib.sha256(repr(self._events).encode()).hexdigest()[:16]

    def last_events(self, number: int) -> list[str]:
        """Tell what happened last; 0: all."""
        return [f"{at:14.3f}  {text}" for at, text in self._events[-number:]]
