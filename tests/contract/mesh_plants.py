"""What breaks the rules of the mesh, planted in a configuration that obeys them."""

from collections.abc import Callable

from devstack.mesh.contracts import Repetition
from tests.contract import mesh_rules
from tests.contract.mesh_rules import BY_PATH, Json, Rule, clusters, listeners, routes

WRITE = "/paymesh.ledger.v1.LedgerService/ReverseTransaction"


def route_to(read: Json, path: str) -> Json:
    """Find the route of a method."""
    return next(route for _, route in routes(read) if route["match"].get("path") == path)


def peer(read: Json) -> Json:
    """Find a cluster behind mTLS."""
    return next(one for one in clusters(read) if "transport_socket" in one)


def rest(read: Json) -> Json:
    """Find the edge's route of the public API."""
    return next(r for _, r in routes(read) if r["match"].get("prefix") == "/v1/")


def tls(holder: Json) -> Json:
    """Read the TLS parameters of a cluster or a chain of filters."""
    return dict(holder["transport_socket"]["typed_config"])["common_tls_context"]["tls_params"]


def plant_retried_write(read: Json) -> None:
    """A reversal is sent again after it may have arrived."""
    route_to(read, WRITE)["route"]["retry_policy"]["retry_on"] += ",reset"


def plant_repeated_write(read: Json) -> None:
    """What an operator changes is changed again when a service has said that it is unavailable."""
    paths = {m.path for m in BY_PATH.values() if m.repetition is Repetition.UNKNOWN}
    route = next(r for _, r in routes(read) if r["match"].get("path") in paths)
    route["route"]["retry_policy"]["retry_on"] += ",unavailable"


def plant_retried_rest(read: Json) -> None:
    """The edge sends payments again that a service has answered with 503."""
    rest(read)["route"]["retry_policy"] = {"retry_on": "5xx", "num_retries": 1}


def plant_retry_of_everything(read: Json) -> None:
    """One policy for all methods."""
    host = next(host for name, host in mesh_rules.hosts(read) if name == "egress")
    host["retry_policy"] = {"retry_on": "unavailable"}


def plant_hedge(read: Json) -> None:
    """The same request twice at once."""
    route_to(read, WRITE)["route"]["hedge_policy"] = {"hedge_on_per_try_timeout": True}


def plant_many_retries(read: Json) -> None:
    """Ten tries."""
    route_to(read, WRITE)["route"]["retry_policy"]["num_retries"] = 10


def plant_no_end(read: Json) -> None:
    """A call without any deadline."""
    del route_to(read, WRITE)["route"]["max_stream_duration"]


def plant_default_timeout(read: Json) -> None:
    """Envoy's own 15 s."""
    del route_to(read, WRITE)["route"]["timeout"]


def plant_deadline_beyond_the_stream(read: Json) -> None:
    """A caller may ask for longer than anything lives."""
    longest = route_to(read, WRITE)["route"]["max_stream_duration"]
    longest["grpc_timeout_header_max"] = "90s"


def plant_untold_deadline(read: Json) -> None:
    """The service works on for whom the edge has sent away."""
    rest(read)["request_headers_to_add"] = []


def plant_other_deadline(read: Json) -> None:
    """The edge gives up after 10 s, and tells the service 35."""
    rest(read)["route"]["timeout"] = "10s"


def plant_unread_deadline(read: Json) -> None:
    """The caller's word does not count."""
    del route_to(read, WRITE)["route"]["max_stream_duration"]["grpc_timeout_header_max"]


def plant_no_breaker(read: Json) -> None:
    """No limit at all."""
    del peer(read)["circuit_breakers"]


def plant_breaker_without_number(read: Json) -> None:
    """Envoy's own limit."""
    del peer(read)["circuit_breakers"]["thresholds"][0]["max_requests"]


def plant_no_budget(read: Json) -> None:
    """As many retries as requests."""
    del peer(read)["circuit_breakers"]["thresholds"][0]["retry_budget"]


def plant_large_budget(read: Json) -> None:
    """Half of all may be retries."""
    peer(read)["circuit_breakers"]["thresholds"][0]["retry_budget"]["budget_percent"]["value"] = 50


def plant_no_health(read: Json) -> None:
    """Nobody looks."""
    del peer(read)["health_checks"]


def plant_panic(read: Json) -> None:
    """Envoy's own threshold, 50 %."""
    del peer(read)["common_lb_config"]


def outliers(read: Json) -> Json:
    """Find how hosts are left out."""
    found: Json = peer(read)["outlier_detection"]
    return found


def plant_no_outliers(read: Json) -> None:
    """Nobody is left out."""
    del peer(read)["outlier_detection"]


def plant_outliers_off(read: Json) -> None:
    """It is told, and not done."""
    outliers(read)["enforcing_consecutive_local_origin_failure"] = 0


def plant_outliers_by_answers(read: Json) -> None:
    """Envoy's own default: five answers of 5xx, and a service that refuses is away."""
    del outliers(read)["enforcing_consecutive_5xx"]


def plant_outliers_as_one(read: Json) -> None:
    """What the network does counts as an answer."""
    outliers(read)["split_external_local_origin_errors"] = False


