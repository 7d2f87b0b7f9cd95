"""A certificate's folder, swapped whole: who reads it sees the old pair or the new, no mixture.

The files are links through `..data`, a link to the folder that holds them, as Kubernetes has it in
its volumes: Envoy watches for that link to be moved into place.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from devstack.mesh.authority import Leaf

CERTIFICATE, KEY, ROOTS = "tls.crt", "tls.key", "ca.crt"
_DATA = "..data"


def write(folder: Path, leaf: Leaf, roots: bytes) -> None:
    """Put a certificate, its key and whom it trusts into a folder, in one move."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = (folder / _DATA).readlink() if (folder / _DATA).is_symlink() else None
    fresh = folder / f"..{secrets.token_hex(8)}"
    fresh.mkdir(mode=0o700)
    for name, content in ((CERTIFICATE, leaf.certificate), (KEY, leaf.key), (ROOTS, roots)):
        write_private_bytes(fresh / name, content)
    _link(fresh.name, folder / _DATA)
    for name in (CERTIFICATE, KEY, ROOTS):
        with suppress(FileExistsError):
            (folder / name).symlink_to(f"{_DATA}/{name}")
    for old in folder.glob("..*"):
        if old.is_dir() and not old.is_symlink() and old.name not in (fresh.name, str(before)):
            shutil.rmtree(old, ignore_errors=True)


def write_private_bytes(file: Path, content: bytes) -> None:
    """Write a file that only its owner reads."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _link(target: str, link: Path) -> None:
    """Make a link, or let one that is there point elsewhere, in one move."""
    fresh = link.with_name("..data.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
