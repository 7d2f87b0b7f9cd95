"""Fills in envoy/probes.yaml: what a cluster's kubelet and its metrics ask of an Envoy."""

import json
from pathlib import Path
from string import Template
from typing import Any

from devstack.mesh.addresses import envoy_address

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "probes.yaml"
HEALTH = "/grpc.health.v1.Health/"
READY, NUMBERS = "/ready", "/stats/prometheus"
_ADMIN = "admin"
_GET = {"name": ":method", "string_match": {"exact": "GET"}}

Json = dict[str, Any]


def with_probes(configuration: str, *, listen: str, admin: str, service: str = "") -> Json:
    """Read a rendered configuration and add the listener to it.

    Args:
        configuration: of a sidecar or an edge.
        listen: where the listener is, `host:port`.
        admin: Envoy's own interface; two paths of it are open to who reaches the listener.
        service: the cluster of the service beside Envoy, whose health is told; empty: none is.
    """
    import yaml

    read: Json = yaml.safe_load(configuration)
    static = read["static_resources"]
    static["listeners"].append(_listener(listen, service))
    static["clusters"].append(_admin(admin))
    return read


def _listener(listen: str, service: str) -> Json:
    import yaml

    routes = [
        {"match": {"path": path, "headers": [_GET]}, "route": _within(_ADMIN)}
        for path in (READY, NUMBERS)
    ]
    if service:
        routes.append({"match": {"prefix": HEALTH, "grpc": {}}, "route": _within(service)})
    values = {"LISTEN": envoy_address(listen), "ROUTES": routes}
    written = {name: json.dumps(value) for name, value in values.items()}
    return dict(yaml.safe_load(Template(TEMPLATE.read_text()).substitute(written)))


def _within(cluster: str) -> Json:
    return {"cluster": cluster, "timeout": "5s"}


def _admin(target: str) -> Json:
    few = {"max_requests": 16, "max_pending_requests": 16, "max_connections": 16}
    endpoint = {"endpoint": {"address": envoy_address(target)}}
    return {
        "name": _ADMIN,
        "type": "STATIC",
        "connect_timeout": "0.5s",
        "circuit_breakers": {"thresholds": [few]},
        "load_assignment": {
            "cluster_name": _ADMIN,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
