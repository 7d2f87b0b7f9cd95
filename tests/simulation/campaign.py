"""Many seeds one after the other, and what they come to."""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from tests.simulation.chance import CLASSES
from tests.simulation.checks import Finding, check
from tests.simulation.evidence import Evidence
from tests.simulation.mutants import Mutant
from tests.simulation.world import World

_LAST_EVENTS = 40


@dataclass(frozen=True, slots=True)
class Run:
    """One seed, and what came of it."""

    seed: int
    findings: Sequence[Finding]
    payment_count: int
    strikes: "Counter[str]"
    statuses: "Counter[str]"
    trace_hash: str
    last_events: Sequence[str] = ()


@dataclass(slots=True)
class Tally:
    """What many seeds came to; `cpu_s` is the processor's time, in seconds."""

    seed_count: int = 0
    payment_count: int = 0
    strikes: "Counter[str]" = field(default_factory=Counter)
    statuses: "Counter[str]" = field(default_factory=Counter)
    failed: list[Run] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def never_struck(self) -> list[str]:
        """Classes of faults that took no effect: what they could break was not tested."""
        return [name for name in CLASSES if not self.strikes[name]]

    @property
    def per_cpu_s(self) -> float:
        """Payments a second of one core."""
        return self.payment_count / self.cpu_s if self.cpu_s else 0.0

    def add(self, run: Run) -> None:
        """Count a seed."""
        self.seed_count += 1
        self.payment_count += run.payment_count
        self.strikes += run.strikes
        self.statuses += run.statuses
        if run.findings:
            self.failed.append(run)


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a planted mistake fared: the seed that found it, None if none did; by which checks."""

    mutant: Mutant
    seed: int | None
    seeds_tried: int
    checks: Sequence[str] = ()


def run_seed(seed: int, mutant: Mutant | None = None, *, is_told_whole: bool = False) -> Run:
    """Run one seed and check it; all its events are told when one wants the whole."""
    gc.collect()  # the seed before, while it is still near
    world = World(seed, mutant.plant if mutant else None)
    world.run()
    seen = Evidence.of(world)
    findings = check(seen)
    return Run(
        seed,
        findings,
        len(seen.payments),
        world.chance.strikes,
        Counter(str(payment.status) for payment in seen.payments),
        world.chance.trace_hash,
        _events(world, is_told_whole=is_told_whole, is_failed=bool(findings)),
    )


def _events(world: World, *, is_told_whole: bool, is_failed: bool) -> Sequence[str]:
    if is_told_whole:
        return world.chance.last_events(0)
    return world.chance.last_events(_LAST_EVENTS) if is_failed else ()


def run_seeds(seeds: Iterable[int], told: Callable[[Run], None] = lambda run: None) -> Tally:
    """Run seeds of the product as it is; `told` of each as it ends."""
    tally, began = Tally(), time.process_time()
    with undisturbed():
        for seed in seeds:
            run = run_seed(seed)
            tally.add(run)
            tally.cpu_s = time.process_time() - began
            told(run)
    return tally


def hunt(mutant: Mutant, seeds: Sequence[int]) -> Hunt:
    """Run seeds until a planted mistake is found by a check that is meant to find it."""
    with undisturbed():
        for place, seed in enumerate(seeds, 1):
            found = {finding.check for finding in run_seed(seed, mutant).findings}
            if found & mutant.found_by:
                return Hunt(mutant, seed, place, sorted(found))
    return Hunt(mutant, None, len(seeds))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector and the log out: a seed makes thousands of objects, and much trouble."""
    was_enabled, config = gc.isenabled(), structlog.get_config()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    gc.collect()
    gc.freeze()  # what is imported is not looked at again
    gc.disable()
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=True)
    try:
        yield
    finally:
        structlog.configure(**config)
        gc.unfreeze()
        if was_enabled:
            gc.enable()
        gc.collect()
