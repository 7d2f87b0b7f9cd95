"""A load that is measured for some seconds: a warm-up, the window, and what it cost."""

import asyncio
import time
from collections.abc import Callable, Mapping

from benchmarks.load import Load
from benchmarks.scenarios import Scenario
from benchmarks.tally import Tally, quantile_ms
from benchmarks.trial import Trial

WARM_UP_S = 1.5


async def measured(
    load: Load,
    scenario: Scenario,
    used_s: Callable[[], Mapping[str, float]],
    seconds: float,
    *,
    answers_min: int = 0,
) -> Trial:
    """Let a load run, measure it for `seconds` after a warm-up, and wait for its last answers.

    Where fewer than `answers_min` requests were answered in that window, all of the run is
    measured instead, from the first request to the last answer. `used_s` names the processor
    seconds of each part.
    """
    whole = _Span(used_s(), load.total.done)
    load.start()
    await asyncio.sleep(WARM_UP_S)
    load.window, span = Tally(), _Span(used_s(), load.total.done)
    await asyncio.sleep(seconds)
    window, load.window = load.window, Tally()
    span.end(used_s(), load.total.done)
    await load.stop()
    if len(window.times_s) < answers_min:
        window, span = load.total, whole
        span.end(used_s(), load.total.done)
    trial = figures(scenario, window, span.done / span.elapsed_s)
    trial.making_us = load.making_us
    trial.set_cpu(span.used_s, span.done, span.elapsed_s)
    trial.errors = load.total.errors
    return trial


class _Span:
    """From now on: what is done, and what is used for it."""

    def __init__(self, used_s: Mapping[str, float], done: int) -> None:
        self.used_s, self.done = used_s, done
        self.elapsed_s = time.perf_counter()

    def end(self, used_s: Mapping[str, float], done: int) -> None:
        """Until now."""
        self.used_s = {name: s - self.used_s[name] for name, s in used_s.items()}
        self.done = done - self.done
        self.elapsed_s = time.perf_counter() - self.elapsed_s


def figures(scenario: Scenario, window: Tally, rate: float) -> Trial:
    """Put what a window saw into figures."""
    ordered = sorted(window.times_s)
    p50, p95, p99 = (quantile_ms(ordered, share) for share in (0.5, 0.95, 0.99))
    return Trial(scenario, rate, p50, p95, p99, count=window.done)
