"""Faults on purpose: which one strikes which call, and how often each took effect. Pure; the draw
is seeded.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Stage(Enum):
    """Where on a call's way a fault may strike."""

    FRONT = "before the idempotency keys are looked at"
    EXECUTE = "around the effect"
    ANSWER = "on the answer's way out, the effect being done"


STAGES: Mapping[str, Stage] = MappingProxyType(
    {
        "rate_limit": Stage.FRONT,
        "slow": Stage.EXECUTE,
        "error_before": Stage.EXECUTE,
        "error_after": Stage.EXECUTE,
        "charge_then_timeout": Stage.ANSWER,
        "connection_reset_after": Stage.ANSWER,
        "charge_then_refuse": Stage.ANSWER,
        "malformed": Stage.ANSWER,
        "wrong_amount": Stage.ANSWER,
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """A call, as faults see it.

    Args:
        psp: the face that is called.
        operation: what is asked of it: create, confirm, refund, …
        metadata: the caller's own, of the request and of the object it is about.
        kinds: the kinds that make sense for this call now; None for all.
    """

    psp: str
    operation: str
    metadata: Mapping[str, str]
    kinds: frozenset[str] | None = None


@dataclass(slots=True)
class Fault:
    """A fault, and how often it was met and took effect.

    Args:
        number: 1 for the first one set; names it and seeds its draw.
        kind: a key of STAGES.
        times: how often it strikes at most; None for no limit.
        probability: of striking a call that it matches, above 0 up to 1.
        skip: calls that match but are let pass first.
        psp, operation, metadata: what a call must have; None and {} match all.
        delay_ms: slow: how long before the effect.
        retry_after_s: rate_limit: the Retry-After header; None for no header.
        hold_s: charge_then_timeout: how long the connection stays open without an answer.
        status: charge_then_refuse: 402, as if the card were declined, or 429.
        off_by: wrong_amount: minor units added to the amounts in the answer.
        cached: error_before: whether the 500 is kept under the key, as Stripe does.
    """

    number: int
    kind: str
    times: int | None = 1
    probability: float = 1.0
    skip: int = 0
    psp: str | None = None
    operation: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    retry_after_s: int | None = None
    hold_s: float = 120.0
    off_by: int = 1
    status: int = 402
    cached: bool = True
    seen: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it can strike no more."""
        return self.times is not None and self.struck >= self.times

    def matches(self, target: Target) -> bool:
        """Tell whether it is meant for such a call."""
        return (
            self.psp in (None, target.psp)
            and self.operation in (None, target.operation)
            and (target.kinds is None or self.kind in target.kinds)
            and all(target.metadata.get(key) == value for key, value in self.metadata.items())
        )


class FaultBook:
    """The faults in force. One fault at most strikes a call at each stage: the oldest that fits.

    Args:
        seed: makes the draws; the same seed and the same calls in the same order strike the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0
        self._draws: dict[int, random.Random] = {}
        self._faults: dict[int, Fault] = {}
        self.struck: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults.values())

    def __bool__(self) -> bool:
        return bool(self._faults)

    def next_number(self) -> int:
        """Tell the number of the fault to be added next."""
        return self._count + 1

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._count = fault.number
        self._faults[fault.number] = fault
        self._draws[fault.number] = random.Random(f"{self._seed}:{fault.number}")  # noqa: S311

    def remove(self, number: int) -> bool:
        """Lift one fault; tell whether it was there."""
        self._draws.pop(number, None)
        return self._faults.pop(number, None) is not None

    def clear(self) -> int:
        """Lift all faults; tell how many there were. The counts per kind stay."""
        count = len(self._faults)
        self._faults.clear()
        self._draws.clear()
        return count

    def strike(self, stage: Stage, target: Target) -> Fault | None:
        """Find the fault that strikes this call at this stage, and count it."""
        for fault in self._faults.values():
            if STAGES[fault.kind] is not stage or fault.spent or not fault.matches(target):
                continue
            fault.seen += 1
            if fault.seen <= fault.skip or self._draws[fault.number].random() >= fault.probability:
                continue
            fault.struck += 1
            self.struck[fault.kind] += 1
            return fault
        return None
