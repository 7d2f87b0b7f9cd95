"""Which port each listener of a stack has: the documented ones, or a block of free ones."""

import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from devstack.services import OTHER_PORTS, SERVICES
from devstack.state import StackError

# Below what the kernel hands out to outgoing connections, which would race with our listeners.
_FIRST_PORT, _LAST_PORT, _BLOCK = 17000, 32000, 32


def default_ports() -> dict[str, int]:
    """Name the default port of every listener."""
    ports = dict(OTHER_PORTS)
    for service in SERVICES:
        ports[service.name] = service.port
        ports[f"{service.name}.metrics"] = service.metrics_port
    return ports


@contextmanager
def claimed_ports(choice: str) -> Iterator[Mapping[str, int]]:
    """Choose a port for every listener: the defaults, or with "auto" a block that is free.

    A block belongs to who listens on its first port, for the time of the `with`: so two stacks that
    start at once never choose the same.

    Raises:
        StackError: a default port is in use, or no block is free.
    """
    names = default_ports()
    if choice == "auto":
        with ExitStack() as held:
            first = _claim_block(held)
            yield {name: first + place for place, name in enumerate(names, start=1)}
        return
    for name, port in names.items():
        if _in_use(port):
            raise StackError(f"port {port} ({name}) is in use: free it, or use --ports auto")
    yield names


def _claim_block(held: ExitStack) -> int:
    """Find a block that is free, and hold its first port.

    Raises:
        StackError: there is none.
    """
    blocks = list(range(_FIRST_PORT, _LAST_PORT, _BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        claim = _listener(first)
        if claim is None:
            continue
        if not any(_in_use(first + place) for place in range(1, _BLOCK)):
            held.enter_context(claim)
            return first
        claim.close()
    raise StackError(f"no {_BLOCK} free ports in a row from {_FIRST_PORT} to {_LAST_PORT}")


def _in_use(port: int) -> bool:
    probe = _listener(port)
    if probe is None:
        return True
    probe.close()
    return False


def _listener(port: int) -> socket.socket | None:
    """Listen on a port of loopback, as a server would that starts again; None: it is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
    except OSError:
        listener.close()
        return None
    return listener
