"""`paymesh keys`: the keys by which a running stack encrypts what is personal or secret."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from devstack.key_files import ENCRYPTED, add_key, drop_keys, former_keys, keys_file
from devstack.options import JSON, STATE
from devstack.services import SERVICES, Service
from devstack.state import StackError, State


@click.group()
def keys() -> None:
    """See which keys encrypt what, change them while everything runs, and drop those before."""


@keys.command()
@JSON
@STATE
def status(*, as_json: bool, folder: Path) -> None:
    """Tell which keys there are, and how many values are under each."""
    _all(State(folder), "status", as_json=as_json)


@keys.command()
@JSON
@STATE
def rotate(*, as_json: bool, folder: Path) -> None:
    """Make new keys: what is written from now on is under them, all else is read as before."""
    state = State(folder)
    state.running()
    for service in _services():
        name = add_key(keys_file(state, service.context))
        click.echo(f"{service.name}: {name} wraps from now on", err=True)
    _all(state, "rotate", as_json=as_json)


@keys.command()
@JSON
@STATE
def rewrap(*, as_json: bool, folder: Path) -> None:
    """Encrypt under the newest keys what is under others, or was stored before it was encrypted.

    Everything goes on meanwhile; it may be stopped and begun again.
    """
    _all(State(folder), "rewrap", as_json=as_json)


@keys.command()
@STATE
def drop(*, folder: Path) -> None:
    """Throw away the keys under which nothing is any more, for good."""
    state = State(folder)
    for service in _services():
        (told,) = (line for line in _run(state, service, "status") if "data_keys" in line)
        used = {key["wrapped_by"] for key in told["data_keys"]}
        gone = drop_keys(keys_file(state, service.context), used)
        click.echo(f"{service.name}: {', '.join(gone) or 'none'} dropped")


def _services() -> list[Service]:
    return [service for service in SERVICES if service.name in ENCRYPTED]


def _all(state: State, command: str, *, as_json: bool) -> None:
    tell: Callable[[dict[str, Any]], str] = json.dumps if as_json else _sentence
    for service in _services():
        for line in _run(state, service, command):
            click.echo(tell(line))


def _run(state: State, service: Service, command: str) -> Iterator[dict[str, Any]]:
    """Run a service's own command as the owner of its schema; read what it tells as it does."""
    url = state.running()["databases"][service.context]
    owner = f"{service.context}_owner"
    place = url.partition("@")[2]
    told = {
        "ENVIRONMENT": "development",
        "PAYMESH_KEYS_FILE": str(keys_file(state, service.context)),
        **former_keys(state, service.name),
        f"{service.context.upper()}_DATABASE_URL": (
            f"postgresql://{owner}:{state.secret(owner)}@{place}"
        ),
    }
    with subprocess.Popen(
        [sys.executable, "-m", f"{service.name}.keys", command],
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield from map(json.loads, process.stdout or ())
    if process.returncode:
        raise StackError(f"{service.name}.keys {command} failed")


def _sentence(line: dict[str, Any]) -> str:
    if "data_keys" not in line:
        return f"{line['service']} {line['column']}: {line['rows']:,} rows, {line['changed']:,} new"
    shown = [
        f"  data key {key['number']}, by {key['wrapped_by']}: {key['values']:,} values"
        for key in line["data_keys"]
    ]
    head = f"{line['service']}: {line['newest_key']} wraps; {line['plain']:,} in the plain"
    return "\n".join([head, *shown, f"  {line['left']:,} left for rewrap"])
