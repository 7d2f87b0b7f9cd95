"""`paymesh audit`: holds a whole stack against the invariants I1 to I8, and INV-15."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from devstack.options import JSON, STATE
from devstack.state import State

if TYPE_CHECKING:  # what is heavy is imported when asked for
    from devstack.audit.facts import Facts
    from devstack.audit.verdict import Verdict

_VIOLATED, _NOT_AUDITED = 1, 2
_SHOWN = 20
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType["datetime"]):
    """A moment in UTC, or how long ago: 2026-11-29, 2026-11-29T20:15:00, 90m, 24h, 7d."""

    name = "since"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read one."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        if text[:-1].isdigit() and text[-1:] in _UNITS:
            return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither a moment nor how long ago: {self.__doc__}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.option(
    "--quiesce",
    "quiesce_s",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Lift the sandbox's faults first and wait so long at most until all is at rest.",
)
@click.option(
    "--since",
    type=Since(),
    help="Judge only payments made since then, or, without the PSPs' record, moved since: 24h, 7d.",
)
@click.option(
    "--since-checkpoint",
    is_flag=True,
    help="Have the ledger prove what it booked since its last checkpoint alone.",
)
@click.option(
    "--without-psp-record",
    is_flag=True,
    help="Ask the services by RPC alone, as in production: I4 by the gateway's attempts, I4 to I8"
    " and what INV-15 says of changes of the last 24 hours unless --since says otherwise.",
)
@click.option("--payment-target", envvar="PAYMENT_TARGET", help="HOST:PORT of payment_svc.")
@click.option("--wallet-target", envvar="WALLET_TARGET", help="HOST:PORT of wallet_svc.")
@click.option("--ledger-target", envvar="LEDGER_TARGET", help="HOST:PORT of ledger_svc.")
@click.option("--psp-target", envvar="PSP_TARGET", help="HOST:PORT of psp_gateway.")
@click.option("--edge-auth-target", envvar="EDGE_AUTH_TARGET", help="HOST:PORT of edge_auth.")
@JSON
@STATE
def audit(
    *,
    quiesce_s: float | None,
    since: datetime | None,
    since_checkpoint: bool,
    without_psp_record: bool,
    as_json: bool,
    folder: Path,
    **targets: str | None,
) -> None:
    """Hold all services and the PSPs' own record against the invariants, and name who offends.

    Exits 0 when all hold, 1 when one is violated, 2 when something could not be read: then nothing
    is proven. Targets are those of the running stack unless they are given, and are used with
    --without-psp-record.
    """
    from devstack.audit.gather import NotAudited, gather
    from devstack.audit.invariants import AUDITED
    from devstack.audit.quiescence import NotQuiescent, quiesce
    from devstack.audit.verdict import judge_all

    given = {name.removesuffix("_target"): told or "" for name, told in targets.items()}
    if any(given.values()) and not without_psp_record:
        raise click.UsageError("targets go with --without-psp-record")
    if quiesce_s is not None and without_psp_record:
        raise click.UsageError("--quiesce moves the sandbox: not with --without-psp-record")
    if since_checkpoint and not without_psp_record:
        raise click.UsageError("--since-checkpoint goes with --without-psp-record")
    began = time.monotonic()

    def tell(line: str) -> None:
        click.echo(f"… {line}", err=True)

    async def run() -> tuple["Facts | None", Sequence["Verdict"]]:
        if without_psp_record:
            return None, await _by_rpc(
                folder, given, since, tell, since_checkpoint=since_checkpoint
            )
        stack = State(folder).running()
        if quiesce_s is not None:
            steady_s = min(5.0, quiesce_s / 4)
            await quiesce(stack, quiesce_s, steady_s=steady_s, tell=tell)
        facts = await gather(stack, since=since, tell=tell)
        return facts, judge_all(AUDITED, facts)

    try:
        facts, verdicts = asyncio.run(run())
    except (NotAudited, NotQuiescent) as error:
        _not_audited(str(error), as_json=as_json)
    took_s = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(_as_json(facts, verdicts, took_s), indent=2, ensure_ascii=False))
    else:
        _show(facts, verdicts, took_s)
    if any(verdict.holds is False for verdict in verdicts):
        raise click.exceptions.Exit(_VIOLATED)


async def _by_rpc(
    folder: Path,
    given: Mapping[str, str],
    since: datetime | None,
    tell: Callable[[str], None],
    *,
    since_checkpoint: bool,
) -> Sequence["Verdict"]:
    from devstack.audit.by_rpc import Targets, audit_by_rpc

    stack = {} if all(given.values()) else State(folder).running()
    targets = Targets(**given, stack=stack)
    return await audit_by_rpc(targets, since=since, since_checkpoint=since_checkpoint, tell=tell)


def _not_audited(why: str, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"audited": False, "why": why}, indent=2, ensure_ascii=False))
    click.echo(f"NOT AUDITED: {why}", err=True)
    raise click.exceptions.Exit(_NOT_AUDITED)


def _as_json(
    facts: "Facts | None", verdicts: Sequence["Verdict"], took_s: float
) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "audited": True,
        "clean": all(verdict.holds is not False for verdict in verdicts),
        "took_s": round(took_s, 2),
    }
    if facts is not None:
        told |= {
            "read_at": facts.read_at.isoformat(),
            "payments": len(facts.payments),
            "at_rest": len(facts.at_rest),
            "in_flight": sorted(facts.in_flight),
            "dead_letters": sorted(facts.dead),
        }
    return {**told, "invariants": [_verdict_json(verdict) for verdict in verdicts]}


def _verdict_json(verdict: "Verdict") -> Mapping[str, Any]:
    return {**asdict(verdict), "offences": [one._asdict() for one in verdict.offences]}


def _show(facts: "Facts | None", verdicts: Sequence["Verdict"], took_s: float) -> None:
    from rich.text import Text

    from devstack.show import show_invariants, wide_console

    console = wide_console()
    show_invariants(console, verdicts)
    for verdict in verdicts:
        for offence in verdict.offences:
            console.print(Text(f"  {verdict.name}  {offence.subject}: {offence.how}", "red"))
        if verdict.offence_count > len(verdict.offences):
            console.print(f"  {verdict.name}  … {verdict.offence_count - _SHOWN:,} more")
    told = ""
    if facts is not None:
        for title, found in (("in flight", facts.in_flight), ("dead letters", facts.dead)):
            if found:
                console.print(f"{len(found):,} {title}, judged apart: {_first(found)}")
        told = (
            f"{len(facts.payments):,} payments, {len(facts.at_rest):,} of them judged at rest,"
            f" as of {facts.read_at:%Y-%m-%d %H:%M:%S} UTC, "
        )
    console.print(f"{told}in {took_s:.1f} s: {_conclusion(verdicts)}")


def _first(found: Collection[str]) -> str:
    first = ", ".join(sorted(found)[:_SHOWN])
    return f"{first} … {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else first


def _conclusion(verdicts: Sequence["Verdict"]) -> str:
    violated = [verdict.name for verdict in verdicts if verdict.holds is False]
    unchecked = [verdict.name for verdict in verdicts if verdict.holds is None]
    if violated:
        return f"{', '.join(violated)} violated."
    return f"clean, but for {', '.join(unchecked)}, not checked." if unchecked else "clean."
