"""Asks an Envoy to let go of its clients, and waits until it has: what runs before it is ended.

`drain.py SOCKET AT_LEAST AT_MOST`: Envoy's own interface, and seconds. It stands on nothing but
Python, since it runs in the image of Envoy.
"""

import http.client
import re
import socket
import sys
import time

_POLL_S = 0.5
_ACTIVE = re.compile(r"^http\.(?!admin|probes)[^:]*\.downstream_rq_active: (\d+)$", re.MULTILINE)
_LET_GO = "/drain_listeners?graceful&skip_exit"


class _Admin(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: str, method: str, url: str) -> str:
    """Ask Envoy's own interface, and read the answer.

    Raises:
        OSError: it does not answer, or not with 200.
    """
    connection = _Admin(path)
    try:
        connection.request(method, url)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise OSError(f"{url}: {answer.status}")
    return text


def active(path: str) -> int:
    """Count the requests under way."""
    told = ask(path, "GET", "/stats?filter=downstream_rq_active")
    return sum(map(int, _ACTIVE.findall(told)))


def drain(path: str, at_least_s: float, at_most_s: float) -> bool:
    """Let go of the clients; answer whether all requests came to their end in time."""
    began = time.monotonic()
    ask(path, "POST", _LET_GO)
    while (took := time.monotonic() - began) < at_most_s:
        if took >= at_least_s and active(path) == 0:
            return True
        time.sleep(_POLL_S)
    return False


if __name__ == "__main__":
    drain(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
