"""`paymesh client`: the API clients of a running stack."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devstack import client_show
from devstack.dlq import AS, WHY, YES, Span, confirm
from devstack.options import JSON, STATE
from devstack.state import StackError, State

if TYPE_CHECKING:  # what is heavy is imported when asked for
    from devstack.clients import Clients

Answer = TypeVar("Answer")
_SCOPES = ("read", "pay", "refund", "payout", "operate")


@click.group()
def client() -> None:
    """Register API clients, give them new keys and secrets, limit them, and revoke them."""


@client.command()
@click.argument("client_id")
@click.option("--name", default="", help="A name for people.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(_SCOPES),
    help="What it may do; repeatable. None: read, pay, operate.",
)
@click.option("--signing", is_flag=True, help="It must sign; refund and payout ask for it.")
@click.option("--why", default="registered", show_default=True, help="Why; it is kept.")
@AS
@JSON
@STATE
def create(*, client_id: str, actor: str, as_json: bool, folder: Path, **wanted: Any) -> None:
    """Register CLIENT_ID. Its key and its secret are shown this once."""
    made = _asked(folder, actor, lambda clients: clients.create(client_id, **wanted))
    _print(made, client_show.made, as_json=as_json)


@client.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@JSON
@STATE
def list_(*, limit: int, as_json: bool, folder: Path) -> None:
    """List the clients."""
    found = _asked(folder, "", lambda clients: clients.list(limit))
    _print(found, client_show.listing, as_json=as_json)


@client.command()
@click.argument("client_id")
@JSON
@STATE
def show(*, client_id: str, as_json: bool, folder: Path) -> None:
    """Show CLIENT_ID, its keys and secrets, and what was done to it."""
    found = _asked(folder, "", lambda clients: clients.show(client_id))
    _print(found, client_show.details, as_json=as_json)


@client.command()
@click.argument("client_id")
@click.argument("kind", type=click.Choice(["key", "secret"]))
@click.option(
    "--overlap",
    type=Span(),
    default="1d",
    show_default=True,
    help="How long the old one lives on: 0s, 15m, 2h, 3d; 30d at most.",
)
@WHY
@AS
@JSON
@STATE
def rotate(
    *,
    client_id: str,
    kind: str,
    overlap: timedelta,
    why: str,
    actor: str,
    as_json: bool,
    folder: Path,
) -> None:
    """Give CLIENT_ID a new key or secret, shown this once; the old one lives on for a while."""
    made = _asked(folder, actor, lambda clients: clients.rotate(client_id, kind, overlap, why))
    _print(made, client_show.rotated, as_json=as_json)


@client.command()
@click.argument("client_id")
@click.option("--credential", default="", help="One key or secret alone, by its id.")
@WHY
@YES
@AS
@JSON
@STATE
def revoke(
    *,
    client_id: str,
    credential: str,
    why: str,
    yes: bool,
    actor: str,
    as_json: bool,
    folder: Path,
) -> None:
    """Revoke CLIENT_ID with all its keys and secrets, or one of them, at once and for good."""

    async def run(clients: "Clients") -> Mapping[str, Any]:
        seen = await clients.show(client_id)
        confirm(lambda: client_show.details(seen), "Revoke it for good?", yes=yes)
        return await clients.revoke(client_id, credential, why)

    _print(_asked(folder, actor, run), client_show.revoked, as_json=as_json)


@client.command()
@click.argument("client_id")
@click.option("--per-second", type=click.IntRange(0, 100_000), help="In the long run; 0: no limit.")
@click.option("--burst", type=click.IntRange(1, 1_000_000), help="At once, after a rest.")
@click.option("--default", "is_default", is_flag=True, help="Back to what every client has.")
@WHY
@AS
@JSON
@STATE
def limit(
    *,
    client_id: str,
    per_second: int | None,
    burst: int | None,
    is_default: bool,
    why: str,
    actor: str,
    as_json: bool,
    folder: Path,
) -> None:
    """Say how many requests CLIENT_ID may send; what is not named goes back to the default."""
    if is_default is not (per_second is None and burst is None):
        raise click.UsageError("give --per-second, --burst or both, or else --default")
    done = _asked(folder, actor, lambda clients: clients.limit(client_id, per_second, burst, why))
    _print(done, client_show.limited, as_json=as_json)


def _asked(folder: Path, actor: str, ask: "Callable[[Clients], Awaitable[Answer]]") -> Answer:
    """Ask the running stack; what it refuses is one clear line."""
    import grpc

    from devstack.clients import opened

    stack = State(folder).running()

    async def run() -> Answer:
        async with opened(stack, actor) as clients:
            return await ask(clients)

    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        raise StackError(str(error.details())) from error


def _print(found: Any, tell: Callable[[Any], Sequence[str]], *, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(tell(found)))
