"""How a service's queries are run: what a reader asks is recorded, and explained as the service's
own connections plan it.
"""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from chassis import database as chassis_database
from chassis.database import Database, Transaction, Work
from tests.servers import ServiceDatabase

Parameters = Sequence[Any] | Mapping[str, Any]
_MONTH = re.compile(r"(entries|transactions)_(first|[\d_]+)", re.ASCII)
_PLACEHOLDER = re.compile(r"%(?:%|s|\((\w+)\)s)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that was asked, with its parameters."""

    query: str
    parameters: Parameters

    def numbered(self) -> tuple[str, list[Any]]:
        """Write it with numbers for parameters, as PREPARE takes it."""
        values: list[Any] = []
        places: dict[str, int] = {}

        def number(found: "re.Match[str]") -> str:
            if found.group() == "%%":
                return "%"
            name = found.group(1)
            if name is None:
                values.append(self.parameters[len(values)])  # type: ignore[index]
                return f"${len(values)}"
            if name not in places:
                values.append(self.parameters[name])  # type: ignore[call-overload]
                places[name] = len(values)
            return f"${places[name]}"

        return _PLACEHOLDER.sub(number, self.query), values


class Recorder:
    """Takes a database's place in a reader, and keeps what is asked of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: list[Asked] = []

    async def read(self, query: Any, parameters: Parameters = ()) -> Any:
        """Run one statement."""
        self.asked.append(Asked(query, parameters))
        return await self._database.read(query, parameters)

    async def run(self, work: "Work[Any]", **how: Any) -> Any:
        """Run a transaction."""

        def kept(tx: Transaction) -> Any:
            connection: Any = _Connection(tx._connection, self.asked)
            return work(Transaction(connection, tx.keyring))

        return await self._database.run(kept, **how)


class _Connection:
    """A connection, or a cursor of one, of which what is run is kept."""

    def __init__(self, real: Any, asked: list[Asked]) -> None:
        self._real, self._asked = real, asked

    async def execute(self, query: Any, parameters: Parameters = ()) -> Any:
        self._asked.append(Asked(query, parameters))
        return await self._real.execute(query, parameters)

    def cursor(self, **how: Any) -> "_Connection":
        return _Connection(self._real.cursor(**how), self._asked)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query did.

    Attributes:
        nodes: of the plan, as EXPLAIN ANALYZE tells them, without those that were never run.
        blocks: how many pages of 8 kB were looked at.
    """

    nodes: tuple[dict[str, Any], ...]
    blocks: int

    @property
    def rows(self) -> int:
        """How many rows were read from tables and indexes, those that did not fit included."""
        return int(sum(map(_rows, filter(_is_scan, self.nodes))))

    @property
    def scans(self) -> set[str]:
        """The tables that were read from end to end."""
        return {n["Relation Name"] for n in self.nodes if n["Node Type"] == "Seq Scan"}

    @property
    def months(self) -> set[str]:
        """The tables of single months that were looked at."""
        named = [n["Relation Name"] for n in self.nodes if "Relation Name" in n]
        return {name for name in named if _MONTH.fullmatch(name)}


class Explainer:
    """A connection as a service has it, which makes a plan once and keeps it."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None,
            options=chassis_database._OPTIONS,
        )
        self._prepared: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def prepare(self, asked: Asked) -> str:
        """Have a plan made, if there is none; answer its name."""
        query, _ = asked.numbered()
        if query not in self._prepared:
            name = f"q{len(self._prepared)}"
            self._connection.execute(f"PREPARE {name} AS {query}".encode())
            self._prepared[query] = name
        return self._prepared[query]

    def plan(self, asked: Asked) -> Plan:
        """Run a query by its plan, and tell what that did."""
        _, values = asked.numbered()
        literals = psycopg.sql.SQL(", ").join(map(psycopg.sql.Literal, values))
        options = "ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON"
        explain = psycopg.sql.SQL(f"EXPLAIN ({options}) EXECUTE {self.prepare(asked)}")
        query = explain + psycopg.sql.SQL("({})").format(literals) if values else explain
        (row,) = self._connection.execute(query).fetchall()
        top = row["QUERY PLAN"][0]["Plan"]
        ran = tuple(node for node in _nodes(top) if node["Actual Loops"])
        return Plan(ran, top["Shared Hit Blocks"] + top["Shared Read Blocks"])


# By when a plan was made: while a service had nothing, and when there was all that it is used on.
MADE = EMPTY, FULL = "while it was empty", "when it was full"

Case = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Explained:
    """What each case asked of what was filled in, and how that was run by plans made when."""

    filled: Any
    asked: dict[str, list[Asked]]
    plans: dict[str, dict[str, list[Plan]]]

    def beyond(self, made: str, may_be: Callable[[str, Plan], bool]) -> list[tuple[Any, ...]]:
        """Name what costs more than it may."""
        return [
            (name, query, plan.rows, plan.blocks, plan.scans)
            for name, plans in self.plans[made].items()
            for query, plan in enumerate(plans)
            if not may_be(name, plan)
        ]

    def unasked(self, *modules: Any) -> set[str]:
        """Name the reads among modules' statements that no case asked."""
        known = [one.query.strip() for some in self.asked.values() for one in some]
        return {
            name
            for module in modules
            for name, text in _constants(module)
            if not any(query.startswith(text) for query in known)
        }


def explain(
    full: ServiceDatabase,
    empty: ServiceDatabase,
    fill: Callable[[str], Any],
    cases: Mapping[str, Case],
    readers: Callable[[Recorder, Any], Any],
) -> Explained:
    """Explain every query of every case twice: by plans made while there was nothing, and by new
    ones.

    `fill` is given a URL of the owner's; `readers` makes what a case asks, of a recorder and of
    what was filled in.
    """
    filled = fill(full.owner_url)
    asked = asyncio.run(_record(full.app_url, cases, lambda recorder: readers(recorder, filled)))
    with closing(Explainer(empty.app_url)) as explainer:
        for one in itertools.chain.from_iterable(asked.values()):
            explainer.prepare(one)
        fill(empty.owner_url)
        plans = {EMPTY: _run(explainer, asked)}
        _analyze(empty.owner_url)
        plans[FULL] = _run(explainer, asked)
    return Explained(filled, asked, plans)


async def _record(
    url: str, cases: Mapping[str, Case], readers: Callable[[Recorder], Any]
) -> dict[str, list[Asked]]:
    asked = {}
    database = Database(url)
    await database.open()
    try:
        for name, case in cases.items():
            recorder = Recorder(database)
            await case(readers(recorder))
            asked[name] = [one for one in recorder.asked if _is_read(one)]
    finally:
        await database.close()
    return asked


def _is_read(asked: Asked) -> bool:
    """Tell whether a query only reads, and perhaps locks."""
    return asked.query.split()[0] in ("SELECT", "WITH")


def _analyze(owner_url: str) -> None:
    """Let the planner know what is there; what was planned before is planned anew."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("ANALYZE")


def _run(explainer: Explainer, asked: Mapping[str, list[Asked]]) -> dict[str, list[Plan]]:
    return {name: [explainer.plan(one) for one in some] for name, some in asked.items()}


def subsets(choices: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Choose some of many, in every way."""
    for size in range(len(choices) + 1):
        for names in itertools.combinations(choices, size):
            yield {name: choices[name] for name in names}


def _constants(module: Any) -> Iterator[tuple[str, str]]:
    """Name the reads among a module's statements, as far as the first part that is filled in."""
    for name, value in vars(module).items():
        if (
            isinstance(value, str)
            and not name.startswith("_")
            and value.split()[:1] in (["SELECT"], ["WITH"])
        ):
            yield name, value.partition("{")[0].strip()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def _is_scan(node: dict[str, Any]) -> bool:
    return "Relation Name" in node


def _rows(node: dict[str, Any]) -> float:
    counted = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(sum(node.get(name, 0) for name in counted) * node["Actual Loops"])
