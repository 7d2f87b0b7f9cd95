"""Fills in envoy/operators.yaml: where operators come in, and whereto what they ask goes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from devstack.mesh.addresses import envoy_address
from devstack.mesh.callers import Callers
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.identities import DEVELOPMENT, OPERATORS, TrustDomain
from devstack.mesh.routes import every_service, outward
from devstack.mesh.sidecar import Peer
from devstack.mesh.tls import Identity, server_socket

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "operators.yaml"
_REQUESTS_MAX = 256

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators' listener.

    Attributes:
        listen: `host:port`.
        server: who operators meet: the edge.
        caller: as whom services are called: `operators`.
        services: all services, by name.
        access_log: a file, or /dev/stdout.
        domain: where names come from.
    """

    listen: str
    server: Identity
    caller: Identity
    services: Mapping[str, Peer]
    access_log: str
    domain: TrustDomain = DEVELOPMENT


def listener(operators: Operators, callers: Callers) -> Json:
    """Write the listener."""
    import yaml

    routes = []
    for name in operators.services:
        routes += every_service(name, callers.of(name), _cluster(name))
        routes += outward(callers.calls(OPERATORS, name), _cluster(name))
    values: Mapping[str, Any] = {
        "LISTEN": envoy_address(operators.listen),
        "TLS": server_socket(operators.server, operators.domain.operators),
        "ACCESS_LOG": operators.access_log,
        "ROUTES": routes,
    }
    written = {name: json.dumps(value) for name, value in values.items()}
    return dict(yaml.safe_load(Template(TEMPLATE.read_text()).substitute(written)))


def clusters(operators: Operators) -> list[Json]:
    """Write the clusters that the listener's routes name."""
    return [
        cluster(
            Upstream(_cluster(name), peer.target, _REQUESTS_MAX, operators.caller, peer.spiffe_id)
        )
        for name, peer in operators.services.items()
    ]


def _cluster(service: str) -> str:
    return f"operators.{service}"
