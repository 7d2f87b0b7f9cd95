"""What came of a scenario."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.scenarios import Scenario


@dataclass(slots=True)
class Trial:
    """Figures of one scenario. Times of requests, all else per transaction.

    Attributes:
        rate: transactions acknowledged per second.
        count: transactions that the quantiles are of.
        making_us: what making it ready to be sent cost ahead of the load; in no other figure.
        cpu_us: server, postgres (all its processes), generator.
        foreign_cores: how many cores others were using: with more than a few tenths, the figures
            are of a busy machine.
        disk_bytes: by how much the database grew, indexes included.
        wal_bytes: of write-ahead log, whole pages after the checkpoint before included.
    """

    scenario: Scenario
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    count: int
    making_us: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    foreign_cores: float = 0.0
    disk_bytes: float = 0.0
    wal_bytes: float = 0.0

    def set_cpu(self, used_s: Mapping[str, float], done: int, elapsed_s: float) -> None:
        """Share used seconds out: to transactions what is ours, and what is not, to cores."""
        ours = {name: s for name, s in used_s.items() if name != "machine"}
        self.cpu_us = {name: s / max(done, 1) * 1e6 for name, s in ours.items()}
        self.foreign_cores = max(used_s["machine"] - sum(ours.values()), 0.0) / elapsed_s
