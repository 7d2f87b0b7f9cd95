"""Fills in envoy/edge.yaml, embedded or in a cluster, with a mesh behind it or without."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from devstack.local_replies import item, local_replies
from devstack.mesh import operators
from devstack.mesh.addresses import envoy_address
from devstack.mesh.callers import read_callers
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.operators import Operators
from devstack.mesh.sidecar import Peer
from devstack.mesh.tls import Identity

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "edge.yaml"
# Whom the edge calls, and how many requests at once.
CALLED: Mapping[str, int] = {"payment_svc": 8192, "psp_gateway": 256, "edge_auth": 8192}


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


def render(edge: Edge) -> str:
    """Write the configuration."""
    host, _, port = edge.listen.rpartition(":")
    clusters = [cluster(_upstream(edge, name)) for name in CALLED]
    listener = ""
    if edge.operators is not None:
        callers = read_callers(in_development=edge.in_development)
        listener = f"- {json.dumps(operators.listener(edge.operators, callers))}"
        clusters += operators.clusters(edge.operators)
    return Template(TEMPLATE.read_text()).substitute(
        ADMIN=json.dumps(envoy_address(edge.admin, mode=0o600)),
        LISTEN_ADDRESS=host,
        LISTEN_PORT=port,
        ACCESS_LOG=edge.access_log,
        OPENAPI=edge.openapi,
        DESCRIPTOR=edge.descriptor,
        LOCAL_REPLIES=local_replies(),
        DEVELOPMENT_ROUTES=item(14, _REFLECTION) if edge.in_development else "",
        OPERATORS_LISTENER=listener,
        CLUSTERS=json.dumps(clusters),
    )


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
