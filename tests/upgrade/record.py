"""Records states in flight as this version writes them: `python -m tests.upgrade.record [FILE]`."""

import argparse
import json
from collections.abc import Hashable, Iterator
from importlib.metadata import version
from pathlib import Path

from tests.saga.world import Sagas
from tests.upgrade.journeys import claim_all, journeys, quarantine_all
from tests.upgrade.states import State, restored, state_of

FOLDER = Path(__file__).parent
FORM = "paymesh sagas in flight"


def distinct() -> Iterator[State]:
    """List the states in which any saga stands as none did before, in no recording either."""
    seen: set[Hashable] = set()
    for recorded in sorted(FOLDER.glob("in_flight*.jsonl")):
        for line in recorded.read_text().splitlines()[1:]:
            _is_new(restored(json.loads(line)), seen)
    for journey in journeys():
        for sagas in journey:
            if not _is_new(sagas, seen):
                continue
            state = state_of(sagas)
            yield state
            waylaid = restored(state)  # its worker dies in the midst of it, once and for good
            for befall in (claim_all, quarantine_all):
                befall(waylaid)
                if _is_new(waylaid, seen):
                    yield state_of(waylaid)


def _is_new(sagas: Sagas, seen: set[Hashable]) -> bool:
    """Whether a saga of these stands elsewhere, or knows other things, than all that were seen."""
    payment = sagas.payment
    how = payment.page is None, payment.partial_failure_policy, payment.status
    sorts = {
        (
            how,
            walk.progress.kind,
            walk.progress.step,
            walk.progress.queue,
            walk.progress.turned_round,
            frozenset(walk.progress.memory),
        )
        for walk in sagas.walks.values()
    }
    is_new = not sorts <= seen
    seen |= sorts
    return is_new


def main() -> None:
    """Write a new file; one that is there stays as it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FOLDER / "in_flight.jsonl")
    path = parser.parse_args().file
    header = {"form": FORM, "version": version("paymesh")}
    new = list(distinct())
    with path.open("x") as file:
        for line in (header, *new):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
