"""What a stack keeps in its state folder: secrets, logs, who runs, and how it is reached."""

import json
import os
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECRETS = threading.Lock()  # migrations ask for theirs on a thread of their own


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
        """Where the supervisor notes whom it started: name → pid, start time."""
        return self.folder / "children.json"

    @property
    def lock_file(self) -> Path:
        """What the supervisor holds locked, with its own pid and start time in it."""
        return self.folder / "supervisor.lock"

    @property
    def certificates(self) -> Path:
        """Where the mesh has its certificates."""
        return self.folder / "certs"

    def log(self, name: str) -> Path:
        """Name the log of a process."""
        return self.logs / f"{name}.log"

    def last_lines(self, name: str, count: int) -> str:
        """Read the end of a process's log."""
        log = self.log(name)
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return "\n".join(lines[-count:]) or "it printed nothing"

    def prepare(self) -> None:
        """Make the folder and what is in it.

        Raises:
            StackError: it cannot be made or written.
        """
        try:
            self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(f"cannot use {self.folder} as a state folder: {error}") from error

    def secret(self, name: str) -> str:
        """Read a secret of this state; the first asking makes it."""
        with _SECRETS:
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
        with _SECRETS:
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

    def running(self) -> dict[str, Any]:
        """Read stack.json of a running stack.

        Raises:
            StackError: there is none.
        """
        described = self.stack()
        if described is None:
            raise StackError("nothing is running; `paymesh up` starts it")
        return described

    def stack(self) -> dict[str, Any] | None:
        """Read stack.json, if there is one."""
        return _read(self.stack_file)

    def children(self) -> dict[str, Any]:
        """Read whom the supervisor started, or a former one left behind."""
        return _read(self.children_file) or {}

    def supervisor(self) -> tuple[int, str] | None:
        """Read the pid and the start time of the latest supervisor; it may have ended since."""
        noted = _read(self.lock_file)
        return (int(noted["pid"]), str(noted["started"])) if noted else None


def _read(file: Path) -> dict[str, Any] | None:
    """Read a file of JSON; None when it is not there, or was cut off by a crash."""
    try:
        return dict(json.loads(file.read_text()))
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
