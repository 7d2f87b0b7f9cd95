"""What books are to reach, and whether they did."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scenarios import Shape, Way
from benchmarks.trial import Trial


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim, what was measured, and whether that is enough.

    Attributes:
        nothing_behind: what the server came to with nothing behind it; empty: was not measured.
    """

    aim: str
    measured: str
    met: bool
    nothing_behind: str = ""


_BASELINES = {
    Way.STATEMENTS: "row by statements (the textbook's transaction)",
    Way.FUNCTION: "row at a time (one SQL function call each)",
}


def verdicts(trials: Sequence[Trial]) -> list[Verdict]:
    """Hold trials against the aims; an aim whose scenario was not run is left out."""
    by_name = {trial.scenario.name: trial for trial in trials}
    baselines = {(t.scenario.way, t.scenario.shape): t for t in trials}
    canned = {t.scenario.batch: t.rate for t in trials if t.scenario.way is Way.NOTHING}
    found: list[Verdict] = []

    def times(name: str, least: float) -> None:
        """Hold a rate against both baselines: the textbook's, and the fastest of one by one."""
        trial = by_name.get(name)
        for way, called in _BASELINES.items():
            baseline = trial and baselines.get((way, trial.scenario.shape))
            if trial and baseline and baseline.rate:
                ratio = trial.rate / baseline.rate
                said = f"{ratio:.1f} × ({trial.rate:,.0f}/s, {baseline.rate:,.0f}/s)"
                most = canned.get(trial.scenario.batch, 0.0) / baseline.rate
                over = _beside(most, least, f"{most:,.1f} ×")
                aim = f"{name}: ≥ {least:g} × {called}"
                found.append(Verdict(aim, said, ratio >= least, over))

    def below(name: str, figure: str, most: float) -> None:
        if name in by_name:
            value = getattr(by_name[name], f"{figure}_ms")
            found.append(
                Verdict(f"{name}: {figure} < {most:g} ms", f"{value:.1f} ms", value < most)
            )

    def rate(name: str, least: float) -> None:
        if name in by_name:
            value, most = by_name[name].rate, canned.get(by_name[name].scenario.batch, 0.0)
            over = _beside(most, least, f"{most:,.0f}/s")
            said = f"{value:,.0f}/s"
            found.append(Verdict(f"{name}: {least:,.0f}/s", said, value >= least, over))

    for shape in Shape:
        hot = "" if shape is Shape.UNIFORM else "_hot"
        times(f"single_256_{shape}", 8)
        rate(f"single_256_{shape}", 2500)
        below(f"single_256_{shape}", "p99", 200)
        times(f"batch_1000{hot}", 40)
        rate(f"batch_1000{hot}", 20_000)
        times(f"batch_100{hot}", 25)
        below(f"single_1_{shape}", "p50", 6)
    for hot_name, uniform_name in (
        ("single_256_hot", "single_256_uniform"),
        ("batch_1000_hot", "batch_1000"),
    ):
        if hot_name in by_name and uniform_name in by_name and by_name[uniform_name].rate:
            share = by_name[hot_name].rate / by_name[uniform_name].rate
            found.append(Verdict(f"{hot_name}: ≥ 90 % of uniform", f"{share:.0%}", share >= 0.9))
    # An open loop may ask for more than there is; what is refused then is in the table.
    errors = sum(trial.errors.total() for trial in trials if not trial.scenario.per_s)
    found.append(Verdict("errors in closed loops: none", f"{errors:,}", errors == 0))
    return found


def _beside(most: float, least: float, said: str) -> str:
    """Tell a rate with nothing behind it, and whether the aim is above even that."""
    if not most:
        return ""
    return said if most >= least else f"{said}: below the aim"
