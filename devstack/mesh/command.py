"""`paymesh certs`: the certificates of a stack's mesh."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from devstack.options import JSON, STATE
from devstack.state import State

if TYPE_CHECKING:  # what is heavy is imported when asked for
    from devstack.mesh.certificates import Certificates, Issued


@click.group()
def certs() -> None:
    """Make, renew and show the certificates by which the parts of the mesh, and operators, know
    each other.

    They are those of a development authority, below certs/ of the state folder. A running mesh
    takes up what is renewed at once, without a restart.
    """


@certs.command()
@JSON
@STATE
def init(*, as_json: bool, folder: Path) -> None:
    """Make the authority and what is missing or half through its life; `up --mesh` does it too."""
    from devstack.mesh.certificates import utc_now

    _show(_certificates(folder).init(utc_now()), "nothing is missing", as_json=as_json)


@certs.command()
@click.argument("names", nargs=-1)
@JSON
@STATE
def rotate(*, names: tuple[str, ...], as_json: bool, folder: Path) -> None:
    """Make all certificates anew, or those of NAMES; the authority stays."""
    from devstack.mesh.certificates import utc_now

    _show(_certificates(folder).rotate(names, utc_now()), "", as_json=as_json)


@certs.command()
@JSON
@STATE
def show(*, as_json: bool, folder: Path) -> None:
    """Show the certificates: whose, their serial numbers, and how long they are good."""
    nothing = "there are no certificates; `paymesh certs init` makes them"
    _show(_certificates(folder).list(), nothing, as_json=as_json)


@certs.command()
@click.argument("name")
@JSON
@STATE
def operator(*, name: str, as_json: bool, folder: Path) -> None:
    """Make a certificate for the operator NAME, good for a week; the audit log calls him by it."""
    from devstack.mesh.certificates import utc_now

    made = _certificates(folder).add_operator(name, utc_now())
    if as_json:
        click.echo(json.dumps({"folder": str(made)}))
    else:
        click.echo(f"{made}: tls.crt, tls.key, and ca.crt to know paymesh by")


def _certificates(folder: Path) -> "Certificates":
    from devstack.mesh.certificates import Certificates

    state = State(folder)
    state.prepare()
    return Certificates(state.certificates)


def _show(issued: "Sequence[Issued]", nothing: str, *, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "name": each.name,
                "spiffe_id": each.spiffe_id,
                "serial": each.serial,
                "not_after": each.not_after.isoformat(),
            }
            for each in issued
        ]
        click.echo(json.dumps(told, indent=2))
        return
    for each in issued:
        until = f"{each.not_after:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{each.name:<14} {each.spiffe_id:<48} until {until}  serial {each.serial}")
    if not issued and nothing:
        click.echo(nothing)
