"""`paymesh webhooks`: the demo client's endpoints and deliveries, and a receiver to try them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from paymesh.client import InvalidWebhook

from devstack.options import JSON, STATE
from devstack.rest import Answer, RestClient
from devstack.state import StackError, State
from devstack.webhook_receiver import Receiver, receiving

_ENDPOINTS = "/v1/webhook_endpoints"
_PAGE = 50
_DELIVERIES = 10


@click.group()
def webhooks() -> None:
    """Look at outgoing webhooks, send them again, and receive them."""


@webhooks.command("list")
@click.argument("endpoint_id", required=False)
@JSON
@STATE
def list_(*, endpoint_id: str | None, as_json: bool, folder: Path) -> None:
    """List the demo client's endpoints, or the latest deliveries of ENDPOINT_ID."""
    found = asyncio.run(_list(folder, endpoint_id))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for item in found:
        click.echo(_delivery_line(item) if endpoint_id else _endpoint_line(item))
    if not found:
        click.echo("none")


@webhooks.command()
@click.argument("endpoint_id")
@click.option("--event", "event_id", help="One event, by its id.")
@click.option("--since", help="All events since a moment, RFC 3339: 2026-01-15T10:30:00Z.")
@JSON
@STATE
def redeliver(
    *, endpoint_id: str, event_id: str | None, since: str | None, as_json: bool, folder: Path
) -> None:
    """Send an event, or all since a moment, to ENDPOINT_ID again."""
    if (event_id is None) == (since is None):
        raise click.UsageError("give either --event or --since")
    count = asyncio.run(_redeliver(folder, endpoint_id, event_id, since))
    click.echo(json.dumps({"event_count": count}) if as_json else f"{count} on their way")


@webhooks.command()
@click.option("--port", default=0, help="Where to listen on loopback; 0: any free port.")
@click.option("--count", default=0, help="End after so many events; 0: go on until Ctrl-C.")
@click.option("--event-type", "event_types", multiple=True, help="Only this type; repeatable.")
@click.option("--secret", help="Verify with this secret, and register nothing.")
@JSON
@STATE
def listen(
    *,
    port: int,
    count: int,
    event_types: tuple[str, ...],
    secret: str | None,
    as_json: bool,
    folder: Path,
) -> None:
    """Receive events, verify and print them. Registers itself, and takes itself off at the end."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen(folder, port, count, event_types, secret, as_json=as_json))


@asynccontextmanager
async def _rest(folder: Path) -> AsyncIterator[RestClient]:
    stack = State(folder).running()
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
        yield rest


def _good(answer: Answer) -> Any:
    if answer.status != 200:
        raise StackError(f"{answer.status}: {answer.body.get('message')}")
    return answer.body


async def _list(folder: Path, endpoint_id: str | None) -> list[dict[str, Any]]:
    async with _rest(folder) as rest:
        if endpoint_id is None:
            return list(
                _good(await rest.ask("GET", f"{_ENDPOINTS}?page_size={_PAGE}"))["endpoints"]
            )
        path = f"{_ENDPOINTS}/{endpoint_id}/deliveries?page_size={_DELIVERIES}"
        return list(_good(await rest.ask("GET", path))["deliveries"])


async def _redeliver(
    folder: Path, endpoint_id: str, event_id: str | None, since: str | None
) -> int:
    """Ask until all are on their way: each answer covers 5,000 events at most."""
    path, count = f"{_ENDPOINTS}/{endpoint_id}/redeliver", 0
    request: Mapping[str, Any] | None = {"event_id": event_id} if event_id else {"since": since}
    async with _rest(folder) as rest:
        while request is not None:
            answer = _good(await rest.ask("POST", path, request))
            count += answer["event_count"]
            request = {"since": answer["next_since"]} if "next_since" in answer else None
    return count


async def _listen(
    folder: Path,
    port: int,
    count: int,
    event_types: tuple[str, ...],
    secret: str | None,
    *,
    as_json: bool,
) -> None:
    receiver = Receiver()
    try:
        async with receiving(receiver, port) as url:
            if secret is not None:
                receiver.secret = secret
                await _print(receiver, count, as_json=as_json)
                return
            async with _rest(folder) as rest, _registered(rest, receiver, url, event_types):
                click.echo(f"listening on {url}", err=True)
                await _print(receiver, count, as_json=as_json)
    except OSError as error:
        raise StackError(f"cannot listen on port {port}: {error.strerror}") from error


@asynccontextmanager
async def _registered(
    rest: RestClient, receiver: Receiver, url: str, event_types: tuple[str, ...]
) -> AsyncIterator[None]:
    request = {"url": url, "event_types": event_types, "description": "paymesh webhooks listen"}
    endpoint = _good(await rest.ask("POST", _ENDPOINTS, request))
    receiver.secret = endpoint["secret"]
    try:
        yield
    finally:
        await rest.ask("DELETE", f"{_ENDPOINTS}/{endpoint['endpoint_id']}")


async def _print(receiver: Receiver, count: int, *, as_json: bool) -> None:
    """Print each event once: a delivery may come again."""
    seen: set[str] = set()
    while not count or len(seen) < count:
        event = await receiver.events.get()
        if isinstance(event, InvalidWebhook):
            click.echo(f"turned away: {event}", err=True)
        elif event["id"] not in seen:
            seen.add(event["id"])
            click.echo(json.dumps(event) if as_json else _event_line(event))


def _event_line(event: Mapping[str, Any]) -> str:
    data = event["data"]
    told = " ".join(str(data[name]) for name in ("amount", "currency") if name in data)
    return f"{event['id']} {event['type']} #{event['sequence']} {told}"


def _endpoint_line(endpoint: Mapping[str, Any]) -> str:
    types = ",".join(endpoint["event_types"]) or "all events"
    return f"{endpoint['endpoint_id']} {endpoint['status']} {endpoint['url']} {types}"


def _delivery_line(delivery: Mapping[str, Any]) -> str:
    last = delivery["attempts"][-1] if delivery["attempts"] else {}
    outcome = last.get("http_status") or last.get("failure") or "not sent yet"
    line = f"{delivery['event_id']} {delivery['type']} {delivery['status']}"
    line += f" after {delivery['attempt_count']}: {outcome}"
    due = delivery.get("next_attempt_at")
    return f"{line}, next at {datetime.fromisoformat(due):%H:%M:%S} UTC" if due else line
