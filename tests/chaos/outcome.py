"""What a run came to: its figures, what it was to reach, and what is wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.aftermath import Rest

# What 300 seconds must bring; a shorter run its share.
GOALS_300_S: Mapping[str, int] = {
    "payments": 3000,
    "kill": 150,
    "postgres_crash": 10,
    "redis_loss": 10,
    "ledger reads": 1000,
    "late writes refused": 2,
}
# What must have taken effect at least once, or the run proves nothing; so must each sort drawn.
MUST_STRIKE = (
    *("kill", "term", "pause", "postgres_crash", "redis_loss", "database", "psp"),
    "lost COMMIT answers",
)
SERVING_AFTER = "all serving again after"  # the name of its figure, in seconds
_SERVING_AFTER_MAX_S = 30.0
_LATE_WRITES = "late writes refused"
_LATE_WRITES_FROM_S = 120.0  # a shorter run pauses hardly any coordinator in its work
_FINAL_SHARE = 0.999
# Nothing that the nemesis does is for a person: it passes. What is laid before one all the same.
_DEAD_SHARE_MAX = 0.001


@dataclass(slots=True)
class Outcome:
    """A run's figures.

    Attributes:
        violations: what must never be: against an invariant, the history or the ledger.
        unmet: goals of number or time that were missed.
        figures: everything that was counted, by name.
        struck: how often trouble took effect: by kind, and by `kind sort`.
        drawn: the sorts of trouble that the schedule has, each of which must take effect.
    """

    seconds: float
    seed: int
    violations: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    journeys: Counter[str] = field(default_factory=Counter)
    answers: dict[str, int] = field(default_factory=dict)
    drawn: Sequence[str] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong and everything was reached."""
        return not self.violations and not self.unmet

    def judge_counts(self, *, goals: bool) -> None:
        """Note what did not strike, and with `goals` what was too little."""
        must = (*MUST_STRIKE, *self.drawn)
        self.unmet += [f"{kind} never took effect" for kind in must if not self.struck[kind]]
        if self.seconds >= _LATE_WRITES_FROM_S and not self.figures.get(_LATE_WRITES) and not goals:
            self.unmet.append("no late write was refused, and somebody who was paused had work")
        counted = {**self.struck, **self.figures}
        for name, wanted in GOALS_300_S.items() if goals else ():
            least = wanted * min(self.seconds, 300) / 300
            if counted.get(name, 0) < least:
                self.unmet.append(f"{name}: {counted.get(name, 0):.0f}, at least {least:.0f}")
        back_s = self.figures.get(SERVING_AFTER, 0.0)
        if goals and back_s > _SERVING_AFTER_MAX_S:
            most = f"at most {_SERVING_AFTER_MAX_S:.0f}"
            self.unmet.append(f"{SERVING_AFTER} {back_s} s, {most}")

    def judge_rest(self, rest: Rest) -> None:
        """Note who was not final in time."""
        total = max(len(rest.payments), 1)
        share = 1 - len(rest.open_at_60_s) / total
        self.figures["final or visible 60 s after healing"] = round(share * 100, 3)
        self.figures["at rest after"] = round(rest.at_rest_s or 0.0, 1)
        self.figures["dead letters"] = len(rest.dead)
        self.figures["waiting for a PSP's evidence"] = len(rest.shown)
        if len(rest.dead) > total * _DEAD_SHARE_MAX:
            told = [f"{name} {reason}" for name, reason in rest.dead.items()]
            self.unmet.append(f"dead letters: {_some(told)}")
        if share < _FINAL_SHARE:
            self.unmet.append(f"open 60 s after healing: {_some(rest.open_at_60_s)}")
        if rest.left:
            told = [f"{name} {status}" for name, status in rest.left.items()]
            self.unmet.append(f"open at the end of the settle window: {_some(told)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
