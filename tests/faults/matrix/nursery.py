"""`python -m tests.faults.matrix.nursery MODULE`: imports a program once and forks it on request.

A process that has imported everything starts in a tenth of the time, so that hundreds of real kills
fit into minutes. Requests and reports are JSON lines on standard input and output. No thread and no
gRPC runs before a fork.
"""

import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from chassis import clock
from devstack.processes import dies_with_parent


def main() -> None:
    """Serve until standard input ends."""
    module = sys.argv[1]
    _load(module)
    if threading.active_count() > 1:
        raise AssertionError("a thread runs already: a fork would break it")
    arrivals, wake = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _report({"ready": module})
    rest = b""
    while True:
        ready, _, _ = select.select([0, arrivals], [], [])
        if arrivals in ready:
            os.read(arrivals, 4096)
            _reap()
        if 0 in ready:
            read = os.read(0, 1 << 16)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                _fork(module, json.loads(line))


def _load(module: str) -> None:
    """Import the program, and what it imports only once it runs."""
    importlib.import_module(f"{module}.__main__")
    del sys.modules[f"{module}.__main__"]
    package = importlib.import_module(module)
    for found in pkgutil.walk_packages(package.__path__, f"{module}."):
        if not found.name.endswith("__main__") and ".migrations" not in found.name:
            importlib.import_module(found.name)


def _fork(module: str, asked: dict[str, Any]) -> None:
    parent_gone = dies_with_parent(signal.SIGKILL)
    pid = os.fork()
    if pid:
        _report({"id": asked["id"], "pid": pid})
        return
    if parent_gone is not None:
        parent_gone()
    _become(module, asked)


def _become(module: str, asked: dict[str, Any]) -> NoReturn:
    """Turn into the program as if it had been started by itself."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.closerange(3, 256)
    os.environ.update(asked["environment"])
    _skew(float(os.environ.pop("CLOCK_SKEW_S", "0")))
    sys.argv = [module, *asked["arguments"]]
    status = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(status)


def _skew(seconds: float) -> None:
    """Put the process's clock wrong: the one function that tells the time, in whatever module has
    it by now, adds some seconds.
    """

    def skewed() -> datetime:
        return datetime.now(UTC) + SKEW  # type: ignore[name-defined]  # noqa: F821

    clock.SKEW = timedelta(seconds=seconds)  # type: ignore[attr-defined]
    clock.utc_now.__code__ = skewed.__code__


def _reap() -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _report({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _report(told: dict[str, Any]) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
