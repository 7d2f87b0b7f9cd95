"""Runs the benchmarks that are named, or all: tables, and benchmarks/results/NAME.json."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks import pay_in, payment_lists
from benchmarks.results import Measure, write

BENCHMARKS: dict[str, Callable[[], Coroutine[Any, Any, list[Measure]]]] = {
    "pay_in": pay_in.run,
    "payment_lists": payment_lists.run,
}


def main(names: list[str]) -> int:
    """Run benchmarks by name."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
        return 2
    for name in names or BENCHMARKS:
        print(f"wrote {write(name, asyncio.run(BENCHMARKS[name]()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
