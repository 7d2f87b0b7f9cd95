"""A payment's story and books as something a person enjoys reading."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from devstack.invariants import Verdict
from devstack.trail import Trail

_GOOD = {"COMPLETED", "SUCCESS", "SUCCEEDED", "APPROVED", "DONE"}
_BAD = {"FAILED", "DECLINED", "REFUSED", "DEAD_LETTER"}
# Of many events alike, the first ones and the last are shown; --json tells them all.
_ALIKE_SHOWN = 6
_MARKS = {True: Text("✓", "green"), False: Text("✗", "bold red"), None: Text("?", "yellow")}
_WAITS = {"NOTHING": "green", "OPERATOR": "bold red", "RETRY": "yellow", "EVIDENCE": "yellow"}


class Judged(Protocol):
    """What became of an invariant; None: it was not checked."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def statement(self) -> str:
        """What it says."""

    @property
    def holds(self) -> bool | None:
        """Whether it holds."""

    @property
    def evidence(self) -> str:
        """By what it was judged."""


def wide_console() -> Console:
    """Make a console that breaks few lines where nobody says how wide it is."""
    console = Console(highlight=False)
    if console.is_terminal or "COLUMNS" in os.environ:
        return console
    return Console(width=130, highlight=False)


def show_json(console: Console, title: str, body: object) -> None:
    """Show a request or an answer."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    console.print(
        Panel(Syntax(text, "json", background_color="default"), title=title, padding=(0, 1))
    )


def show_story(console: Console, story: Mapping[str, Any]) -> None:
    """Show what ExplainPayment answered: headline, timeline, outlook, actions, gaps."""
    console.print(headline(story))
    console.print(_titled("Timeline", timeline(story)))
    console.print(_titled("Outlook", outlook(story)))
    for line in actions(story):
        console.print(line, soft_wrap=True)  # not broken, so that a command can be copied
    if story["gaps"]:
        console.print(_titled("Gaps", _gaps(story)))


def headline(story: Mapping[str, Any]) -> Text:
    """Write the headline; its first word is the status."""
    status, _, rest = story["headline"].partition(" ")
    return Text.assemble((status, f"bold {_color(status)}"), " ", (rest, "bold"))


def timeline(story: Mapping[str, Any], last: int | None = None) -> RenderableType:
    """Write the timeline as a table; only the `last` rows if that is given."""
    events = story["timeline"]
    table = _table("when", "who", "what")
    table.columns[0].justify = "right"
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    table.columns[2].overflow = "fold"
    began = _moment(events[0]["at"])
    rows = list(_rows(events, began))
    for when, who, what in rows if last is None else rows[-last:]:
        table.add_row(Text(when, "dim"), Text(who, "cyan"), what)
    return table


def _rows(events: Sequence[Mapping[str, Any]], began: datetime) -> Iterator[tuple[str, str, Text]]:
    for _, alike in groupby(events, key=lambda event: (event["source"], event["kind"])):
        run = list(alike)
        shown = run if len(run) <= _ALIKE_SHOWN else [*run[: _ALIKE_SHOWN - 2], run[-1]]
        for event in shown:
            if event is run[-1] and len(shown) < len(run):
                yield "", "", Text(f"… {len(run) - len(shown)} more alike …", "dim")
            when = _relative(_moment(event["at"]), began)
            yield when, event["source"].lower(), Text(event["summary"])


def _relative(at: datetime, began: datetime) -> str:
    milliseconds = _ms(at, began)
    if abs(milliseconds) < 10_000:
        return f"{milliseconds:+.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:+.2f} s" if abs(seconds) < 1_000 else f"{seconds / 60:+,.0f} min"


def outlook(story: Mapping[str, Any]) -> RenderableType:
    """Write what a payment waits for, since when, and until when at most."""
    told = story["outlook"]
    waits = told["waits_for"]
    lines = [Text.assemble((waits, _WAITS.get(waits, "cyan")), "  ", told["sentence"])]
    for name, key in (("since", "since"), ("looked at again", "looked_at_again_at")):
        if key in told:
            lines.append(Text(f"{name} {_clock(told[key])}", "dim"))
    if told["then"]:
        until = f"at most until {_clock(told['until'])}; then: " if "until" in told else "then: "
        lines.append(Text(until + told["then"], "dim"))
    return Padding(Group(*lines), (0, 0, 0, 2))


def actions(story: Mapping[str, Any]) -> Iterator[Text]:
    """Write what one can do, each with the command below it."""
    for action in story["outlook"]["actions"]:
        if action["kind"] == "NONE":
            continue
        yield Text(f"  · {action['sentence']}")
        if action["command"]:
            yield Text(f"    {action['command']}", "cyan")


def _gaps(story: Mapping[str, Any]) -> RenderableType:
    table = _table("", "")
    table.show_header = False
    for gap in story["gaps"]:
        table.add_row(Text(f"  {gap['source'].lower()}", "yellow"), Text(gap["why"]))
    return table


def _clock(moment: str) -> str:
    return _moment(moment).strftime("%Y-%m-%d %H:%M:%S UTC")


def show_books(console: Console, trail: Trail, wallets_before: dict[str, Any]) -> None:
    """Show what became of the wallets and the ledger, and what the PSP wrote down."""
    console.print(_titled("Wallets", _wallets(trail, wallets_before)))
    console.print(_titled("Ledger", _ledger(trail)))
    console.print(_titled("The PSP sandbox's own record", _record(trail)))


def show_verdicts(console: Console, verdicts: Sequence[Verdict], unchecked: str = "") -> None:
    """Show the invariants with what they were judged by, or why they were not."""
    if unchecked:
        console.print(_titled("Invariants", Text(f"  {unchecked}", "yellow")))
        return
    show_invariants(console, verdicts)


def show_invariants(console: Console, verdicts: Sequence[Judged]) -> None:
    """Show the invariants, each with its evidence; what was not checked has a mark of its own."""
    table = _table("", "", "invariant", "evidence")
    for verdict in verdicts:
        mark = _MARKS[verdict.holds]
        table.add_row(mark, verdict.name, verdict.statement, Text(verdict.evidence, "dim"))
    console.print(_titled("Invariants", table))


def _titled(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(f"\n{title}", "bold cyan"), body)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _color(status: str) -> str:
    return "green" if status in _GOOD else "red" if status in _BAD else "yellow"


def _wallets(trail: Trail, before: dict[str, Any]) -> RenderableType:
    table = _table("wallet", "", "pending", "available", "held")
    for wallet in trail.wallets:
        name = wallet["wallet_id"]
        earlier = before.get(name)
        row = [earlier[part] if earlier else "—" for part in ("pending", "available", "held")]
        table.add_row(name, Text("before", "dim"), *row)
        for operation in (o for o in trail.operations if o["wallet_id"] == name):
            parts = [operation[f"{part}_after"] for part in ("pending", "available", "held")]
            table.add_row("", f"{operation['kind'].lower()} {operation['amount']}", *parts)
    return table


def _ledger(trail: Trail) -> RenderableType:
    table = _table("account", "debit", "credit", "balance after", "template")
    for column in table.columns[1:4]:
        column.justify = "right"
    totals = {"SIDE_DEBIT": Decimal(), "SIDE_CREDIT": Decimal()}
    for entry in trail.entries:
        totals[entry["side"]] += Decimal(entry["amount"])
        debit = entry["amount"] if entry["side"] == "SIDE_DEBIT" else ""
        credit = entry["amount"] if entry["side"] == "SIDE_CREDIT" else ""
        what = entry["template"] or entry["description"]
        table.add_row(entry["account_id"], debit, credit, entry["balance_after"], what)
    if trail.entries:
        table.add_section()
        debits, credits = totals["SIDE_DEBIT"], totals["SIDE_CREDIT"]
        table.add_row(
            "sum", str(debits), str(credits), Text(f"difference {debits - credits}", "bold")
        )
    lines = [
        f"whole ledger {line['currency']}: debits {line['debits']}, credits {line['credits']},"
        f" difference {line['difference']}"
        for line in trail.trial_balance
    ]
    return Group(table, Text("\n".join(lines), "dim"))


def _record(trail: Trail) -> RenderableType:
    table = _table("what", "psp's id", "minor units", "currency", "key that we sent")
    for record in trail.psp_record:
        table.add_row(
            record["kind"],
            record["reference"],
            str(record["amount"]),
            record["currency"],
            record.get("idempotency_key") or "",
        )
    return table


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _ms(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds() * 1000
