"""A payment's trail as something a person enjoys reading."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from devstack.invariants import Verdict
from devstack.trail import Trail

_GOOD = {"COMPLETED", "SUCCESS", "SUCCEEDED", "APPROVED", "DONE", "done"}
_BAD = {"FAILED", "DECLINED", "REFUSED", "DEAD_LETTER", "refused", "dead"}


def wide_console() -> Console:
    """Make a console that breaks no line of the tables, unless the terminal itself is narrower."""
    console = Console()
    return console if console.is_terminal else Console(width=130)


def show_json(console: Console, title: str, body: object) -> None:
    """Show a request or an answer."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    console.print(
        Panel(Syntax(text, "json", background_color="default"), title=title, padding=(0, 1))
    )


def show_trail(console: Console, trail: Trail, wallets_before: dict[str, Any]) -> None:
    """Show what every service knows of a payment, in the order in which it happened."""
    console.print(_titled("Risk", _risk(trail)))
    console.print(_titled("Saga: every step, and when", _saga(trail)))
    console.print(_titled("PSP attempts, as psp_gateway stored them", _attempts(trail)))
    console.print(_titled("Wallets", _wallets(trail, wallets_before)))
    console.print(_titled("Ledger", _ledger(trail)))
    console.print(_titled("The PSP sandbox's own record", _record(trail)))


def show_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Show the invariants with what they were judged by."""
    table = _table("", "", "invariant", "evidence")
    for verdict in verdicts:
        mark = Text("✓", "green") if verdict.holds else Text("✗", "bold red")
        table.add_row(mark, verdict.name, verdict.statement, Text(verdict.evidence, "dim"))
    console.print(_titled("Invariants", table))


def _titled(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(f"\n{title}", "bold cyan"), body)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _word(word: str) -> Text:
    return Text(word, "green" if word in _GOOD else "red" if word in _BAD else "")


def _risk(trail: Trail) -> RenderableType:
    if trail.assessment is None:
        return Text("not assessed", "dim")
    hits = (
        ", ".join(hit["rule"] for hit in trail.assessment["rule_hits"])
        or "no rule spoke against it"
    )
    return Text.assemble(_word(trail.assessment["decision"]), "  ", (hits, "dim"))


def _saga(trail: Trail) -> RenderableType:
    table = _table("saga", "step", "", "outcome", "began", "took", "detail")
    began = None
    for saga in trail.sagas:
        for step in saga["steps"]:
            started, finished = _moment(step["started_at"]), _moment(step["finished_at"])
            began = began or started
            table.add_row(
                f"{saga['kind']} v{step['definition_version']}",
                step["step"],
                step["action"],
                _word(step["outcome"]),
                f"+{_ms(started, began):.0f} ms",
                f"{_ms(finished, started):.1f} ms",
                Text(step["detail"], "dim"),
            )
    return table


def _attempts(trail: Trail) -> RenderableType:
    table = _table("attempt", "psp", "outcome", "amount", "psp's id", "requests", "why")
    for attempt in trail.attempts:
        table.add_row(
            attempt["attempt_id"],
            attempt["psp"],
            _word(attempt["outcome"]),
            f"{attempt['amount']} {attempt['currency']}",
            attempt["psp_reference"],
            str(attempt["request_count"]),
            " ".join(filter(None, (attempt["reason"], attempt["psp_code"]))),
        )
    return table


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
    table = _table("account", "debit", "credit", "balance after")
    for column in table.columns[1:]:
        column.justify = "right"
    totals = {"SIDE_DEBIT": Decimal(), "SIDE_CREDIT": Decimal()}
    for entry in trail.entries:
        totals[entry["side"]] += Decimal(entry["amount"])
        debit = entry["amount"] if entry["side"] == "SIDE_DEBIT" else ""
        credit = entry["amount"] if entry["side"] == "SIDE_CREDIT" else ""
        table.add_row(entry["account_id"], debit, credit, entry["balance_after"])
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
