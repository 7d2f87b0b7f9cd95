"""`paymesh up`, `down` and `status`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from devstack import stack
from devstack.options import JSON, STATE
from devstack.progress import progress
from devstack.state import StackError, State


@click.command()
@click.option("--detach", is_flag=True, help="Return once the stack is ready; leave it running.")
@click.option("--mesh/--no-mesh", default=False, help="Envoy sidecars with mTLS at every service.")
@click.option("--tls", is_flag=True, help="The edge speaks TLS 1.3 as well, on a port of its own.")
@click.option(
    "--ports", type=click.Choice(["auto"]), help="Use free ports instead of the documented ones."
)
@click.option(
    "--risk",
    type=click.Choice(["spec", "open"]),
    default="open",
    show_default=True,
    help="The specification's velocity limits, or none.",
)
@JSON
@STATE
def up(
    *,
    detach: bool,
    mesh: bool,
    tls: bool,
    ports: str | None,
    risk: str,
    as_json: bool,
    folder: Path,
) -> None:
    """Start the stack; without --detach it runs until Ctrl-C."""
    state = State(folder)
    if stack.is_running(state):
        _show_running(state, as_json=as_json)
        return
    if not detach:
        _run(state, ports or "", risk, mesh=mesh, tls=tls)
        return
    with progress() as tell:
        described = stack.spawn(state, ports=ports or "", risk=risk, mesh=mesh, tls=tls, tell=tell)
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        click.echo(f"up: {described['edge']['url']}; `paymesh down` stops it")


def _run(state: State, ports: str, risk: str, *, mesh: bool, tls: bool) -> None:
    """Run a stack in the foreground; what is shown is in the supervisor's log too."""
    from devstack.plan import Choices
    from devstack.supervisor import supervise

    state.prepare()
    with progress() as show, state.log("supervisor").open("a") as log:

        def tell(line: str) -> None:
            print(line, file=log, flush=True)
            show(line)

        asyncio.run(supervise(state, Choices(ports, risk, mesh=mesh, tls=tls), tell))


def _show_running(state: State, *, as_json: bool) -> None:
    """Show the stack that is there already.

    Raises:
        StackError: it is not ready, or not healthy.
    """
    described = stack.status(state)
    if described is None:
        raise StackError(f"a stack is starting or stopping in {state.folder}: try again")
    if not as_json:
        click.echo("running already")
    _show(described, as_json=as_json)


@click.command()
@JSON
@STATE
def down(*, as_json: bool, folder: Path) -> None:
    """Stop the stack. Its data stay."""
    with progress() as tell:
        tell("… stopping")
        stopped = stack.down(State(folder))
    if as_json:
        click.echo(json.dumps({"stopped": stopped}))
    else:
        click.echo("stopped" if stopped else "nothing is running")


@click.command()
@JSON
@STATE
def status(*, as_json: bool, folder: Path) -> None:
    """Show what runs, where, and whether it is healthy. Exits 1 when something is not."""
    described = stack.status(State(folder))
    if described is None:
        raise StackError("nothing is running; `paymesh up` starts it")
    _show(described, as_json=as_json)


def _show(described: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        _print(described)
    everything = {**described["services"], **described["processes"]}
    if not all(entry["healthy"] for entry in everything.values()):
        sys.exit(1)


def _print(described: dict[str, Any]) -> None:
    where = {
        "edge": described["edge"]["url"],
        "sandbox": described["psp_sandbox"]["url"],
        **{name: entry["grpc"] for name, entry in described["services"].items()},
    }
    for name, entry in {**described["services"], **described["processes"]}.items():
        health = "healthy" if entry["healthy"] else "NOT HEALTHY"
        restarts = f", restarted {entry['restarts']} times" if entry["restarts"] else ""
        click.echo(f"{name:<20} {where.get(name, ''):<22} pid {entry['pid']:<8} {health}{restarts}")
    client = described["client"]
    if "tls_url" in described["edge"]:
        edge = described["edge"]
        click.echo(f"\nby TLS at {edge['tls_url']}, whose roots are in {edge['roots']}")
    if "operators" in described:
        click.echo(f"\noperators, with their certificates, at {described['operators']['target']}")
    click.echo(f"\nREST and gRPC at {where['edge']}, as client {client['id']}: {client['api_key']}")
