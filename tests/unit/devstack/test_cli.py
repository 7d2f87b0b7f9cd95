"""The `paymesh` command as people meet it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from devstack.cli import main

COMMANDS = main.list_commands(main.make_context("paymesh", ["--help"], resilient_parsing=True))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_explains_itself(name: str) -> None:
    """Its help has a sentence and its options."""
    shown = CliRunner().invoke(main, [name, "--help"])

    assert shown.exit_code == 0, shown.output
    assert f"paymesh {name}" in shown.output.replace("main", "paymesh")
    assert "--help" in shown.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "nothing is running; `paymesh up` starts it"),
        (["psql", "ledger"], "nothing is running; `paymesh up` starts it"),
        (["logs", "edge"], "there is no log of edge; there are: none"),
    ],
)
def test_a_failure_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    """What is wrong, exit 1, and no traceback."""
    shown = CliRunner().invoke(main, [*arguments, "--state", str(tmp_path)])

    assert shown.exit_code == 1
    assert shown.output == f"Error: {told}\n"


def test_an_unknown_subcommand_is_refused() -> None:
    """Nothing is guessed."""
    shown = CliRunner().invoke(main, ["upp"])

    assert shown.exit_code == 2
    assert "No such command 'upp'" in shown.output


def test_down_of_nothing_is_no_failure(tmp_path: Path) -> None:
    """Scripts may always end with it."""
    shown = CliRunner().invoke(main, ["down", "--json", "--state", str(tmp_path)])

    assert shown.exit_code == 0
    assert '{"stopped": false}' in shown.output


def test_asking_loads_nothing_that_is_not_needed() -> None:
    """`status` and `down` answer at once because nothing heavy is imported on the way."""
    code = (
        "import sys, devstack.updown, devstack.inspection;"
        "print([m for m in ('grpc', 'psycopg', 'rich', 'alembic', 'aiohttp') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"
