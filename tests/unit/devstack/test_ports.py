"""Which ports a stack takes."""

import socket

import pytest

from devstack.ports import claimed_ports, default_ports
from devstack.state import StackError


def can_listen(port: int) -> bool:
    """Try to listen on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_documented_ports_are_the_defaults() -> None:
    """Callers rely on these numbers."""
    ports = default_ports()

    assert {name: ports[name] for name in ("edge", "sandbox")} == {"edge": 8080, "sandbox": 8090}
    assert [ports[f"{name}_svc"] for name in ("payment", "ledger", "wallet", "risk")] == [
        50051, 50052, 50053, 50054,
    ]  # fmt: skip
    assert [ports["psp_gateway"], ports["edge_auth"]] == [50055, 50057]
    assert ports["payment_svc.metrics"] == 9151
    assert len(set(ports.values())) == len(ports)


def test_automatic_ports_are_free_and_different() -> None:
    """Every listener gets a port of its own on which nobody listens."""
    with claimed_ports("auto") as ports:
        assert ports.keys() == default_ports().keys()
        assert len(set(ports.values())) == len(ports)
        assert all(map(can_listen, ports.values()))


def test_two_claims_at_once_never_share_a_port() -> None:
    """A block belongs to one stack for as long as it holds it."""
    with claimed_ports("auto") as one, claimed_ports("auto") as other:
        assert not set(one.values()) & set(other.values())


def test_a_port_in_use_is_named() -> None:
    """Who must free a port is told which one, and what to do instead."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Should the machine use the port itself, it is the same to us.
        if taken.connect_ex(("127.0.0.1", 50057)) != 0:
            taken.bind(("127.0.0.1", 50057))
            taken.listen()
        with pytest.raises(StackError, match=r"port \d+ \(.+\) is in use: .*--ports auto"):
            claimed_ports("").__enter__()
