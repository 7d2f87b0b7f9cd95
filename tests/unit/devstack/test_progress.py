"""How a stack's start is shown."""

import io

import pytest

from devstack.progress import progress

LINES = ["… redis", "… edge", "✓ edge                              0.1 s", "! redis ended with 1"]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_file_gets_plain_lines() -> None:
    """In a log or a pipe, one line for each thing that has happened."""
    stream = io.StringIO()

    with progress(stream) as tell:
        for line in LINES:
            tell(line)

    assert stream.getvalue().splitlines() == LINES[2:]


def test_a_terminal_shows_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has begun and is not ready is in the live line; the rest scrolls by above it."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()

    with progress(stream) as tell:
        for line in [*LINES, "ready in 1.0 s"]:
            tell(line)

    shown = stream.getvalue()
    assert "redis, edge …" in shown or "redis …" in shown
    assert "✓ edge" in shown
    assert "ready in 1.0 s" in shown
