"""How a service's queries are run: what a reader asks is recorded, and explained as the service's
own connections plan it.
"""

import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from chassis import database as chassis_database
from chassis.database import Database, Transaction, Work

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


def is_read(asked: Asked) -> bool:
    """Tell whether a query only reads, and perhaps locks."""
    return asked.query.split()[0] in ("SELECT", "WITH")


def analyze(owner_url: str) -> None:
    """Let the planner know what is there; what was planned before is planned anew."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("ANALYZE")


def explain(explainer: Explainer, asked: Mapping[str, list[Asked]]) -> dict[str, list[Plan]]:
    """Run every query of every case."""
    return {name: [explainer.plan(one) for one in some] for name, some in asked.items()}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database."""
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def subsets(choices: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Choose some of many, in every way."""
    for size in range(len(choices) + 1):
        for names in itertools.combinations(choices, size):
            yield {name: choices[name] for name in names}


def constants(module: Any) -> Iterator[tuple[str, str]]:
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
