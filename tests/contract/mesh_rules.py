"""Rules that every Envoy's configuration obeys. Each is a function from a configuration to what is
wrong with it; nothing is right.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from devstack.mesh.contracts import Method, Repetition, methods

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

NEVER_ARRIVED = {"connect-failure", "refused-stream", "reset-before-request"}
RETRIED = {
    Repetition.UNKNOWN: NEVER_ARRIVED,
    Repetition.IDEMPOTENT: NEVER_ARRIVED | {"unavailable"},
    Repetition.NO_SIDE_EFFECTS: NEVER_ARRIVED | {"unavailable", "reset"},
}
# Of the mesh, but none of our protos: each only tells.
FOREIGN_READS = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")
FOREIGN_READS += ("/envoy.service.auth.v3.Authorization/Check",)
IN_CLEAR = {"probes"}  # for the kubelet
PUBLIC = {"edge"}  # clients show keys, not certificates
# What Envoy may leave a host out for besides what the network does: what it answers, and how it
# compares with others.
ANSWERS = ("consecutive_5xx", "consecutive_gateway_failure", "success_rate", "failure_percentage")
ANSWERS += ("local_origin_success_rate",)
_OUT_S = 30.0
_CAP = "grpc_timeout_header_max"
BESIDE_US = {"service", "admin"}
BY_PATH: Mapping[str, Method] = {m.path: m for found in methods().values() for m in found.values()}


def seconds(text: str | None) -> float:
    """Read a duration of Envoy's; none is 0."""
    return float((text or "0s").removesuffix("s"))


def listeners(read: Json) -> list[Json]:
    """List the listeners."""
    return list(read["static_resources"]["listeners"])


def manager(listener: Json) -> Json:
    """Read the HTTP settings of a listener."""
    return dict(listener["filter_chains"][0]["filters"][-1]["typed_config"])


def hosts(read: Json) -> Iterator[tuple[str, Json]]:
    """List the virtual hosts, with the names of their listeners."""
    for listener in listeners(read):
        for host in manager(listener)["route_config"]["virtual_hosts"]:
            yield listener["name"], host


def routes(read: Json) -> Iterator[tuple[str, Json]]:
    """List the routes that go somewhere, each with a name for people."""
    for listener, host in hosts(read):
        for route in host["routes"]:
            if "route" in route:
                yield f"{listener} {json.dumps(route['match'])}", route


def clusters(read: Json) -> list[Json]:
    """List the clusters."""
    return list(read["static_resources"]["clusters"])


def writes_sent_again(read: Json) -> Iterator[str]:
    """No write is sent again that may have arrived, unless its proto says that it may be."""
    for name, host in hosts(read):
        if {"retry_policy", "hedge_policy"} & host.keys():
            yield f"{name}: all methods alike are sent again"
    for name, route in routes(read):
        if "hedge_policy" in route["route"]:
            yield f"{name}: hedged"
        policy = route["route"].get("retry_policy")
        if policy is None:
            continue
        asked = set(policy["retry_on"].split(","))
        if more := asked - RETRIED[_repetition(route["match"])]:
            yield f"{name}: sent again on {', '.join(sorted(more))}"
        if not 1 <= policy.get("num_retries", 1) <= 4:
            yield f"{name}: sent again {policy['num_retries']} times"


def _repetition(match: Json) -> Repetition:
    """Tell how far the method of a route may be sent again; what may be several is a write."""
    path = match.get("path", "")
    if path in BY_PATH:
        return BY_PATH[path].repetition
    is_read = (path or match.get("prefix", "")).startswith(FOREIGN_READS)
    return Repetition.NO_SIDE_EFFECTS if is_read else Repetition.UNKNOWN


def unbounded_requests(read: Json) -> Iterator[str]:
    """Every route ends a request some time: by itself, or by the longest duration of a stream."""
    for name, route in routes(read):
        there = route["route"]
        longest = there.get("max_stream_duration", {})
        if "timeout" not in there:
            yield f"{name}: Envoy's own 15 s, which nobody chose"
        elif not seconds(there["timeout"]) and not seconds(longest.get("max_stream_duration")):
            yield f"{name}: no end"
        cap = seconds(longest.get(_CAP))
        if cap > seconds(longest.get("max_stream_duration")):
            yield f"{name}: callers' deadlines outlive the stream"


def lost_deadlines(read: Json) -> Iterator[str]:
    """The caller's deadline goes along: a service knows when nobody waits any more."""
    for name, route in routes(read):
        there = route["route"]
        if there["cluster"] in BESIDE_US and "probes" in name:
            continue
        if seconds(there.get("timeout")):
            added = {
                each["header"]["key"]: each["header"]["value"]
                for each in route.get("request_headers_to_add", ())
            }
            if seconds(added.get("grpc-timeout", "0S").lower()) != seconds(there["timeout"]):
                yield f"{name}: the service is not told of {there['timeout']}"
        elif _is_own(route["match"]) and not there.get("max_stream_duration", {}).get(_CAP):
            yield f"{name}: grpc-timeout is not read"


def _is_own(match: Json) -> bool:
    return str(match.get("path", match.get("prefix", ""))).startswith("/paymesh.")


def missing_breakers(read: Json) -> Iterator[str]:
    """Every cluster refuses beyond a number of requests."""
    for cluster in clusters(read):
        thresholds = cluster.get("circuit_breakers", {}).get("thresholds", [])
        if not thresholds:
            yield f"{cluster['name']}: no circuit breakers"
        for each in thresholds:
            if not (each.get("max_requests") and each.get("max_pending_requests")):
                yield f"{cluster['name']}: a circuit breaker without a number"


