"""Formance v2 over its HTTP API: how it is started, asked, and held against what was acknowledged.

Two processes, each with a database and a ledger of its own: one with every feature, as a ledger is
by default, and one with none (what its source calls the minimal set, without hashes and histories).
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, LiteralString

import aiohttp
import psycopg
from psycopg import sql

from benchmarks import postgres_figures
from benchmarks.ledger import PLATFORM, seller
from benchmarks.load import Call, Unanswered
from benchmarks.rivals.bouts import Contender
from benchmarks.scenarios import Shape
from benchmarks.workload import ACCOUNTS, STAMP_PLACE, Answer, Stored
from devstack.processes import Recipe

CONTENDERS = (Contender.FORMANCE, Contender.FORMANCE_MINIMAL)
_LEDGER = "bench"
# As many as its own write benchmark gives it. By default it keeps none when idle, and so opens one
# for each statement.
_CONNECTIONS = "100"
# Of a transaction it asks a second connection while it holds one: as many requests at once as it
# has connections wait for each other for ever. Who asks holds the rest back, as a proxy would.
_REQUESTS_AT_ONCE = 16
_MINIMAL = {
    "MOVES_HISTORY": "OFF",
    "MOVES_HISTORY_POST_COMMIT_EFFECTIVE_VOLUMES": "DISABLED",
    "HASH_LOGS": "DISABLED",
    "ACCOUNT_METADATA_HISTORY": "DISABLED",
    "TRANSACTION_METADATA_HISTORY": "DISABLED",
}
_ASSET, _AMOUNT = "USD/2", 1099
_OPENED_AT_ONCE = 1000
_CALL_S = 60.0
_PAUSE_S = 0.05
_JSON = {"Content-Type": "application/json"}


class FormanceFailed(Exception):
    """It did not do what preparing or auditing it takes."""


async def make_database(admin_url: str, database: str, pgcrypto: tuple[Path, Path] | None) -> str:
    """Make a database, with pgcrypto from where that is; answer the URL.

    Raises:
        FormanceFailed: PostgreSQL has no pgcrypto.
    """
    url = await postgres_figures.make_database(admin_url, database, ())
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for name, value in _paths(pgcrypto).items():
            for told in _SET:
                await connection.execute(
                    sql.SQL(told).format(sql.Identifier(database), sql.Identifier(name), value)
                )
        try:
            await connection.execute("CREATE EXTENSION pgcrypto")
        except psycopg.errors.FeatureNotSupported as error:
            raise FormanceFailed(
                "this PostgreSQL has no pgcrypto, which Formance needs: give PGCRYPTO_CONTROL and"
                " PGCRYPTO_LIBRARY of another PostgreSQL 18"
            ) from error
    return url


# For whoever connects from now on, and for this connection.
_SET: tuple[LiteralString, ...] = ("ALTER DATABASE {0} SET {1} = {2}", "SET {1} = {2}")


def _paths(pgcrypto: tuple[Path, Path] | None) -> Mapping[str, str]:
    if pgcrypto is None:
        return {}
    control, library = pgcrypto
    return {
        "extension_control_path": f"$system:{control.parent.parent}",
        "dynamic_library_path": f"$libdir:{library.parent}",
    }


def recipe(name: str, program: Path, port: int, database_url: str) -> Recipe:
    """Tell how to start it: what a feature set and bulks of 1,000 take, and connections kept."""
    command = [
        str(program), "serve", "--bind", f"127.0.0.1:{port}",
        "--postgres-uri", f"{database_url}?sslmode=disable", "--auto-upgrade",
        "--postgres-max-open-conns", _CONNECTIONS,
        "--postgres-max-idle-conns", _CONNECTIONS,
        "--postgres-conn-max-idle-time", "5s",  # what one of them leaves, the next may have
        "--experimental-features", "--bulk-max-size", "1000",
    ]  # fmt: skip
    return Recipe(name, command)


class FormanceAsking:
    """The load as its API takes it: postings without a check of funds, each with its own key."""

    def request(self, shape: Shape, size: int, choose: Random) -> bytes:
        """Make a request: a line with the idempotency key of a single one, and the body."""
        if size == 1:
            return f"{STAMP_PLACE}\n{json.dumps(_transaction(shape, choose))}".encode()
        elements = [
            {
                "action": "CREATE_TRANSACTION",
                "ik": f"{STAMP_PLACE}{number:04d}",
                "data": _transaction(shape, choose),
            }
            for number in range(size)
        ]
        return f"\n{json.dumps(elements)}".encode()

    def judge(self, response: bytes) -> Answer:
        """Tell what a request came to: a transaction, elements of a bulk, or an error."""
        told = json.loads(response)
        elements = told.get("data")
        if isinstance(elements, list):
            wrong = [e["errorCode"] for e in elements if e["responseType"] == "ERROR"]
            return Answer(len(elements) - len(wrong), wrong)
        return Answer(1) if elements else Answer(0, [told["errorCode"]])


def _transaction(shape: Shape, choose: Random) -> dict[str, Any]:
    source, destination = choose.sample(range(ACCOUNTS), 2)
    posting = {
        "source": PLATFORM if shape is Shape.HOT else seller(source),
        "destination": seller(destination),
        "amount": _AMOUNT,
        "asset": _ASSET,
    }
    return {"postings": [posting], "metadata": {}, "force": True}


class FormanceLedger:
    """A ledger of one of the processes."""

    def __init__(self, session: aiohttp.ClientSession, base: str, *, is_minimal: bool) -> None:
        self._session = session
        self._url = f"{base}/v2/{_LEDGER}"
        self._is_minimal = is_minimal
        self._gate = asyncio.Semaphore(_REQUESTS_AT_ONCE)  # whoever came first goes first

    async def open(self) -> int:
        """Make the ledger and its accounts; tell how many transactions that took."""
        await self._ask("POST", "", {"features": _MINIMAL} if self._is_minimal else {})
        accounts = [*(seller(number) for number in range(ACCOUNTS)), PLATFORM]
        parts = [
            accounts[first : first + _OPENED_AT_ONCE]
            for first in range(0, len(accounts), _OPENED_AT_ONCE)
        ]
        for part in parts:
            postings = [
                {"source": "world", "destination": account, "amount": 1, "asset": _ASSET}
                for account in part
            ]
            await self._ask("POST", "/transactions", {"postings": postings, "metadata": {}})
        return len(parts)

    def call(self, batch: int) -> Call:
        """Make a call of its API for requests of `batch` transactions, over kept connections."""
        # The faster way, as tried: with hashes its elements wait for each other anyway.
        bulk = "/_bulk?parallel=true" if self._is_minimal else "/_bulk"
        url = self._url + ("/transactions" if batch == 1 else bulk)

        async def call(request: bytes) -> bytes:
            key, _, body = request.partition(b"\n")
            headers = {**_JSON, "Idempotency-Key": key.decode()} if key else _JSON
            try:
                async with (
                    self._gate,
                    self._session.post(url, data=body, headers=headers) as response,
                ):
                    content = await response.read()
                    if response.status >= 500:
                        raise Unanswered(f"HTTP_{response.status}")
                    return content
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unanswered(type(error).__name__) from error

        return call

    async def stored(self) -> Stored:
        """Ask it how many transactions it has, and whether its balances sum to zero."""
        count = (await self._ask("GET", "/stats"))["transactions"]
        sums = await self._ask("GET", "/aggregate/balances")
        faults = [f"{asset} sums to {total}" for asset, total in sums.items() if total != 0]
        return Stored(int(count), faults)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as response:
            content = await response.read()
            if response.status >= 400:
                raise FormanceFailed(f"{method} {self._url}{path}: {content[:300]!r}")
            return json.loads(content)["data"] if content else None


async def serving(session: aiohttp.ClientSession, base: str) -> None:
    """Wait until it answers."""
    while True:
        try:
            async with session.get(f"{base}/_healthcheck") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(_PAUSE_S)


def open_session() -> aiohttp.ClientSession:
    """Open a session that keeps its connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=_CALL_S),
    )
