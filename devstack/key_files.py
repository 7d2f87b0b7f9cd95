"""The key-encryption keys of a stack: a private file for each service that encrypts."""

import base64
import os
import secrets
from pathlib import Path

from devstack.state import State

ENCRYPTED = ("payment_svc", "psp_gateway", "edge_auth")
_KEY_BYTES = 32


def keys_file(state: State, context: str) -> Path:
    """Name the keys file of a service by its context; the first asking makes it, with one key."""
    file = state.folder / "keys" / f"{context}.keys"
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _write(file, [_new_line(1)])
    return file


def former_keys(state: State, service: str) -> dict[str, str]:
    """Tell edge_auth what it sealed signing secrets with before it had a keys file, on a state that
    is as old.
    """
    former = state.known_secret("edge_auth_sealing") if service == "edge_auth" else None
    return {"EDGE_AUTH_SEALING_KEYS": f"local={former}"} if former else {}


def add_key(file: Path) -> str:
    """Put a new key before those that are there; answer its name."""
    lines = file.read_text().splitlines()
    newest = _new_line(int(lines[0].split()[0].removeprefix("k")) + 1)
    _write(file, [newest, *lines])
    return newest.split()[0]


def drop_keys(file: Path, used: set[str]) -> list[str]:
    """Take away the keys that are not used, never the newest; answer their names."""
    newest, *others = file.read_text().splitlines()
    kept = [line for line in others if line.split()[0] in used]
    _write(file, [newest, *kept])
    return [line.split()[0] for line in others if line not in kept]


def _new_line(number: int) -> str:
    return f"k{number} {base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"


def _write(file: Path, lines: list[str]) -> None:
    """Write it in one move: a service that reads it sees the old or the new."""
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write("\n".join(lines) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
