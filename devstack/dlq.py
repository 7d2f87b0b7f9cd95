"""`paymesh dlq`: the queues of a running stack, and what persons can do about dead letters."""

import asyncio
import getpass
import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devstack.options import JSON, STATE
from devstack.state import StackError, State

if TYPE_CHECKING:  # what is heavy is imported when asked for
    from devstack.dead_letters import DeadLetters

Answer = TypeVar("Answer")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_STATUSES = ("PROPOSED", "APPROVED", "APPLIED", "REJECTED", "EXPIRED", "CONTRADICTED")
_PER_SECOND_MAX = 1000.0
_COUNT_MAX = 100_000


class Span(click.ParamType[timedelta]):
    """A span such as 30s, 15m, 2h, 3d."""

    name = "span"

    def convert(self, value: Any, _: object, __: object) -> timedelta:
        """Read one."""
        if isinstance(value, timedelta):
            return value
        found = _SPAN.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no span such as 30s, 15m, 2h, 3d")
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


AS = click.option(
    "--as",
    "actor",
    envvar="PAYMESH_ACTOR",
    default=getpass.getuser,
    help="Who acts; by default the system's user. In a mesh his certificate says so (`paymesh certs"
    " operator`), without one nobody vouches for it.",
)
WHY = click.option("--why", required=True, help="Why; it is kept with who did it.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
KIND = click.option("--kind", default="", help="Only this journey: pay_in, capture, settle …")
REASON = click.option("--reason", default="", help="Only where the reason begins so: POISON.")
OLDER = click.option(
    "--older-than", type=Span(), default="0s", help="Only what has stood so long: 30s, 15m, 2h, 3d."
)
PAYMENT = click.option("--payment", default="", help="Only of this payment.")
EVIDENCE = click.option("--evidence", required=True, help="What was seen, and where.")
LINK = click.option("--link", default="", help="Where the evidence is kept, https://…")


@click.group()
def dlq() -> None:
    """See what stands in the queues, let dead letters go on, and resolve by two persons what nobody
    else can tell.
    """


@dlq.command("list")
@click.option(
    "--queue",
    type=click.Choice(["PAYMENT", "RETRY", "WAITING", "DEAD_LETTER"]),
    default="DEAD_LETTER",
    show_default=True,
)
@KIND
@REASON
@OLDER
@PAYMENT
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@JSON
@STATE
def list_(*, queue: str, limit: int, as_json: bool, folder: Path, **chosen: Any) -> None:
    """List a queue, and how deep all queues are."""
    from devstack import dlq_show

    async def run(letters: "DeadLetters") -> Mapping[str, Any]:
        return {
            "queues": await letters.queues(),
            "sagas": await letters.list(queue, limit, **chosen),
        }

    _print(_asked(folder, "", run), dlq_show.listing, as_json=as_json)


@dlq.command()
@click.argument("saga_id")
@JSON
@STATE
def show(*, saga_id: str, as_json: bool, folder: Path) -> None:
    """Show a saga: why it stands there, what it would do if it were let go on, what may be said."""
    from devstack import dlq_show

    _print(
        _asked(folder, "", lambda letters: letters.show(saga_id)), dlq_show.saga, as_json=as_json
    )


@dlq.command()
@click.argument("saga_id", required=False)
@click.option("--all", "many", is_flag=True, help="All dead letters that fit the filters.")
@KIND
@REASON
@OLDER
@PAYMENT
@click.option(
    "--max", "count_max", default=1000, type=click.IntRange(1, _COUNT_MAX), show_default=True
)
@click.option(
    "--per-second", default=10.0, type=click.FloatRange(0.01, _PER_SECOND_MAX), show_default=True
)
@WHY
@YES
@AS
@JSON
@STATE
def retry(
    *,
    saga_id: str | None,
    many: bool,
    count_max: int,
    per_second: float,
    why: str,
    yes: bool,
    actor: str,
    as_json: bool,
    folder: Path,
    **chosen: Any,
) -> None:
    """Let SAGA_ID go on, or with --all every dead letter that fits, so many a second.

    What would happen is shown first. Everything is asked again under the ids of the first time.
    """
    from devstack import dlq_show

    if (saga_id is None) is not many:
        raise click.UsageError("give either SAGA_ID or --all")

    async def one(letters: "DeadLetters") -> Mapping[str, Any]:
        seen = await letters.plan(str(saga_id))
        confirm(lambda: dlq_show.plan(seen), "Let it go on?", yes=yes)
        return await letters.retry(seen, why)

    async def all_(letters: "DeadLetters") -> Mapping[str, Any]:
        seen = await letters.choose(count_max, per_second, **chosen)
        if seen["count"]:
            confirm(lambda: dlq_show.chosen(seen, per_second), "Let them go on?", yes=yes)
        return await letters.retry_many(seen, count_max, per_second, why, **chosen)

    done = _asked(folder, actor, all_ if many else one)
    _print(done, dlq_show.let_on, as_json=as_json)


@dlq.command()
@click.argument("saga_id")
@click.argument(
    "decision",
    type=click.Choice(
        ["CHARGED", "NOT_CHARGED", "OTHER_AMOUNT", "DONE_BY_HAND", "GIVE_UP"],
        case_sensitive=False,
    ),
)
@click.option("--psp-reference", default="", help="The PSP's id of what moved the money.")
@click.option(
    "--amount", default="", help="How much, a decimal string; with CHARGED, OTHER_AMOUNT."
)
@click.option("--currency", default="", help="ISO 4217; with --amount.")
@EVIDENCE
@LINK
@WHY
@AS
@JSON
@STATE
def resolve(
    *, saga_id: str, decision: str, why: str, actor: str, as_json: bool, folder: Path, **said: str
) -> None:
    """Propose what became of SAGA_ID's step; another person has to approve it."""
    from devstack import dlq_show

    proposed = _asked(folder, actor, lambda it: it.resolve(saga_id, decision.upper(), why, **said))
    _print(proposed, dlq_show.resolution, as_json=as_json)


@dlq.command()
@click.argument("saga_id")
@EVIDENCE
@LINK
@WHY
@AS
@JSON
@STATE
def discard(
    *, saga_id: str, why: str, actor: str, as_json: bool, folder: Path, **said: str
) -> None:
    """Propose to give SAGA_ID up; another person has to approve it."""
    from devstack import dlq_show

    proposed = _asked(folder, actor, lambda it: it.resolve(saga_id, "GIVE_UP", why, **said))
    _print(proposed, dlq_show.resolution, as_json=as_json)


@dlq.command()
@click.argument("resolution_id")
@WHY
@YES
@AS
@JSON
@STATE
def approve(
    *, resolution_id: str, why: str, yes: bool, actor: str, as_json: bool, folder: Path
) -> None:
    """Approve what somebody else has proposed; it is applied at once. Exits 1 unless it was."""
    from devstack import dlq_show

    async def run(letters: "DeadLetters") -> Mapping[str, Any]:
        seen = await letters.find(resolution_id)
        confirm(lambda: dlq_show.resolution(seen), "Approve it?", yes=yes)
        return await letters.approve(resolution_id, why)

    applied = _asked(folder, actor, run)
    _print(applied, dlq_show.resolution, as_json=as_json)
    if applied["status"] != "APPLIED":
        raise click.exceptions.Exit(1)


@dlq.command()
@click.argument("resolution_id")
@WHY
@AS
@JSON
@STATE
def reject(*, resolution_id: str, why: str, actor: str, as_json: bool, folder: Path) -> None:
    """Reject a proposal, or take one's own back."""
    from devstack import dlq_show

    rejected = _asked(folder, actor, lambda letters: letters.reject(resolution_id, why))
    _print(rejected, dlq_show.resolution, as_json=as_json)


@dlq.command()
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    help="Only those that stand so: " + ", ".join(_STATUSES) + ".",
)
@click.option("--saga", "saga_id", default="", help="Only of this saga.")
@JSON
@STATE
def resolutions(*, status: str | None, saga_id: str, as_json: bool, folder: Path) -> None:
    """List resolutions, the newest first."""
    from devstack import dlq_show

    found = _asked(folder, "", lambda letters: letters.resolutions(status or "", saga_id))
    _print(found, dlq_show.resolutions, as_json=as_json)


