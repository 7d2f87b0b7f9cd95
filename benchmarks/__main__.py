"""Runs the benchmarks that are named, or all: tables, and benchmarks/results/NAME.json."""

import asyncio
import sys
from collections.abc import Callable

from benchmarks import (
    ledger,
    ledger_rivals,
    ledger_scale,
    ledger_steps,
    ledger_storage,
    mesh,
    pay_in,
    payment_lists,
    psp,
    wallet,
)
from benchmarks.results import Measure, write
from chassis.settings import SettingsError

BENCHMARKS: dict[str, Callable[[], list[Measure]]] = {
    "pay_in": lambda: asyncio.run(pay_in.run()),
    "mesh": lambda: asyncio.run(mesh.run()),
    "psp": lambda: asyncio.run(psp.run()),
    "payment_lists": lambda: asyncio.run(payment_lists.run()),
    "ledger_storage": ledger_storage.run,
    "ledger_steps": ledger_steps.run,
    "ledger_scale": ledger_scale.run,
    "ledger": ledger.run,  # these two have an event loop of their own choice
    "wallet": wallet.run,
    "ledger_rivals": ledger_rivals.run,
}
# What needs somebody else's programs runs by its name alone.
_BY_NAME = {"ledger_rivals"}


def main(names: list[str]) -> int:
    """Run benchmarks by name."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
        return 2
    if not names:
        print(f"not run: {', '.join(sorted(_BY_NAME))}, to be asked for by name")
    for name in names or (name for name in BENCHMARKS if name not in _BY_NAME):
        try:
            print(f"wrote {write(name, BENCHMARKS[name]())}")
        except SettingsError as error:
            print(f"{name}: {error}")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