def missing_budgets(read: Json) -> Iterator[str]:
    """Where requests are sent again, they are a fifth of all at most."""
    retried = {r["route"]["cluster"] for _, r in routes(read) if "retry_policy" in r["route"]}
    for cluster in clusters(read):
        for each in cluster.get("circuit_breakers", {}).get("thresholds", []):
            share = each.get("retry_budget", {}).get("budget_percent", {}).get("value", 100)
            if cluster["name"] in retried and share > 20:
                yield f"{cluster['name']}: {share} % may be sent again"


def unwatched_health(read: Json) -> Iterator[str]:
    """Who is behind mTLS is checked for health; who is down gets nothing, however many are."""
    for cluster in clusters(read):
        if "transport_socket" not in cluster:
            continue
        if not cluster.get("health_checks"):
            yield f"{cluster['name']}: no health checks"
        panic = cluster.get("common_lb_config", {}).get("healthy_panic_threshold", {})
        if panic.get("value") != 0:
            yield f"{cluster['name']}: a service that is down is called in a panic"


def reckless_outliers(read: Json) -> Iterator[str]:
    """Who is behind mTLS is left out for what the network does and never for what he answers; not
    the only one, and not for long.
    """
    for cluster in clusters(read):
        if "transport_socket" not in cluster:
            continue
        name, outliers = cluster["name"], cluster.get("outlier_detection")
        if not outliers:
            yield f"{name}: a host that cannot be reached is asked again and again"
            continue
        if not outliers.get("split_external_local_origin_errors"):
            yield f"{name}: answers and the network are one"
        if not outliers.get("enforcing_consecutive_local_origin_failure"):
            yield f"{name}: nobody is left out"
        for answers in ANSWERS:
            # Envoy's own default is 100 for some of them, so that what is not said is not 0.
            if outliers.get(f"enforcing_{answers}") != 0:
                yield f"{name}: left out by {answers}"
        if outliers.get("max_ejection_percent", 100) > 50:
            yield f"{name}: the last one may be left out"
        if not 0 < seconds(outliers.get("base_ejection_time")) <= _OUT_S:
            yield f"{name}: left out for longer than {_OUT_S:g} s"


def weak_tls(read: Json) -> Iterator[str]:
    """Whatever leaves a pod or comes in is mTLS 1.3, but for what is open by design."""
    for listener in listeners(read):
        name = listener["name"]
        for chain in listener["filter_chains"]:
            if socket := chain.get("transport_socket"):
                yield from _old(name, socket)
                yield from () if name in PUBLIC else _anybodys(name, socket)
            elif not all(map(_is_near, _places(listener))) and name not in IN_CLEAR:
                yield f"{name}: in clear"
    for cluster in clusters(read):
        endpoints = [
            endpoint["endpoint"]["address"]
            for each in cluster["load_assignment"]["endpoints"]
            for endpoint in each["lb_endpoints"]
        ]
        if "transport_socket" in cluster:
            yield from _old(cluster["name"], cluster["transport_socket"])
            yield from _nameless(cluster["name"], cluster["transport_socket"])
        elif not all(map(_is_near, endpoints)):
            yield f"{cluster['name']}: called in clear"


def _places(listener: Json) -> list[Json]:
    more = listener.get("additional_addresses", ())
    return [listener["address"], *(each["address"] for each in more)]


def _anybodys(name: str, socket: Json) -> Iterator[str]:
    if not socket["typed_config"].get("require_client_certificate"):
        yield f"{name}: no certificate is asked for"
    yield from _nameless(name, socket)


def _old(name: str, socket: Json) -> Iterator[str]:
    common = socket["typed_config"]["common_tls_context"]
    for bound in ("tls_minimum_protocol_version", "tls_maximum_protocol_version"):
        if common.get("tls_params", {}).get(bound) != "TLSv1_3":
            yield f"{name}: {bound} is not TLS 1.3"


def _nameless(name: str, socket: Json) -> Iterator[str]:
    common = socket["typed_config"]["common_tls_context"]
    checked = common.get("combined_validation_context", {}).get("default_validation_context", {})
    if not checked.get("match_typed_subject_alt_names"):
        yield f"{name}: any name will do"


def reachable_from_elsewhere(read: Json) -> Iterator[str]:
    """On one machine everything listens on loopback or a unix socket."""
    for listener in listeners(read):
        if not all(map(_is_near, _places(listener))):
            yield f"{listener['name']}: listens beyond loopback"
    if not _is_near(read["admin"]["address"]):
        yield "admin: listens beyond loopback"


def open_admin(read: Json) -> Iterator[str]:
    """Envoy's own interface is never on a network."""
    if not _is_near(read["admin"]["address"]):
        yield "admin: listens beyond loopback"


def _is_near(address: Json) -> bool:
    place = address.get("socket_address", {}).get("address", "")
    return "pipe" in address or place.startswith("127.") or place == "::1"


def clients_sending_writes_again(named: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The services' own clients send again only what its proto says may be."""
    for each in named:
        method = BY_PATH[f"/{each['service']}/{each['method']}"]
        if method.repetition is Repetition.UNKNOWN:
            yield f"{method.path}: a client sends it again"


EVERYWHERE: Sequence[Rule] = (
    writes_sent_again,
    unbounded_requests,
    lost_deadlines,
    missing_breakers,
    missing_budgets,
    unwatched_health,
    reckless_outliers,
    weak_tls,
    open_admin,
)
EMBEDDED: Sequence[Rule] = (*EVERYWHERE, reachable_from_elsewhere)
