"""Shows a stack come up: a live line for people, plain lines for everything else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def progress(stream: TextIO = sys.stderr) -> Iterator[Callable[[str], None]]:
    """Give a function for the supervisor's lines: `… NAME` begins, `✓ NAME` is ready, others."""
    if stream.isatty():
        with _live(stream) as tell:
            yield tell
    else:
        yield lambda line: None if line.startswith("… ") else print(line, file=stream, flush=True)


@contextmanager
def _live(stream: TextIO) -> Iterator[Callable[[str], None]]:
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    under_way: list[str] = []
    with console.status("…") as status:

        def tell(line: str) -> None:
            mark, _, rest = line.partition(" ")
            name = rest.partition("  ")[0]
            if mark == "…":
                under_way.append(name)
            else:
                under_way[:] = [other for other in under_way if other != name]
                console.print(line, style={"✓": "green", "!": "yellow"}.get(mark), markup=False)
            status.update(f"{', '.join(under_way)} …")
            if line.startswith(("ready in", "stopped")):
                status.stop()

        yield tell
