"""Options that subcommands of `paymesh` share."""

from pathlib import Path

import click

STATE = click.option(
    "--state",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default=Path(".paymesh"),
    show_default=True,
    help="Where the stack keeps its data, logs and stack.json.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
