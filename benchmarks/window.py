"""A load that is measured for some seconds: a warm-up, the window, and what it cost."""

import asyncio
import time
from collections.abc import Callable, Mapping

from benchmarks.load import Load
from benchmarks.scenarios import Scenario
from benchmarks.tally import Tally, quantile_ms
from benchmarks.trial import Trial

WARM_UP_S = 1.5
_STEP_S = 0.25


async def measured(
    load: Load,
    scenario: Scenario,
    used_s: Callable[[], Mapping[str, float]],
    seconds: float,
    *,
    answers_min: int = 0,
    seconds_max: float = 0.0,
) -> Trial:
    """Let a load run, measure it for `seconds`, and wait for its last answers.

    Where fewer than `answers_min` requests were answered by then, as long as it takes for them,
    until `seconds_max` have passed. `used_s` names the processor seconds of each part.
    """
    load.start()
    await asyncio.sleep(WARM_UP_S)
    load.window, done, before = Tally(), load.total.done, used_s()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    for _ in range(round((seconds_max - seconds) / _STEP_S)):
        if len(load.window.times_s) >= answers_min:
            break
        await asyncio.sleep(_STEP_S)
    elapsed = time.perf_counter() - began
    window, done = load.window, load.total.done - done
    used = {name: s - before[name] for name, s in used_s().items()}
    load.window = Tally()
    await load.stop()
    trial = figures(scenario, window, done / elapsed)
    trial.making_us = load.making_us
    trial.set_cpu(used, done, elapsed)
    trial.errors = load.total.errors
    return trial


def figures(scenario: Scenario, window: Tally, rate: float) -> Trial:
    """Put what a window saw into figures."""
    ordered = sorted(window.times_s)
    p50, p95, p99 = (quantile_ms(ordered, share) for share in (0.5, 0.95, 0.99))
    return Trial(scenario, rate, p50, p95, p99, count=window.done)
