"""Traces: every Envoy tells an OpenTelemetry collector of its part of a request, if one is named.

A span holds methods, codes, durations and addresses of ours; never a path that a client wrote, nor
what he says of himself.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from devstack.mesh.clusters import Upstream, cluster
from devstack.state import StackError

Json = dict[str, Any]

OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_CLUSTER = "traces"
_REQUESTS_MAX = 64
_ENDPOINT = re.compile(r"http://([^/]+:\d+)/?")


@dataclass(frozen=True, slots=True)
class Collector:
    """Who takes spans, by OTLP over gRPC, at `host:port`."""

    target: str


def collector(endpoint: str) -> Collector | None:
    """Read OTEL_EXPORTER_OTLP_ENDPOINT; empty: no traces.

    Raises:
        StackError: it is none of gRPC in clear; what is far is reached by a collector beside us.
    """
    if not endpoint:
        return None
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise StackError(f"OTEL_EXPORTER_OTLP_ENDPOINT is no http://host:port: {endpoint}")
    return Collector(found[1])


def tracing(wanted: Collector | None, service: str, *, of_clients: bool = False) -> str:
    """Write the setting of a connection manager; `of_clients`: what comes in there is clients' own
    words, of which no path is kept.
    """
    if wanted is None:
        return ""
    grpc_service = {"envoy_grpc": {"cluster_name": _CLUSTER}, "timeout": "1s"}
    written: Json = {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": grpc_service,
                "service_name": service,
            },
        },
        "max_path_tag_length": 0 if of_clients else 256,
        "custom_tags": [{"tag": "user_agent", "literal": {"value": "-"}}],
    }
    return f"tracing: {json.dumps(written)}"


def clusters(wanted: Collector | None) -> list[Json]:
    """Write the cluster that the spans go to, if any."""
    return [cluster(Upstream(_CLUSTER, wanted.target, _REQUESTS_MAX))] if wanted else []
