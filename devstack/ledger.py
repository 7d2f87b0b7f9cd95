"""`paymesh ledger`: the trial balance, and the proof of the books, of the running stack."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from devstack.options import STATE
from devstack.state import State

_VERIFY_TIMEOUT_S = 24 * 3600.0


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
@STATE
def verify(folder: Path) -> None:
    """Prove the books from the first entry to the last: sums, balances, sequences, hashes, seals.

    They may be written to meanwhile. Exits 1 when anything is wrong, and tells what.
    """
    summary = asyncio.run(_verify(State(folder).running()))
    told = (
        f"{summary['transaction_count']} transactions, {summary['entry_count']} entries,"
        f" {summary['account_count']} accounts, {summary['stream_count']} streams,"
        f" {summary['seal_count']} seals"
    )
    if not summary["sound"]:
        raise click.ClickException(f"{summary['offence_count']} things are wrong in {told}")
    click.echo(f"The books are sound: {told}.")


async def _trial_balance(stack: Mapping[str, Any], at: datetime | None) -> list[dict[str, Any]]:
    from devstack.trail import Operator

    async with Operator(stack) as operator:
        return await operator.trial_balance(at)


async def _verify(stack: Mapping[str, Any]) -> dict[str, Any]:
    from paymesh.ledger.v1 import ledger_service_pb2 as service
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from devstack.trail import Operator, plain

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with Operator(stack) as operator:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("verify", total=None)
            call = operator.ledger.VerifyLedger(
                service.VerifyLedgerRequest(), timeout=_VERIFY_TIMEOUT_S
            )
            async for message in call:
                match message.WhichOneof("message"):
                    case "progress":
                        done, total = message.progress.done, message.progress.total
                        bar.update(task, completed=done, total=total)
                    case "offence":
                        told = plain(message.offence)
                        bar.console.print(f"{told['kind']}  {told['subject']}: {told['message']}")
                    case _:
                        return plain(message.summary)
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
