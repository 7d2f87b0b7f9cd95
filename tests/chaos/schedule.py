"""When which trouble strikes whom: drawn whole from the seed before the run begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from devstack.services import SERVICES
from tests.chaos.stage import SECOND

_CALM_S = 2.0  # at the start, and before the end
_SERVICES = (*(service.name for service in SERVICES), SECOND)
# Of kill -9. Not the PSPs: one that forgot what it has to tell would be no true one; they are dark.
VICTIMS = (*_SERVICES, "edge")
_WHO = {
    "kill": VICTIMS,
    "term": _SERVICES,
    # The second coordinator has the most sagas in hand, and so the most to write late.
    "pause": (SECOND, "payment_svc", SECOND, "psp_gateway", "ledger_svc", "wallet_svc"),
    "postgres_crash": ("immediate", "kill"),
    "redis_loss": ("kill", "flushall"),
    "database": ("lose_reset", "lose_half_open", "blackhole", "half_open", "reset", "cut", "delay"),
    "psp": (
        *("connection_reset_after", "charge_then_timeout", "error_before", "error_after"),
        *("rate_limit", "malformed", "slow", "dark", "webhooks"),
    ),
}
# Kinds whose every sort must take effect where it was drawn: each fails another way.
EACH_SORT = frozenset({"postgres_crash", "redis_loss", "database", "psp"})
# How many of each kind in 300 seconds. More than is asked for: some find nobody to strike.
_PER_300_S = {
    "kill": 170,
    "term": 12,
    "pause": 10,
    "postgres_crash": 13,
    "redis_loss": 14,
    "database": 42,
    "psp": 30,
}


@dataclass(frozen=True, slots=True)
class Strike:
    """One trouble: seconds from the start, its kind, and whom or how."""

    at_s: float
    kind: str
    who: str

    @property
    def sort(self) -> str:
        """Name what is counted of it."""
        return f"{self.kind} {self.who}"

    def __str__(self) -> str:
        return f"{self.at_s:6.2f} s  {self.kind} {self.who}"


def sorts(schedule: Sequence[Strike]) -> list[str]:
    """Name the sorts of trouble in a schedule, each of which must take effect."""
    return sorted({strike.sort for strike in schedule if strike.kind in EACH_SORT})


def all_sorts() -> list[str]:
    """Name the sorts that a whole run has."""
    return sorted(f"{kind} {who}" for kind in EACH_SORT for who in _WHO[kind])


def draw(seed: int, seconds: float) -> list[Strike]:
    """Draw the schedule of a run: kills at exponential distances, everything else spread evenly
    with jitter, its sorts in turn. Each kind strikes at least once for each of its sorts where
    there is time.
    """
    strikes: list[Strike] = []
    for kind, per_300 in _PER_300_S.items():
        chance = Random(f"{kind} {seed}")
        count = max(round(per_300 * seconds / 300), 2)
        times = _exponential if kind == "kill" else _spread
        whos = _in_turn(chance, _WHO[kind], count)
        moments = times(chance, count, seconds)
        strikes += [Strike(at, kind, who) for at, who in zip(moments, whos, strict=True)]
    return sorted(strikes, key=lambda strike: strike.at_s)


def _exponential(chance: Random, count: int, seconds: float) -> list[float]:
    """Draw moments whose distances are exponential, scaled into the time there is."""
    gaps = [chance.expovariate(1.0) for _ in range(count + 1)]
    whole, moments, at = sum(gaps), [], 0.0
    for gap in gaps[:-1]:
        at += gap
        moments.append(_CALM_S + at / whole * (seconds - 2 * _CALM_S))
    return moments


def _spread(chance: Random, count: int, seconds: float) -> list[float]:
    """Draw a moment in each of `count` parts of the time."""
    part = (seconds - 2 * _CALM_S) / count
    return [_CALM_S + (place + chance.random()) * part for place in range(count)]


def _in_turn(chance: Random, whos: Sequence[str], count: int) -> list[str]:
    """Deal out everybody before anybody comes again, in a new order each time; the first named
    comes first.
    """
    dealt = [whos[0]]
    while len(dealt) < count:
        dealt += chance.sample(whos, len(whos))
    return dealt[:count]
