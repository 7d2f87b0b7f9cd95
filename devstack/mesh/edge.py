"""Fills in envoy/edge.yaml, embedded or in a cluster, with a mesh behind it or without."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from devstack.local_replies import item, local_replies
from devstack.mesh import operators, traces
from devstack.mesh.addresses import envoy_address, is_loopback
from devstack.mesh.callers import read_callers
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.operators import Operators
from devstack.mesh.sidecar import Peer
from devstack.mesh.tls import Identity, public_socket
from devstack.mesh.traces import Collector
from devstack.state import StackError

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "edge.yaml"
# Whom the edge calls, and how many requests at once.
CALLED: Mapping[str, int] = {"payment_svc": 8192, "psp_gateway": 256, "edge_auth": 8192}
_PROXIES_MAX = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one Envoy takes, whoever sends it; what single clients may send edge_auth knows.

    Attributes:
        connections_max: of clients, at once; further ones are closed as they come.
        requests_per_s: in the long run, 10 at least; further ones are answered 429.
        requests_at_once: as many may come in a burst.
        streams_max: at once on one HTTP/2 connection.
        premature_resets_max: streams of a connection after which it is closed when most of them
            were reset by the client in their first second.
        idle_s: how long a connection may be there without a request.
    """

    connections_max: int = 3500
    requests_per_s: int = 5000
    requests_at_once: int = 10_000
    streams_max: int = 256
    premature_resets_max: int = 200
    idle_s: int = 300


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge is made of. Addresses are `host:port`, or of `admin` `unix:/path`.

    Attributes:
        listen: where clients come in.
        admin: Envoy's own interface; nobody else may reach it.
        services: those of `CALLED`.
        caller: as whom it calls them, by mTLS; None: in clear.
        operators: their listener; None: none.
        access_log, openapi, descriptor: files.
        in_development: whether reflection is open.
        certificate: a folder with the files of `secret_files`: who comes in at `listen` speaks TLS
            1.3. None: in clear, on loopback alone.
        plain_listen: where it is spoken in clear beside; on loopback alone.
        limits: how much it takes.
        trusted_proxies: how many stand between it and clients, 0 to 10: as many addresses at the
            end of X-Forwarded-For are believed. 0: none, a client's address is its connection's.
        collector: who takes its spans; None: there are none.
    """

    listen: str
    admin: str
    services: Mapping[str, Peer]
    caller: Identity | None
    operators: Operators | None
    access_log: str
    openapi: str
    descriptor: str
    in_development: bool = False
    certificate: Path | None = None
    plain_listen: str = ""
    limits: Limits = Limits()
    trusted_proxies: int = 0
    collector: Collector | None = None

    def __post_init__(self) -> None:
        """Refuse to speak in clear to a network, and a number of proxies that cannot be."""
        if not 0 <= self.trusted_proxies <= _PROXIES_MAX:
            raise StackError(f"trusted proxies: 0 to {_PROXIES_MAX}, not {self.trusted_proxies}")
        plain = self.plain_listen if self.certificate else self.listen
        if plain and not is_loopback(plain):
            raise StackError(f"the edge has no certificate for {plain}: in clear on loopback alone")


def render(edge: Edge) -> str:
    """Write the configuration."""
    clusters = [cluster(_upstream(edge, name)) for name in CALLED]
    clusters += traces.clusters(edge.collector)
    listener = ""
    if edge.operators is not None:
        callers = read_callers(in_development=edge.in_development)
        listener = f"- {json.dumps(operators.listener(edge.operators, callers))}"
        clusters += operators.clusters(edge.operators)
    return Template(TEMPLATE.read_text()).substitute(
        ADMIN=json.dumps(envoy_address(edge.admin, mode=0o600)),
        LISTEN=json.dumps(envoy_address(edge.listen)),
        TRACING=traces.tracing(edge.collector, "edge", of_clients=True),
        **_doors(edge),
        **_limits(edge.limits),
        TRUSTED_PROXIES=edge.trusted_proxies,
        ACCESS_LOG=edge.access_log,
        OPENAPI=edge.openapi,
        DESCRIPTOR=edge.descriptor,
        LOCAL_REPLIES=local_replies(),
        DEVELOPMENT_ROUTES=item(14, _REFLECTION) if edge.in_development else "",
        OPERATORS_LISTENER=listener,
        CLUSTERS=json.dumps(clusters),
    )


def _doors(edge: Edge) -> dict[str, str]:
    """Write how clients come in: by TLS, in clear, or both."""
    if edge.certificate is None:
        return {"TLS": "", "PLAIN_LISTEN": "[]", "PLAIN_CHAIN": ""}
    socket = f"transport_socket: {json.dumps(public_socket(edge.certificate))}"
    if not edge.plain_listen:
        return {"TLS": socket, "PLAIN_LISTEN": "[]", "PLAIN_CHAIN": ""}
    address = envoy_address(edge.plain_listen)
    match = {"destination_port": address["socket_address"]["port_value"]}
    chain = f"- {{name: plain, filter_chain_match: {json.dumps(match)}, filters: *clients }}"
    more = json.dumps([{"address": address}])
    return {"TLS": socket, "PLAIN_LISTEN": more, "PLAIN_CHAIN": chain}


def _limits(limits: Limits) -> dict[str, object]:
    return {
        "CONNECTIONS_MAX": limits.connections_max,
        "REQUESTS_AT_ONCE": limits.requests_at_once,
        "REQUESTS_PER_FILL": limits.requests_per_s // 10,
        "STREAMS_MAX": limits.streams_max,
        "PREMATURE_RESETS_MAX": limits.premature_resets_max,
        "IDLE_TIMEOUT": f"{limits.idle_s}s",
    }


def _upstream(edge: Edge, name: str) -> Upstream:
    peer = edge.services[name]
    return Upstream(name, peer.target, CALLED[name], edge.caller, peer.spiffe_id)


_PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_REFLECTION = {
    "match": {"prefix": "/grpc.", "grpc": {}},
    "route": {
        "cluster": "payment_svc",
        "timeout": "0s",
        "max_stream_duration": {"max_stream_duration": "615s"},
    },
    "typed_per_filter_config": {
        "envoy.filters.http.ext_authz": {"@type": _PER_ROUTE, "disabled": True}
    },
}
