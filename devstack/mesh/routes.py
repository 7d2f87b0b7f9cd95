"""Routes of a sidecar: to its own service, and to those that it calls; deadlines and retries."""

from collections.abc import Iterator, Sequence
from typing import Any

from devstack.mesh.callers import ALL, Row
from devstack.mesh.contracts import SHARED, Method, Repetition, methods
from devstack.mesh.identities import OPERATORS, TrustDomain

Json = dict[str, Any]

OPERATOR_HEADER = "x-paymesh-operator"
SERVICE_HEADER = "x-paymesh-service"  # which service is meant, where a path does not tell
_PREVIOUS = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS_TYPE = (
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
)
# Longer than any service takes by its own REQUEST_TIMEOUT_S: its own answer comes first.
_UNARY_S, _STREAM_S = 36, 3700
# What never reached the service may always be sent again.
_NEVER_ARRIVED = ("connect-failure", "refused-stream", "reset-before-request")
_RETRY_ON = {
    Repetition.UNKNOWN: _NEVER_ARRIVED,
    Repetition.IDEMPOTENT: (*_NEVER_ARRIVED, "unavailable"),
    Repetition.NO_SIDE_EFFECTS: (*_NEVER_ARRIVED, "unavailable", "reset"),
}


def inward(rows: Sequence[Row], cluster: str, domain: TrustDomain) -> list[Json]:
    """Route to the service itself what the policies have let through.

    Who the operator is may be said by the operators' listener alone: from anybody else the header
    is taken off. x-forwarded-client-cert is Envoy's own, made of the certificate it has checked.
    """
    own = {row.grpc_service for row in rows}
    streams = [m for m in _known(own) if m.answers_stream]
    by_operators = {
        "name": "x-forwarded-client-cert",
        "string_match": {"suffix": f";URI={domain.workload(OPERATORS)}"},
    }
    written = []
    for said in ({"headers": [by_operators]}, {}):
        kept: Json = {} if said else {"request_headers_to_remove": [OPERATOR_HEADER]}
        for method in streams:
            match = {"path": method.path, **said}
            written.append({"match": match, "route": _within(cluster, _STREAM_S), **kept})
        match = {"prefix": "/", **said}
        written.append({"match": match, "route": _within(cluster, _UNARY_S), **kept})
    return written


def every_service(service: str, rows: Sequence[Row], cluster: str) -> list[Json]:
    """Route to a service, named in a header, what several services have: their audit logs, health,
    and in development reflection.
    """
    named = {"name": SERVICE_HEADER, "string_match": {"exact": service}}
    return [
        {"match": {"prefix": row.path, "headers": [named]}, "route": _to(cluster, _STREAM_S)}
        for row in rows
        if row.method == ALL and (row.grpc_service not in methods() or row.grpc_service in SHARED)
    ]


def outward(rows: Sequence[Row], cluster: str) -> list[Json]:
    """Route to another service each method that this one may call there, tried again as far as its
    proto allows. Of what several services have single methods alone, the service named in a header.
    """
    return [
        {"match": {"path": method.path, **_named(row)}, "route": _called(method, cluster)}
        for row in rows
        if row.grpc_service not in SHARED or row.method != ALL
        for method in _of(row)
    ]


def _named(row: Row) -> Json:
    """Match the header that names a service, where several have the method."""
    if row.grpc_service not in SHARED:
        return {}
    return {"headers": [{"name": SERVICE_HEADER, "string_match": {"exact": row.service}}]}


def _called(method: Method, cluster: str) -> Json:
    seconds = _STREAM_S if method.answers_stream else _UNARY_S
    retry = {
        "retry_on": ",".join(_RETRY_ON[method.repetition]),
        "num_retries": 2,
        # Another host, where there is one.
        "retry_host_predicate": [{"name": _PREVIOUS, "typed_config": {"@type": _PREVIOUS_TYPE}}],
        "host_selection_retry_max_attempts": 3,
        "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
    }
    return {**_to(cluster, seconds), "retry_policy": retry}


def _within(cluster: str, seconds: int) -> Json:
    """Route to the service beside us; a restart of it is waited out for two seconds."""
    retry = {
        "retry_on": ",".join(_NEVER_ARRIVED),
        "num_retries": 4,
        "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
    }
    return {**_to(cluster, seconds), "retry_policy": retry}


def _to(cluster: str, seconds: int) -> Json:
    """Route by the caller's own deadline, and for `seconds` at most."""
    most = f"{seconds}s"
    return {
        "cluster": cluster,
        "timeout": "0s",
        "max_stream_duration": {"max_stream_duration": most, "grpc_timeout_header_max": most},
    }


def _known(services: set[str]) -> Iterator[Method]:
    for service in sorted(services & methods().keys()):
        yield from methods()[service].values()


def _of(row: Row) -> Iterator[Method]:
    """List the methods of a row; what is none of our protos is one method at a time."""
    if row.grpc_service not in methods():
        if row.method != ALL:
            yield Method(
                row.grpc_service, row.method, Repetition.NO_SIDE_EFFECTS, answers_stream=False
            )
    elif row.method == ALL:
        yield from methods()[row.grpc_service].values()
    else:
        yield methods()[row.grpc_service][row.method]
