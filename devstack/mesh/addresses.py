"""Addresses as gRPC writes them, `host:port` or `unix:/path`, for Envoy."""

from ipaddress import ip_address
from typing import Any

from devstack.state import StackError

_UNIX = "unix:"
_PATH_BYTES_MAX = 107  # of a unix socket; the kernel cuts off no more, it refuses


def envoy_address(target: str, *, mode: int | None = None) -> dict[str, Any]:
    """Write an address; `mode` is that of a socket's file that Envoy makes.

    Raises:
        StackError: the path is longer than a unix socket's may be.
    """
    if not target.startswith(_UNIX):
        host, _, port = target.rpartition(":")
        return {"socket_address": {"address": host, "port_value": int(port)}}
    path = target.removeprefix(_UNIX)
    if len(path.encode()) > _PATH_BYTES_MAX:
        raise StackError(f"{path} is too long for a unix socket: {_PATH_BYTES_MAX} bytes at most")
    return {"pipe": {"path": path, **({} if mode is None else {"mode": mode})}}


def is_resolved(target: str) -> bool:
    """Tell whether an address needs no name service."""
    if target.startswith(_UNIX):
        return True
    try:
        ip_address(target.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(target: str) -> bool:
    """Tell whether nobody but this machine reaches an address."""
    host = target.rpartition(":")[0].strip("[]")
    return target.startswith(_UNIX) or (is_resolved(target) and ip_address(host).is_loopback)
