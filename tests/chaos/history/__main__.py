"""Checks saved histories again: `python -m tests.chaos.history FILE …`."""

import sys
from pathlib import Path

from tests.chaos.history.events import load
from tests.chaos.history.rules import RULES, check


def main(names: list[str]) -> int:
    """Check each file; 1 when any offends, 2 without files."""
    if not names:
        print("which history? name the file that a run has saved", file=sys.stderr)
        return 2
    wrong = 0
    for name in names:
        history = load(Path(name))
        found = check(history)
        wrong += len(found)
        counts = f"{len(history.events)} calls, {len(history.stored)} payments, {len(RULES)} rules"
        print(f"{name}: {counts}, {len(found)} violations")
        for violation in found:
            print(f"  {violation.rule}: {violation.offender}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
