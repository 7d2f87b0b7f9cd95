"""The configuration of every Envoy in the cluster, from the templates of the embedded stack."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devstack.k8s.names import (
    ADMIN,
    APPLICATION,
    CERTIFICATES,
    CONFIGURATION,
    DOMAIN,
    EDGE_PORT,
    EGRESS,
    MTLS,
    OPERATORS_PORT,
    PROBES,
    SHARE,
    Json,
    configuration_map,
    dns,
    metadata,
    target,
)
from devstack.k8s.written import yaml_text
from devstack.mesh.callers import Callers
from devstack.mesh.edge import CALLED, Edge
from devstack.mesh.edge import render as render_edge
from devstack.mesh.identities import AUDIT, EDGE, OPERATORS
from devstack.mesh.operators import Operators
from devstack.mesh.probes import with_probes
from devstack.mesh.sidecar import Peer, Sidecar
from devstack.mesh.sidecar import render as render_sidecar
from devstack.mesh.tls import Identity, secret_files
from devstack.services import SERVICES

# What clients see at the edge's door: a certificate with its DNS names, from whom they trust.
CLIENTS = "clients"
# The edge shows its own certificate, and another when it passes on what an operator asks.
EDGE_IDENTITIES = (EDGE, OPERATORS, CLIENTS)
_LOG = "/dev/stdout"
_ANYWHERE = "0.0.0.0"  # noqa: S104 - of the pod; network policies say who comes near
_INGRESS, _SERVICE = "ingress", "service"


def identity(workload: str) -> Identity:
    """Tell who a workload is, and where its Envoy finds the certificate."""
    return Identity(DOMAIN.workload(workload), Path(CONFIGURATION / dns(workload)))


def mounted(identities: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Tell under which path below /etc/envoy each key of a workload's ConfigMap is."""
    yield "envoy.yaml", "envoy.yaml"
    for name in identities:
        for file in secret_files(Path()):
            yield f"{dns(name)}.{file}", f"{dns(name)}/{file}"


def sidecar(service: str, callers: Callers) -> Json:
    """Make the configuration of a service's sidecar."""
    listen = f"{_ANYWHERE}:{PROBES}"
    rendered = render_sidecar(_sidecar(service), callers)
    return with_probes(rendered, listen=listen, admin=ADMIN, service=_SERVICE)


def audit(callers: Callers) -> Json:
    """Make the configuration of the audit's sidecar: out alone, there is nobody to let in."""
    rendered = render_sidecar(_sidecar(AUDIT), callers)
    read = with_probes(rendered, listen=f"{_ANYWHERE}:{PROBES}", admin=ADMIN)
    static = read["static_resources"]
    static["listeners"] = [one for one in static["listeners"] if one["name"] != _INGRESS]
    static["clusters"] = [one for one in static["clusters"] if one["name"] != _SERVICE]
    return read


def edge(trusted_proxies: int) -> Json:
    """Make the configuration of the edge, the operators' listener in it."""
    peers = {service.name: _peer(service.name) for service in SERVICES}
    operators = Operators(
        listen=f"{_ANYWHERE}:{OPERATORS_PORT}",
        server=identity(EDGE),
        caller=identity(OPERATORS),
        services=peers,
        access_log=_LOG,
        domain=DOMAIN,
    )
    described = Edge(
        listen=f"{_ANYWHERE}:{EDGE_PORT}",
        admin=ADMIN,
        services={name: peers[name] for name in CALLED},
        caller=identity(EDGE),
        operators=operators,
        access_log=_LOG,
        certificate=Path(CONFIGURATION / CLIENTS),
        trusted_proxies=trusted_proxies,
        openapi=str(SHARE / "openapi.json"),
        descriptor=str(SHARE / "paymesh.binpb"),
    )
    return with_probes(render_edge(described), listen=f"{_ANYWHERE}:{PROBES}", admin=ADMIN)


def config_map(workload: str, component: str, configuration: Json, ids: Sequence[str]) -> Json:
    """Write the ConfigMap of an Envoy: its configuration, and how it finds certificates."""
    data: dict[str, str] = {"envoy.yaml": yaml_text(configuration)}
    for name in ids:
        folder = Path(CERTIFICATES / dns(name))
        for file, content in secret_files(folder).items():
            data[f"{dns(name)}.{file}"] = content + "\n"
    named = metadata(workload, component) | {"name": configuration_map(workload)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


def checksum(content: Mapping[str, str]) -> str:
    """Sum up a ConfigMap's data; a pod that has it as an annotation is replaced when it changes."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sidecar(service: str) -> Sidecar:
    return Sidecar(
        service=service,
        identity=identity(service),
        ingress=f"{_ANYWHERE}:{MTLS}",
        application=APPLICATION,
        egress=EGRESS,
        admin=ADMIN,
        peers={other.name: _peer(other.name) for other in SERVICES if other.name != service},
        access_log=_LOG,
        domain=DOMAIN,
    )


def _peer(service: str) -> Peer:
    return Peer(target(service), DOMAIN.workload(service))
