"""Fills in envoy/sidecar.yaml for a service, embedded or in a cluster."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from devstack.mesh import traces
from devstack.mesh.addresses import envoy_address
from devstack.mesh.callers import Callers
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.identities import DEVELOPMENT, TrustDomain
from devstack.mesh.policies import policies
from devstack.mesh.routes import inward, outward
from devstack.mesh.tls import Identity, server_socket
from devstack.mesh.traces import Collector

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "sidecar.yaml"
_SERVICE = "service"  # the cluster beside the sidecar
_REQUESTS_MAX = 4096
_FAULT = "envoy.filters.http.fault"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another service: where its sidecar lets others in, and its SPIFFE id."""

    target: str
    spiffe_id: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the sidecar of one service is made of. Addresses are `host:port` or `unix:/path`.

    Attributes:
        service: whose it is, by the name that the table of callers has.
        identity: who it is.
        ingress: where others come in, by mTLS.
        application: where the service itself listens.
        egress: where the service calls others; nobody else may reach it.
        admin: Envoy's own interface; nobody else may reach it either.
        peers: the other services, by name; those that it may not call are left out.
        access_log: a file, or /dev/stdout.
        in_development: whether callers may ask for faults, by headers.
        domain: where names come from.
        collector: who takes its spans; None: there are none.
    """

    service: str
    identity: Identity
    ingress: str
    application: str
    egress: str
    admin: str
    peers: Mapping[str, Peer]
    access_log: str
    in_development: bool = False
    domain: TrustDomain = DEVELOPMENT
    collector: Collector | None = None


def render(sidecar: Sidecar, callers: Callers) -> str:
    """Write the configuration.

    Raises:
        StackError: an address cannot be.
    """
    own = callers.of(sidecar.service)
    called = {name: callers.calls(sidecar.service, name) for name in sidecar.peers}
    reached = [name for name, rows in called.items() if rows]
    clusters = [cluster(Upstream(_SERVICE, sidecar.application, _REQUESTS_MAX))]
    clusters += [cluster(_upstream(sidecar, name)) for name in reached]
    clusters += traces.clusters(sidecar.collector)
    values: Mapping[str, Any] = {
        "ADMIN": envoy_address(sidecar.admin, mode=0o600),
        "INGRESS": envoy_address(sidecar.ingress),
        "INGRESS_TLS": server_socket(sidecar.identity, sidecar.domain.workloads),
        "INGRESS_ROUTES": inward(own, _SERVICE, sidecar.domain),
        "POLICIES": policies(own, sidecar.domain),
        "EGRESS": envoy_address(sidecar.egress, mode=0o600),
        "EGRESS_ROUTES": [route for name in reached for route in outward(called[name], name)],
        "CLUSTERS": clusters,
        "ACCESS_LOG": sidecar.access_log,
    }
    written = {name: json.dumps(value) for name, value in values.items()}
    faults = f"- {json.dumps(_faults())}" if sidecar.in_development else ""
    return Template(TEMPLATE.read_text()).substitute(
        written,
        SERVICE=sidecar.service,
        FAULTS=faults,
        TRACING=traces.tracing(sidecar.collector, sidecar.service),
    )


def _upstream(sidecar: Sidecar, name: str) -> Upstream:
    peer = sidecar.peers[name]
    return Upstream(name, peer.target, _REQUESTS_MAX, sidecar.identity, peer.spiffe_id)


def _faults() -> dict[str, Any]:
    """Delay or abort what asks for it by `x-envoy-fault-…` headers."""
    return {
        "name": _FAULT,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"header_delay": {}, "percentage": {"numerator": 100}},
            "abort": {"header_abort": {}, "percentage": {"numerator": 100}},
        },
    }
