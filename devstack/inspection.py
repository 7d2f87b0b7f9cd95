"""`paymesh logs` and `psql`: a look inside a stack with the tools that everybody knows."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from devstack.options import STATE
from devstack.state import StackError, State


@click.command()
@click.argument("service")
@click.option("-n", "lines", default=50, show_default=True, help="How many lines.")
@click.option("-f", "follow", is_flag=True, help="Go on as lines come.")
@STATE
def logs(*, service: str, lines: int, follow: bool, folder: Path) -> None:
    """Show the log of a SERVICE: one of ours, postgres, redis, sandbox, edge, supervisor."""
    log = State(folder).log(service)
    if not log.exists():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log")))
        raise StackError(f"there is no log of {service}; there are: {known or 'none'}")
    os.execvp("tail", ["tail", "-n", str(lines), *(["-f"] if follow else []), "--", str(log)])


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("context")
@click.option("--owner", is_flag=True, help="As the role that owns the schema.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@STATE
def psql(*, context: str, owner: bool, arguments: tuple[str, ...], folder: Path) -> None:
    """Open psql on the database of a CONTEXT as its app role; ARGUMENTS go to psql."""
    from devstack.postgres import binaries

    state = State(folder)
    described = state.running()
    if context not in described["databases"]:
        known = ", ".join(described["databases"])
        raise StackError(f"there is no database {context}; there are: {known}")
    program = str(binaries() / "psql")
    settings = _connection(state, described, context, owner=owner)
    os.execve(program, [program, *arguments], {**os.environ, **settings})


def _connection(
    state: State, described: Mapping[str, Any], context: str, *, owner: bool
) -> dict[str, str]:
    """Write libpq's variables: unlike an argument, nobody else can read them."""
    url = urlsplit(described["databases"][context])
    role = f"{context}_owner" if owner else str(url.username)
    return {
        "PGHOST": str(url.hostname),
        "PGPORT": str(url.port),
        "PGDATABASE": context,
        "PGUSER": role,
        "PGPASSWORD": state.secret(role),
    }
