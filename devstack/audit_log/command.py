"""`paymesh audit-log verify|list|export`."""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from devstack.options import STATE
from devstack.state import State

_SERVICES = ("payment_svc", "ledger_svc", "wallet_svc", "psp_gateway", "edge_auth")
_SEAL = re.compile(r"([a-z_]+):([1-9][0-9]{0,17}):([0-9a-f]{64})", re.ASCII)
_TIME = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])

_Command = Callable[..., Any]


@click.group("audit-log")
def audit_log() -> None:
    """See who changed what, prove that nothing of it was changed since, and take it along."""


def _filters(command: _Command) -> _Command:
    options = [
        click.option("--actor", "actor_id", default="", help="Who: a client, an operator."),
        click.option("--object", "object_id", default="", help="Which payment, saga, wallet, …"),
        click.option("--kind", "object_kind", default="", help="Which kind of object."),
        click.option("--action", default="", help="Which RPC; its last part will do."),
        click.option("--since", type=_TIME, help="From this time on, UTC."),
        click.option("--until", type=_TIME, help="Before this time, UTC."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


_ONE_SERVICE = click.option("--service", type=click.Choice(_SERVICES), help="That service's alone.")


@audit_log.command("list")
@_ONE_SERVICE
@_filters
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@STATE
def list_(*, service: str | None, limit: int, as_json: bool, folder: Path, **chosen: Any) -> None:
    """Tell the newest changes of all services, the newest first."""
    from devstack.audit_log import calls
    from devstack.trail import plain

    stack = State(folder).running()
    services = (service,) if service else _SERVICES
    found = asyncio.run(calls.list_lines(stack, services, _chosen(chosen), limit))
    if as_json:
        for name, line in found:
            click.echo(json.dumps({"service": name, **plain(line)}))
        return
    _show([(name, plain(line)) for name, line in found])


@audit_log.command()
@_ONE_SERVICE
@click.option(
    "--seal",
    "seals",
    multiple=True,
    metavar="SERVICE:NUMBER:HASH",
    help="A seal that was kept elsewhere, as the log or an earlier `verify` told it.",
)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An export, instead of a running stack.",
)
@click.option("--json", "as_json", is_flag=True, help="The verdicts as JSON.")
@STATE
def verify(
    *, service: str | None, seals: Sequence[str], file: Path | None, as_json: bool, folder: Path
) -> None:
    """Prove the logs: each line against its hash and its seal, each seal against the one before.

    They may be written to meanwhile. Exits 1 when anything is wrong, and tells what.
    """
    known = _known(seals)
    if file is not None:
        verdicts = _of_file(file, known)
    else:
        services = (service,) if service else _SERVICES
        verdicts = asyncio.run(_of_stack(State(folder).running(), services, known))
    if as_json:
        click.echo(json.dumps(verdicts))
    else:
        for name, verdict in verdicts.items():
            click.echo(_told(name, verdict))
    if not all(verdict["sound"] for verdict in verdicts.values()):
        raise click.exceptions.Exit(1)


@audit_log.command()
@click.option("--service", type=click.Choice(_SERVICES), required=True)
@_filters
@click.option("--to", "target", type=click.File("w", encoding="utf-8"), default="-")
@STATE
def export(*, service: str, target: Any, folder: Path, **chosen: Any) -> None:
    """Write a service's log with its seals as JSON lines, which `verify --file` proves anywhere."""
    asyncio.run(_export(State(folder).running(), service, _chosen(chosen), target))


async def _export(stack: Mapping[str, Any], service: str, chosen: Any, target: Any) -> None:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from devstack.audit_log import calls, files

    is_whole = not chosen.ByteSize()
    click.echo(files.heading(service, is_whole=is_whole), file=target)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed} lines and seals of {task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(service, total=None)
        async for told in calls.export(stack, service, chosen):
            click.echo(files.written(told), file=target)
            bar.advance(task)


async def _of_stack(
    stack: Mapping[str, Any], services: Sequence[str], known: Mapping[str, Mapping[int, bytes]]
) -> dict[str, dict[str, Any]]:
    from paymesh.audit.v1 import audit_log_service_pb2 as wire
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from devstack.audit_log import calls
    from devstack.trail import plain

    verdicts: dict[str, dict[str, Any]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        for service in services:
            task = bar.add_task(service, total=None)

            def shown(_: str, done: int, total: int, task: Any = task) -> None:
                bar.update(task, completed=done, total=total)

            offences = []
            async for told in calls.verify(stack, service, known.get(service, {}), shown):
                if isinstance(told, wire.AuditOffence):
                    offences.append(plain(told))
                    bar.console.print(f"{service}  {told.kind}  {told.subject}: {told.message}")
                else:
                    verdicts[service] = _verdict(plain(told), offences)
    return verdicts


def _of_file(file: Path, known: Mapping[str, Mapping[int, bytes]]) -> dict[str, dict[str, Any]]:
    from audit_log.chain import Offence
    from audit_log.messages import to_told
    from devstack.audit_log import files
    from devstack.trail import plain

    offences, verdict = [], {}
    every = {number: hash_ for seals in known.values() for number, hash_ in seals.items()}
    for told in files.verify_file(file, every):
        if isinstance(told, Offence):
            offences.append(plain(to_told(told).offence))
            click.echo(f"{told.kind}  {told.subject}: {told.message}", err=True)
        else:
            verdict = plain(to_told(told).verdict)
    return {str(file): _verdict(verdict, offences)}


def _verdict(verdict: Mapping[str, Any], offences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write a verdict with numbers as numbers, and the last seal as `verify --seal` takes it."""
    numbers = ("line_count", "seal_count", "open_count", "offence_count")
    written: dict[str, Any] = {"sound": verdict["sound"]}
    written |= {name: int(verdict[name]) for name in numbers}
    written["open_since"] = verdict.get("open_since")
    written["last_seal"] = None
    if seal := verdict.get("last_seal"):
        import base64

        written["last_seal"] = f"{seal['number']}:{base64.b64decode(seal['hash']).hex()}"
    return {**written, "offences": list(offences)}


def _told(name: str, verdict: Mapping[str, Any]) -> str:
    counted = f"{verdict['line_count']} lines, {verdict['seal_count']} seals"
    if verdict["open_count"]:
        counted += f", {verdict['open_count']} lines not sealed yet, since {verdict['open_since']}"
    if not verdict["sound"]:
        return f"{name}: {verdict['offence_count']} things are wrong in {counted}"
    last = f"; last seal {name}:{verdict['last_seal']}" if verdict["last_seal"] else ""
    return f"{name}: sound: {counted}{last}"


def _known(seals: Sequence[str]) -> dict[str, dict[int, bytes]]:
    known: dict[str, dict[int, bytes]] = {}
    for text in seals:
        read = _SEAL.fullmatch(text)
        if read is None or read[1] not in _SERVICES:
            raise click.BadParameter(f"{text!r} is not SERVICE:NUMBER:HASH", param_hint="--seal")
        known.setdefault(read[1], {})[int(read[2])] = bytes.fromhex(read[3])
    return known


def _chosen(given: Mapping[str, Any]) -> Any:
    from paymesh.audit.v1 import audit_log_service_pb2 as wire

    chosen = wire.AuditFilter()
    for name in ("actor_id", "object_id", "object_kind", "action"):
        setattr(chosen, name, given[name])
    for name in ("since", "until"):
        at: datetime | None = given.get(name)
        if at is not None:
            getattr(chosen, name).FromDatetime(at.replace(tzinfo=UTC))
    return chosen


def _show(found: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("at", "who", "what", "object", "why", "before → after", box=None)
    for _, line in found:
        who = line["actor_id"] if line["is_verified"] else f"{line['actor_id']} (unverified)"
        table.add_row(
            line["at"][:19],
            f"{line['actor_kind'].lower()} {who}",
            line["action"].rpartition("/")[2],
            f"{line['object_kind']} {line['object_id']}",
            line["reason"],
            _change(line),
        )
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def _change(line: Mapping[str, Any]) -> str:
    before, after = line["before"], line["after"]
    names = sorted({*before, *after})
    return ", ".join(
        f"{name} {before[name]} → {after.get(name, '')}"
        if name in before
        else f"{name} {after[name]}"
        for name in names
    )