def plant_all_left_out(read: Json) -> None:
    """The last one too."""
    outliers(read)["max_ejection_percent"] = 100


def plant_long_out(read: Json) -> None:
    """For an hour."""
    outliers(read)["base_ejection_time"] = "3600s"


def plant_old_tls(read: Json) -> None:
    """TLS 1.2 to a service."""
    tls(peer(read))["tls_minimum_protocol_version"] = "TLSv1_2"


def plant_old_tls_inward(read: Json) -> None:
    """TLS 1.2 from whoever calls."""
    ingress = next(one for one in listeners(read) if one["name"] == "ingress")
    tls(ingress["filter_chains"][0])["tls_minimum_protocol_version"] = "TLSv1_2"


def plant_public_in_clear(read: Json) -> None:
    """Clients' keys cross the network for all to read."""
    plant_far_edge(read)


def plant_clear_text(read: Json) -> None:
    """A service is called in clear."""
    one = peer(read)
    address = {"address": "192.0.2.1", "port_value": 1}
    endpoint = one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"] = {"socket_address": address}
    del one["transport_socket"]


def plant_open_door(read: Json) -> None:
    """Others come in without a certificate."""
    ingress = next(one for one in listeners(read) if one["name"] == "ingress")
    ingress["filter_chains"][0]["transport_socket"]["typed_config"].pop(
        "require_client_certificate"
    )


def plant_any_name(read: Json) -> None:
    """Whoever has a certificate may be the ledger."""
    context = peer(read)["transport_socket"]["typed_config"]["common_tls_context"]
    context["combined_validation_context"]["default_validation_context"] = {}


def plant_far_egress(read: Json) -> None:
    """Other machines may call as this service."""
    egress = next(one for one in listeners(read) if one["name"] == "egress")
    egress["address"] = {"socket_address": {"address": "0.0.0.0", "port_value": 1}}


def plant_far_edge(read: Json) -> None:
    """The edge of one machine is open to all."""
    outside = next(one for one in listeners(read) if one["name"] == "edge")
    outside["address"]["socket_address"]["address"] = "0.0.0.0"


def plant_far_admin(read: Json) -> None:
    """Anybody may stop Envoy."""
    read["admin"]["address"] = {"socket_address": {"address": "0.0.0.0", "port_value": 1}}


SIDECAR, EDGE = "payment_svc production", "edge with a mesh production"
PLANTED: list[tuple[Rule, str, Callable[[Json], None]]] = [
    (mesh_rules.writes_sent_again, SIDECAR, plant_retried_write),
    (mesh_rules.writes_sent_again, EDGE, plant_repeated_write),
    (mesh_rules.writes_sent_again, EDGE, plant_retried_rest),
    (mesh_rules.writes_sent_again, SIDECAR, plant_retry_of_everything),
    (mesh_rules.writes_sent_again, SIDECAR, plant_hedge),
    (mesh_rules.writes_sent_again, SIDECAR, plant_many_retries),
    (mesh_rules.unbounded_requests, SIDECAR, plant_no_end),
    (mesh_rules.unbounded_requests, SIDECAR, plant_default_timeout),
    (mesh_rules.unbounded_requests, SIDECAR, plant_deadline_beyond_the_stream),
    (mesh_rules.lost_deadlines, EDGE, plant_untold_deadline),
    (mesh_rules.lost_deadlines, EDGE, plant_other_deadline),
    (mesh_rules.lost_deadlines, SIDECAR, plant_unread_deadline),
    (mesh_rules.missing_breakers, SIDECAR, plant_no_breaker),
    (mesh_rules.missing_breakers, EDGE, plant_breaker_without_number),
    (mesh_rules.missing_budgets, SIDECAR, plant_no_budget),
    (mesh_rules.missing_budgets, EDGE, plant_large_budget),
    (mesh_rules.unwatched_health, SIDECAR, plant_no_health),
    (mesh_rules.unwatched_health, EDGE, plant_panic),
    (mesh_rules.reckless_outliers, SIDECAR, plant_no_outliers),
    (mesh_rules.reckless_outliers, EDGE, plant_outliers_off),
    (mesh_rules.reckless_outliers, SIDECAR, plant_outliers_by_answers),
    (mesh_rules.reckless_outliers, EDGE, plant_outliers_as_one),
    (mesh_rules.reckless_outliers, SIDECAR, plant_all_left_out),
    (mesh_rules.reckless_outliers, EDGE, plant_long_out),
    (mesh_rules.weak_tls, SIDECAR, plant_old_tls),
    (mesh_rules.weak_tls, SIDECAR, plant_old_tls_inward),
    (mesh_rules.weak_tls, EDGE, plant_clear_text),
    (mesh_rules.weak_tls, EDGE, plant_public_in_clear),
    (mesh_rules.weak_tls, SIDECAR, plant_open_door),
    (mesh_rules.weak_tls, SIDECAR, plant_any_name),
    (mesh_rules.weak_tls, SIDECAR, plant_far_egress),
    (mesh_rules.reachable_from_elsewhere, EDGE, plant_far_edge),
    (mesh_rules.reachable_from_elsewhere, SIDECAR, plant_far_admin),
    (mesh_rules.open_admin, EDGE, plant_far_admin),
]
