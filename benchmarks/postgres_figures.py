"""What PostgreSQL says of itself: that it is durable, what it wrote, what it can without gRPC."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg

from benchmarks.tally import Tally
from devstack.postgres import binaries

_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_TOLD = (
    *_DURABLE, "wal_sync_method", "server_version", "shared_buffers", "max_wal_size",
    "wal_compression", "io_method", "data_checksums",
)  # fmt: skip
_WRITTEN: LiteralString = """
SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')
"""


class NotDurable(Exception):
    """PostgreSQL could lose what it acknowledged: nothing that it is measured at would count."""


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of a database, and of the write-ahead log since ever."""

    database: int
    wal: int


async def settings(url: str) -> Mapping[str, str]:
    """Ask by SHOW how the server is set.

    Raises:
        NotDurable: it does not wait for its disk.
    """
    found: dict[str, str] = {}
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for name in _TOLD:
            cursor = await connection.execute(psycopg.sql.SQL("SHOW {}").format(_identifier(name)))
            ((found[name],),) = await cursor.fetchall()
    lax = [f"{name}={found[name]}" for name, wanted in _DURABLE.items() if found[name] != wanted]
    if lax:
        raise NotDurable(", ".join(lax))
    return found


def _identifier(name: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(name)


async def make_database(admin_url: str, name: str, schema: Sequence[LiteralString]) -> str:
    """Make a database and what is in it; answer its URL."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(_identifier(name)))
    url = urlsplit(admin_url)._replace(path=f"/{name}").geturl()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in schema:
            await connection.execute(statement)
    return url


async def analyze(url: str) -> None:
    """Have a database know how large its tables are, which it else does after a minute."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("VACUUM ANALYZE")


async def written(url: str) -> Written:
    """Measure a database after a CHECKPOINT, by which all of it has come to the disk."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CHECKPOINT")
        ((database, wal),) = await (await connection.execute(_WRITTEN)).fetchall()
    return Written(int(database), int(wal))


async def pgbench(url: str, script: str, *, clients: int, seconds: int) -> Tally:
    """Run a script by many clients of PostgreSQL's own load generator, prepared; count each run."""
    where = urlsplit(url)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.sql").write_text(script)
        command = [
            str(binaries() / "pgbench"), "-h", str(where.hostname), "-p", str(where.port),
            "-U", str(where.username), "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
            "-T", str(seconds), "-f", str(folder / "script.sql"),
            "--log", f"--log-prefix={folder / 'times'}", where.path.removeprefix("/"),
        ]  # fmt: skip
        environment = {**os.environ, "PGPASSWORD": where.password or ""}
        ended = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise RuntimeError(f"pgbench failed: {ended.stderr[:500]}")
        return await asyncio.to_thread(_read_times, folder)


def _read_times(folder: Path) -> Tally:
    """Read pgbench's logs: a line per transaction, microseconds in its third column."""
    tally = Tally()
    for log in folder.glob("times*"):
        for line in log.read_text().splitlines():
            tally.answered(int(line.split()[2]) / 1e6, 1, ())
    return tally
