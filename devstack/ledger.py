"""`paymesh ledger`: the trial balance, what is pending, and the proof of the books, of the running
stack.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from devstack.options import STATE
from devstack.state import State

_TIMEOUT_S = 24 * 3600.0
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PAGE_MAX = 500

Ask = Callable[[Any], Awaitable[Any]]

LIMIT = click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many at most; 0: all that there are.",
)


@click.group()
def ledger() -> None:
    """Look at the books as an accountant does, and prove them."""


@ledger.command("trial-balance")
@click.option(
    "--at",
    type=click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="As of this time, UTC; now when absent.",
)
@STATE
def trial_balance(at: datetime | None, folder: Path) -> None:
    """Sum the balances of all accounts per currency. Exits 1 when debits and credits differ."""
    lines = asyncio.run(_trial_balance(State(folder).running(), at))
    _show(lines)
    if any(Decimal(line["difference"]) for line in lines):
        raise click.exceptions.Exit(1)


@ledger.command()
@click.option("--since-last-checkpoint", is_flag=True, help="Only what no closed month covers.")
@click.option(
    "--seal",
    "seals",
    multiple=True,
    metavar="NUMBER:HASH",
    help="A seal that was kept elsewhere, as the log or `paymesh ledger seals` told it.",
)
@STATE
def verify(*, since_last_checkpoint: bool, seals: Sequence[str], folder: Path) -> None:
    """Prove the books from the first entry to the last: sums, balances, sequences, hashes, seals
    and checkpoints.

    They may be written to meanwhile. Exits 1 when anything is wrong, and tells what.
    """
    from paymesh.ledger.v1 import ledger_service_pb2 as service

    request = service.VerifyLedgerRequest(
        since_last_checkpoint=since_last_checkpoint,
        known_seals=[service.KnownSeal(**_read_seal(seal)) for seal in seals],
    )
    summary = asyncio.run(_followed(State(folder).running(), "VerifyLedger", request))
    told = (
        f"{summary['transaction_count']} transactions, {summary['entry_count']} entries,"
        f" {summary['account_count']} accounts, {summary['stream_count']} streams,"
        f" {summary['seal_count']} seals, {summary['checkpoint_count']} checkpoints"
    )
    if summary["from_checkpoint"] != "0":
        told += f", from checkpoint {summary['from_checkpoint']} on"
    if not summary["sound"]:
        raise click.ClickException(f"{summary['offence_count']} things are wrong in {told}")
    click.echo(f"The books are sound: {told}.")


@ledger.command()
@LIMIT
@STATE
def seals(limit: int, folder: Path) -> None:
    """Tell seals as `verify --seal` takes them, the newest first."""
    from paymesh.ledger.v1 import ledger_service_pb2 as service

    def tell(seal: Any) -> None:
        click.echo(f"{seal.number}:{seal.hash.hex()}")

    request = service.ListSealsRequest()
    asyncio.run(_tell_all(State(folder).running(), "ListSeals", request, "seals", limit, tell))


@ledger.command("close-month")
@click.argument("month", metavar="YYYY-MM")
@STATE
def close_month(month: str, folder: Path) -> None:
    """Prove the books up to the end of a MONTH, and keep a checkpoint of them.

    The month must be over for an hour, by UTC. Closing it again tells the same. Exits 1 when
    anything is wrong; nothing is kept then.
    """
    from paymesh.ledger.v1 import ledger_service_pb2 as service

    request = service.CloseMonthRequest(month=month)
    made = asyncio.run(_followed(State(folder).running(), "CloseMonth", request))
    click.echo(
        f"Checkpoint {made['number']}: {made['transaction_count']} transactions,"
        f" {made['entry_count']} entries before {made['until']}."
    )


@ledger.command()
@LIMIT
@STATE
def checkpoints(limit: int, folder: Path) -> None:
    """Tell checkpoints, the newest first: number, end, transactions before it, hash."""
    from paymesh.ledger.v1 import ledger_service_pb2 as service

    def tell(one: Any) -> None:
        until = one.until.ToJsonString()
        click.echo(f"{one.number}  {until}  {one.transaction_count}  {one.hash.hex()}")

    request, stack = service.ListCheckpointsRequest(), State(folder).running()
    asyncio.run(_tell_all(stack, "ListCheckpoints", request, "checkpoints", limit, tell))


@ledger.command()
@click.option("--account", "account_id", default="", help="Only what reserves on this account.")
@click.option("--subject", "subject_id", default="", help="Only what was posted for this object.")
@click.option(
    "--expires-before",
    type=click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what expires before this time, UTC.",
)
@LIMIT
@STATE
def pendings(
    *, account_id: str, subject_id: str, expires_before: datetime | None, limit: int, folder: Path
) -> None:
    """Tell what is pending, the oldest first: reference, when it was written and when it expires,
    object, template, and what it reserves.
    """
    from paymesh.ledger.v1 import ledger_service_pb2 as service

    request = service.ListPendingsRequest(account_id=account_id, subject_id=subject_id)
    if expires_before is not None:
        request.expires_to.FromDatetime(expires_before)

    def tell(one: Any) -> None:
        click.echo(pending_line(one))

    stack = State(folder).running()
    asyncio.run(_tell_all(stack, "ListPendings", request, "transactions", limit, tell))


async def listed(ask: Ask, request: Any, items: str, limit: int) -> AsyncIterator[Any]:
    """Ask for page after page of a list, and hand out what is in them.

    Args:
        ask: answers one request.
        request: for the first page.
        items: what the list is called in the answer.
        limit: of what is handed out; 0: all.
    """
    count = 0
    while True:
        request.page_size = min(limit - count, _PAGE_MAX) if limit else _PAGE_MAX
        page = await ask(request)
        for one in getattr(page, items):
            count += 1
            yield one
        request.page_token = page.next_page_token
        if not request.page_token or count == limit:
            return


def pending_line(one: Any) -> str:
    """Write a pending transaction in a line."""
    from paymesh.ledger.v1 import ledger_pb2

    expires = one.expires_at.ToJsonString() if one.HasField("expires_at") else "never"
    lines = [
        f"{ledger_pb2.Side.Name(line.side).removeprefix('SIDE_').lower()} {line.account_id}"
        f" {line.amount} {line.currency}"
        for line in one.pending_entries
    ]
    told = [one.reference, one.created_at.ToJsonString(), expires]
    return "  ".join([*told, one.subject_id or "-", one.template or "-", ", ".join(lines)])


def _read_seal(text: str) -> dict[str, Any]:
    number, _, digits = text.partition(":")
    if not (number.isascii() and number.isdigit() and _HASH.fullmatch(digits)):
        raise click.BadParameter(f"{text!r} is not NUMBER:HASH", param_hint="--seal")
    return {"number": int(number), "hash": bytes.fromhex(digits)}


async def _trial_balance(stack: Mapping[str, Any], at: datetime | None) -> list[dict[str, Any]]:
    from devstack.trail import Operator

    async with Operator(stack) as operator:
        return await operator.trial_balance(at)


async def _tell_all(
    stack: Mapping[str, Any],
    rpc: str,
    request: Any,
    items: str,
    limit: int,
    tell: Callable[[Any], None],
) -> None:
    import grpc

    from devstack.trail import Operator

    try:
        async with Operator(stack) as operator:
            async for one in listed(getattr(operator.ledger, rpc), request, items, limit):
                tell(one)
    except grpc.aio.AioRpcError as error:
        raise click.ClickException(str(error.details())) from error


async def _followed(stack: Mapping[str, Any], rpc: str, request: Any) -> dict[str, Any]:
    """Follow an RPC that tells how far it is; answer its last message."""
    import grpc
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from devstack.trail import Operator, plain

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with Operator(stack) as operator:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(rpc, total=None)
            try:
                async for message in getattr(operator.ledger, rpc)(request, timeout=_TIMEOUT_S):
                    which = message.WhichOneof("message")
                    if which == "progress":
                        done, total = message.progress.done, message.progress.total
                        bar.update(task, completed=done, total=total)
                    elif which == "offence":
                        told = plain(message.offence)
                        bar.console.print(f"{told['kind']}  {told['subject']}: {told['message']}")
                    else:
                        return plain(getattr(message, which))
            except grpc.aio.AioRpcError as error:
                raise click.ClickException(str(error.details())) from error
    raise click.ClickException("the ledger stopped before it was done")


def _show(lines: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("currency", "debits", "credits", "difference", "accounts", "by type", box=None)
    for line in lines:
        by_type = ", ".join(f"{kind} {sum_}" for kind, sum_ in sorted(line["by_type"].items()))
        table.add_row(
            line["currency"],
            line["debits"],
            line["credits"],
            line["difference"],
            str(line["account_count"]),
            by_type,
        )
    Console().print(table)
