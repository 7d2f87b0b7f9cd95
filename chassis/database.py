"""PostgreSQL for a service: short transactions with a deadline, run again where the database says.

No network call belongs inside a transaction. An error from COMMIT is an unknown outcome: what runs
here is written so that running it again, or reading by its unique key, tells what happened.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chassis import data_keys
from chassis.encryption import DataKeyUnknown, Keyring
from chassis.errors import Unavailable
from chassis.telemetry import DATABASE_RETRIES

Result = TypeVar("Result")
Parameters = Sequence[object] | Mapping[str, object]

# Serialization failure, deadlock, and a key that another transaction took first: seen next time.
_RUN_AGAIN = frozenset({"40001", "40P01", "23505"})
# A plan is made once per connection and kept: making one anew for each batch costs more than most
# batches. Made while a table is small it would scan it for ever, so it must go by an index.
_OPTIONS = "-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan"
_OPTIONS += " -c idle_in_transaction_session_timeout=15s"  # a sleeper must not keep its locks
_TRIES_MAX = 8
_GRACE_S = 0.5
_PAUSE_S = 0.01
_PAUSE_MAX_S = 0.3
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Write:
    """A set-based statement that takes `rows` as the columns of its `unnest`, `width` of them."""

    query: LiteralString
    rows: Sequence[Sequence[object]]
    width: int


class Transaction:
    """One open transaction; it commits when the work given to `Database.run` returns."""

    def __init__(self, connection: psycopg.AsyncConnection[DictRow], keyring: Keyring) -> None:
        self._connection = connection
        self.keyring = keyring

    async def all(self, query: LiteralString, parameters: Parameters = ()) -> list[DictRow]:
        """Run a query and read all its rows."""
        return await (await self._connection.execute(query, parameters)).fetchall()

    async def tuples(self, query: LiteralString, parameters: Parameters = ()) -> list[Any]:
        """Run a query and read all its rows without their names: a third less for thousands."""
        cursor = self._connection.cursor(row_factory=tuple_row)
        return await (await cursor.execute(query, parameters)).fetchall()

    async def together(
        self, writes: Sequence[Write], answer: LiteralString = "SELECT 1"
    ) -> DictRow:
        """Run writes as one statement, those without rows left out, and read what `answer` selects.

        Each write is a common table expression named `w0`, `w1` and so on, in the order given; none
        sees what another writes.
        """
        parts = [f"w{place} AS ({write.query})" for place, write in enumerate(writes) if write.rows]
        parameters = [c for write in writes if write.rows for c in columns(write.rows, write.width)]
        statement = f"WITH {', '.join(parts)} {answer}" if parts else answer
        (row,) = await self.all(statement, parameters)
        return row

    async def execute(self, query: LiteralString, parameters: Parameters = ()) -> int:
        """Run a statement and tell how many rows it touched."""
        return (await self._connection.execute(query, parameters)).rowcount


Work = Callable[[Transaction], Awaitable[Result]]


class Database:
    """A pool of connections, `connections` at most, and the one way to run a transaction on it, in
    `timeout_s`, waiting for a connection included; with a keyring, if it has private columns.
    """

    def __init__(
        self, url: str, *, connections: int = 8, timeout_s: float = 10.0, keyring: Any = None
    ) -> None:
        self._timeout_s = timeout_s
        self.keyring: Keyring = keyring  # of a database without one nobody asks it
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
            url,
            min_size=min(2, connections),
            max_size=connections,
            timeout=timeout_s,
            reconnect_timeout=timeout_s,  # the pauses between tries double until then
            open=False,
            kwargs={
                "row_factory": dict_row,
                "prepare_threshold": 2,
                "connect_timeout": 5,
                "options": _OPTIONS,
                "autocommit": True,
            },
        )

    async def open(self) -> None:
        """Open the pool, and learn the data keys; close it again if that fails.

        Raises:
            Unavailable: the database cannot be reached.
            Undecipherable: a data key cannot be unwrapped.
        """
        try:
            await self._pool.open(wait=True, timeout=self._timeout_s)
        except PoolTimeout as error:
            raise Unavailable("The database cannot be reached.") from error
        try:
            if self.keyring is not None:
                await data_keys.learn(self)
        except BaseException:
            await self.close()  # what it works on outlives a cancellation: no process would end
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def run(
        self, work: Work[Result], *, timeout_s: float | None = None, alone: bool = False
    ) -> Result:
        """Run `work` in a transaction and commit; run it again on a serialization failure or a lost
        race for a key. `alone`: it is one statement, which needs no BEGIN and COMMIT around it.

        Raises:
            Unavailable: no answer in time, or no connection; whether it was committed is not known.
            Aborted: others won each time; nothing was done.
            psycopg.Error: anything else that the database says.
        """
        limit_s = timeout_s or self._timeout_s
        for attempt in range(1, _TRIES_MAX + 1):
            try:
                # psycopg tries to cancel, for ten seconds unless it is interrupted once more.
                async with asyncio.timeout(limit_s + _GRACE_S), asyncio.timeout(limit_s):
                    return await self._once(work, alone=alone)
            except psycopg.Error as error:
                state = error.sqlstate or ""
                if _is_no_answer(error):
                    raise Unavailable("The database did not answer.") from error
                if state not in _RUN_AGAIN:
                    raise
                if attempt == _TRIES_MAX:
                    raise Unavailable("Too many want the same; nothing was done.") from error
                DATABASE_RETRIES.labels(state).inc()
            except DataKeyUnknown:  # another instance has made it since
                await data_keys.learn(self)
            except (TimeoutError, PoolTimeout) as error:
                raise Unavailable("The database did not answer in time.") from error
            pause_s = min(_PAUSE_S * 2**attempt, _PAUSE_MAX_S)
            await asyncio.sleep(pause_s * random.random())  # noqa: S311 - jitter
        raise Unavailable("Too many data keys were not learned.")

    async def read(self, query: LiteralString, parameters: Parameters = ()) -> list[DictRow]:
        """Run one statement that is a transaction of its own, and read all its rows.

        Raises:
            Unavailable: as `run`.
            psycopg.Error: anything else that the database says.
        """
        return await self.run(lambda tx: tx.all(query, parameters), alone=True)

    async def _once(self, work: Work[Result], *, alone: bool) -> Result:
        async with self._pool.connection() as connection:
            transaction = Transaction(connection, self.keyring)
            if alone:
                return await work(transaction)
            async with connection.transaction():
                return await work(transaction)


def _is_no_answer(error: psycopg.Error) -> bool:
    """Tell whether it is the server's trouble, be it a full disk, and nobody's who asked."""
    state = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
    return state.startswith(("08", "53", "57", "58", "25P03"))  # 25P03: slept in a transaction


def columns(rows: Sequence[Sequence[object]], width: int) -> list[list[Any]]:
    """Turn rows into the columns that `unnest` takes; no rows make `width` empty columns."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def upgrade(owner_url: str, service: str, app_role: str) -> None:
    """Bring a service's schema to its newest version; the migrations say what `app_role` may do.

    Args:
        owner_url: `postgresql://…` of the owner role.
        service: the folder with `migrations/`, such as ledger_svc.
        app_role: the role the service runs as.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_ROOT / "chassis" / "migrations"))
    config.set_main_option("version_locations", str(_ROOT / service / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["owner_url"] = owner_url
    config.attributes["app_role"] = app_role
    command.upgrade(config, "head")
