"""The form in which every benchmark leaves its figures."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
RESULTS = _ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure; `ratio` is value / baseline of the same run, where there is a baseline."""

    name: str
    value: float
    unit: str
    n: int = 1
    baseline: float | None = None
    ratio: float | None = None


def revision() -> str:
    """Name the commit that the tree is at."""
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


def write(name: str, measures: Sequence[Measure]) -> Path:
    """Write figures with the machine and the commit that they belong to."""
    content = {
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "commit": revision(),
        "measures": [asdict(measure) for measure in measures],
    }
    target = RESULTS / f"{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(content, indent=2) + "\n")
    return target
