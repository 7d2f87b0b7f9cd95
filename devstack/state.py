"""What a stack keeps in its state folder: ports, secrets, logs, stack.json."""

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.services import OTHER_PORTS, SERVICES


class StackError(Exception):
    """The stack cannot do what was asked; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class State:
    """A state folder."""

    folder: Path

    @property
    def logs(self) -> Path:
        """Where each process has its log."""
        return self.folder / "logs"

    @property
    def stack_file(self) -> Path:
        """Where a running stack says how it is reached."""
        return self.folder / "stack.json"

    @property
    def children_file(self) -> Path:
        """Where the supervisor notes whom it started."""
        return self.folder / "children.json"

    def log(self, name: str) -> Path:
        """Name the log of a process."""
        return self.logs / f"{name}.log"

    def last_lines(self, name: str, count: int) -> str:
        """Read the end of a process's log."""
        log = self.log(name)
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return "\n".join(lines[-count:]) or "it printed nothing"

    def prepare(self) -> None:
        """Make the folder and what is in it."""
        self.logs.mkdir(parents=True, exist_ok=True)

    def secret(self, name: str) -> str:
        """Read a secret of this state; the first asking makes it."""
        known = self._secrets()
        if name not in known:
            known[name] = secrets.token_hex(24)
            self._write_secrets(known)
        return known[name]

    def known_secret(self, name: str) -> str | None:
        """Read a secret, if there is one."""
        return self._secrets().get(name)

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a secret that was made elsewhere."""
        self._write_secrets({**self._secrets(), name: value})

    def plan_fault(self, service: str, points: str) -> None:
        """Have the next start of a service reach FAULT_POINTS; the start after it is calm."""
        write_private(self.folder / "faults.json", {service: points})

    def take_fault(self, service: str) -> str:
        """Take what was planned for a service; empty when nothing was."""
        file = self.folder / "faults.json"
        planned = dict(json.loads(file.read_text())) if file.exists() else {}
        if service in planned:
            file.unlink()
        return str(planned.get(service, ""))

    def _secrets(self) -> dict[str, str]:
        file = self.folder / "secrets.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _write_secrets(self, values: Mapping[str, str]) -> None:
        write_private(self.folder / "secrets.json", values)

    def stack(self) -> dict[str, Any] | None:
        """Read stack.json, if there is one."""
        try:
            return dict(json.loads(self.stack_file.read_text()))
        except (FileNotFoundError, ValueError):
            return None


@contextmanager
def reachable_folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder into which PostgreSQL's own user can go as well; remove it at the
    end.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def write_private(file: Path, content: object) -> None:
    """Write JSON that only the owner reads, in one move: a reader sees the old or the new."""
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream, indent=2)
    fresh.replace(file)


def default_ports() -> dict[str, int]:
    """Name the default port of every listener."""
    ports = dict(OTHER_PORTS)
    for service in SERVICES:
        ports[service.name] = service.port
        ports[f"{service.name}.metrics"] = service.metrics_port
    return ports


def choose_ports(choice: str) -> dict[str, int]:
    """Choose a port for every listener: the defaults, or with "auto" whatever is free.

    Raises:
        StackError: a default port is in use.
    """
    defaults = default_ports()
    if choice == "auto":
        return dict(zip(defaults, free_ports(len(defaults)), strict=True))
    for name, port in defaults.items():
        if _in_use(port):
            raise StackError(f"port {port} ({name}) is in use; free it, or use --ports auto")
    return defaults


def free_ports(count: int) -> Iterator[int]:
    """Find ports of loopback that nobody uses now, all different."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return iter([probe.getsockname()[1] for probe in probes])


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
