"""The `paymesh` command. A line at the end registers a subcommand."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from devstack.state import StackError, State

_STATE = click.option(
    "--state",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(".paymesh"),
    show_default=True,
    help="Where the stack keeps its data, logs and stack.json.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class OneLineErrors(click.Group):
    """A command group whose failures are one clear line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        try:
            return super().invoke(ctx)
        except StackError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=OneLineErrors)
@click.version_option(package_name="paymesh")
def main() -> None:
    """Run paymesh on this machine: every service, PostgreSQL, Redis, Envoy and a PSP sandbox."""


@click.command()
@click.option("--detach", is_flag=True, help="Return once the stack is ready; leave it running.")
@click.option("--mesh/--no-mesh", default=False, help="Envoy sidecars with mTLS at every service.")
@click.option(
    "--ports", type=click.Choice(["auto"]), help="Use free ports instead of the defaults."
)
@click.option(
    "--risk",
    type=click.Choice(["spec", "open"]),
    default="open",
    show_default=True,
    help="The specification's velocity limits, or none.",
)
@_STATE
def up(detach: bool, mesh: bool, ports: str | None, risk: str, folder: Path) -> None:  # noqa: FBT001
    """Start the stack."""
    from devstack import stack
    from devstack.plan import Choices
    from devstack.supervisor import supervise

    if mesh:
        raise StackError("--mesh is not part of this release: there are no sidecars yet")
    state = State(folder.resolve())
    if stack.is_running(state):
        click.echo(f"running already: {(state.stack() or {})['edge']['url']}")
        return
    if not detach:
        asyncio.run(supervise(state, Choices(ports or "", risk), click.echo))
        return
    began = time.monotonic()
    described = stack.spawn(state, ports=ports or "", risk=risk)
    click.echo(f"ready in {time.monotonic() - began:.1f} s: {described['edge']['url']}")


@click.command()
@_STATE
def down(folder: Path) -> None:
    """Stop the stack. Its data stay."""
    from devstack import stack

    stopped = stack.down(State(folder.resolve()))
    click.echo("stopped" if stopped else "nothing is running")


@click.command()
@_JSON
@_STATE
def status(as_json: bool, folder: Path) -> None:  # noqa: FBT001
    """Show what runs, where, and whether it is healthy. Exits 1 when something is not."""
    from devstack import stack

    described = stack.status(State(folder.resolve()))
    if described is None:
        raise StackError("nothing is running; `paymesh up` starts it")
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        _print_status(described)
    if not all(entry["healthy"] for entry in described["services"].values()):
        sys.exit(1)


def _print_status(described: dict[str, Any]) -> None:
    click.echo(f"{'edge':<14}{described['edge']['url']}")
    for name, entry in described["services"].items():
        health = "healthy" if entry["healthy"] else "NOT HEALTHY"
        restarts = f", restarted {entry['restarts']} times" if entry["restarts"] else ""
        click.echo(f"{name:<14}{entry['grpc']}  pid {entry['pid']}  {health}{restarts}")
    click.echo(f"{'psp_sandbox':<14}{described['psp_sandbox']['url']}")
    click.echo(f"{'client':<14}{described['client']['id']}, key {described['client']['api_key']}")


@click.command()
@click.argument("service")
@click.option("-n", "lines", default=50, show_default=True, help="How many lines.")
@click.option("-f", "follow", is_flag=True, help="Go on as lines come.")
@_STATE
def logs(service: str, lines: int, follow: bool, folder: Path) -> None:  # noqa: FBT001
    """Show the log of a SERVICE: a service of ours, postgres, redis, edge, sandbox, supervisor."""
    log = State(folder.resolve()).log(service)
    if not log.exists():
        known = sorted(path.stem for path in log.parent.glob("*.log"))
        raise StackError(f"there is no log of {service}; there are: {', '.join(known) or 'none'}")
    command = ["tail", "-n", str(lines), *(["-f"] if follow else []), str(log)]
    sys.exit(subprocess.run(command, check=False).returncode)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("context")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_STATE
def psql(context: str, arguments: tuple[str, ...], folder: Path) -> None:
    """Open psql on the database of a CONTEXT as its app role; ARGUMENTS go to psql."""
    from devstack.postgres import binaries

    described = State(folder.resolve()).stack()
    if described is None:
        raise StackError("nothing is running; `paymesh up` starts it")
    if context not in described["databases"]:
        known = ", ".join(described["databases"])
        raise StackError(f"there is no database {context}; there are: {known}")
    program = str(binaries() / "psql")
    os.execv(program, [program, described["databases"][context], *arguments])


def _register() -> None:
    from devstack.demo import demo
    from devstack.explain import explain, pay

    for command in (up, down, status, logs, psql, demo, pay, explain):
        main.add_command(command)


_register()