@dlq.command()
@click.argument("client_id")
@click.argument("method")
@click.argument("idempotency_key")
@JSON
@STATE
def key(*, client_id: str, method: str, idempotency_key: str, as_json: bool, folder: Path) -> None:
    """Tell what is kept under a client's IDEMPOTENCY_KEY for a METHOD such as CreatePayment."""
    from devstack import dlq_show

    found = _asked(folder, "", lambda letters: letters.key(client_id, method, idempotency_key))
    _print(found, dlq_show.key, as_json=as_json)


def _asked(folder: Path, actor: str, ask: "Callable[[DeadLetters], Awaitable[Answer]]") -> Answer:
    """Ask the running stack; what it refuses is one clear line."""
    import grpc

    from devstack.dead_letters import DeadLetters
    from devstack.trail import Operator

    stack = State(folder).running()

    async def run() -> Answer:
        async with Operator(stack, actor) as operator:
            return await ask(DeadLetters(operator.payments, actor))

    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        raise StackError(str(error.details())) from error
    except ValueError as error:
        raise StackError(str(error)) from error


def confirm(shown: Callable[[], Sequence[str]], question: str, *, yes: bool) -> None:
    """Show what would happen, and ask.

    Raises:
        StackError: nobody can be asked, or he says no.
    """
    click.echo("\n".join(shown()), err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise StackError("nothing was changed: say --yes where nobody can be asked")
    if not click.confirm(question, err=True):
        raise StackError("nothing was changed")


def _print(found: Any, tell: Callable[[Any], Sequence[str]], *, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(tell(found)))
