"""Whom PostgreSQL runs as: it refuses root, and root's checkout may be where nobody else can go."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.state import StackError

# Tries what PostgreSQL itself needs: to enter a folder, and to find and run its own programs.
_PROBE = 'cd "$1" && [ -x "$2" ] && "$2" --version'


@dataclass(frozen=True, slots=True)
class RunAs:
    """A way of running a program as somebody who is not root.

    Attributes:
        prefix: the words that go before the command; it becomes the command, under the same pid.
        user: uid and gid to start it as; None: our own.
        owner: uid and gid whom its files must belong to; None: ours, as they do already.
    """

    prefix: tuple[str, ...] = ()
    user: tuple[int, int] | None = None
    owner: tuple[int, int] | None = None


def choose(program: Path, folder: Path) -> RunAs:
    """Choose how to run `program` with its files in `folder`; who is not root needs nothing.

    Raises:
        StackError: no way works on this machine.
    """
    if os.geteuid() != 0:
        return RunAs()
    for way in ways():
        if works(way, program, folder):
            return way
    raise StackError(
        f"PostgreSQL does not run as root, and no other user can reach {program} and {folder}:"
        " run as an ordinary user, or make both traversable (chmod o+x on the folders above)"
    )


def ways() -> Iterator[RunAs]:
    """List how root can run something unprivileged, the plainest first.

    As another user, who must be able to reach everything. As that user with one capability left,
    to pass folders that are closed to others. In a user namespace, where root has another name.
    """
    uid, gid = user = _somebody()
    yield RunAs(user=user, owner=user)
    setpriv = shutil.which("setpriv")
    if setpriv:
        yield RunAs(_with_capability(setpriv, uid, gid), owner=user)
    unshare = shutil.which("unshare")
    if unshare:
        yield RunAs((unshare, "--user", f"--map-user={uid}", f"--map-group={gid}"), owner=(0, 0))


def _with_capability(setpriv: str, uid: int, gid: int) -> tuple[str, ...]:
    only = "-all,+dac_override"
    return (
        *(setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
        # Without this bit access(2), by which PostgreSQL looks for its programs, ignores it.
        "--securebits=+no_setuid_fixup",
        *(f"--inh-caps={only}", "--ambient-caps=+dac_override", f"--bounding-set={only}"),
        "--pdeathsig=QUIT",  # what was set before the change of user is lost by it
    )


def _somebody() -> tuple[int, int]:
    """Find a user other than root; initdb wants one with a name.

    Raises:
        StackError: the machine has none.
    """
    users = sorted(pwd.getpwall(), key=lambda user: user.pw_name != "nobody")
    found = next((user for user in users if user.pw_uid != 0), None)
    if found is None:
        raise StackError("PostgreSQL does not run as root, and this machine has no other user")
    return found.pw_uid, found.pw_gid


def works(way: RunAs, program: Path, folder: Path) -> bool:
    """Tell whether a way lets `program` run and `folder` be entered, by trying."""
    uid, gid = way.user or (None, None)
    try:
        probe = subprocess.run(
            [*way.prefix, "/bin/sh", "-c", _PROBE, "-", str(folder), str(program)],
            user=uid, group=gid, extra_groups=[] if way.user else None,
            cwd="/", capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return probe.returncode == 0


def give(folder: Path, way: RunAs) -> None:
    """Make a folder and all in it belong to whom the way needs."""
    if way.owner is None or (folder.stat().st_uid, folder.stat().st_gid) == way.owner:
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), *way.owner, follow_symlinks=False)
    os.chown(folder, *way.owner)
