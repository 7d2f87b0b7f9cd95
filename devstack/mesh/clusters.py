"""Clusters of Envoy: whom it calls, and what it does when they are in trouble."""

from dataclasses import dataclass
from typing import Any

from devstack.mesh.addresses import envoy_address, is_resolved
from devstack.mesh.tls import Identity, client_socket

Json = dict[str, Any]

_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# What a check costs is one RPC; how soon trouble is seen, and its end, is the unhealthy interval.
_INTERVALS = {
    "interval": "2s",
    "no_traffic_interval": "2s",
    "unhealthy_interval": "0.5s",
    "unhealthy_edge_interval": "0.5s",
    "healthy_edge_interval": "0.5s",
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whom Envoy calls.

    Attributes:
        name: the cluster's.
        target: `host:port` or `unix:/path`.
        requests_max: at once; more are refused at once, UNAVAILABLE.
        caller: who calls, by mTLS; None: in clear, as to the service beside a sidecar.
        server: the SPIFFE id that the answering side must have.
    """

    name: str
    target: str
    requests_max: int
    caller: Identity | None = None
    server: str = ""


def cluster(upstream: Upstream) -> Json:
    """Write a cluster. What is behind mTLS is checked for health; what is beside us says so itself
    by not listening.
    """
    written: Json = {
        "name": upstream.name,
        "type": "STATIC" if is_resolved(upstream.target) else "STRICT_DNS",
        "connect_timeout": "0.5s",
        "circuit_breakers": {"thresholds": [_thresholds(upstream.requests_max)]},
        "typed_extension_protocol_options": {_HTTP: _http2()},
        "load_assignment": {
            "cluster_name": upstream.name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": envoy_address(upstream.target)}}]}
            ],
        },
    }
    if upstream.caller is None:
        return written
    return {
        **written,
        "transport_socket": client_socket(upstream.caller, upstream.server),
        "health_checks": [_health_check()],
        # A service that is down answers nothing: its share of hosts is no reason to send it more.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": _outliers(),
    }


def _thresholds(requests_max: int) -> Json:
    return {
        "max_requests": requests_max,
        "max_pending_requests": requests_max,
        "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3},
    }


def _http2() -> Json:
    alive = {"interval": "30s", "timeout": "5s"}
    return {
        "@type": f"type.googleapis.com/{_HTTP}",
        "explicit_http_config": {"http2_protocol_options": {"connection_keepalive": alive}},
    }


def _health_check() -> Json:
    return {
        "timeout": "1s",
        **_INTERVALS,
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "grpc_health_check": {},
    }


def _outliers() -> Json:
    """Take a host out that cannot be reached; never for what the service itself answers, be it
    UNAVAILABLE or INTERNAL, and never the only one.
    """
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 5,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "interval": "2s",
        "base_ejection_time": "5s",
        "max_ejection_percent": 50,
    }
