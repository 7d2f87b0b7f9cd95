"""The operators' listener of the edge: who comes in, as whom it goes on, and whereto."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devstack import edge
from devstack.mesh.callers import read_callers
from devstack.mesh.contracts import SHARED, methods
from devstack.mesh.embedded import EmbeddedMesh
from devstack.ports import default_ports
from devstack.services import SERVICES
from devstack.state import State, reachable_folder

Json = dict[str, Any]


@pytest.fixture(scope="module", params=["development", "production"])
def rendered(request: pytest.FixtureRequest) -> Iterator[tuple[str, Json]]:
    """The edge's configuration in either environment."""
    with reachable_folder("mesh-") as folder:
        state, environment = State(folder), str(request.param)
        state.prepare()
        mesh = EmbeddedMesh(state, default_ports(), environment)
        file = edge.render(state, default_ports(), environment, mesh)
        yield environment, dict(yaml.safe_load(file.read_text())["static_resources"])


def listener(resources: Json) -> Json:
    """Read the listener."""
    (found,) = [one for one in resources["listeners"] if one["name"] == "operators"]
    return dict(found)


def manager(resources: Json) -> Json:
    """Read its HTTP settings."""
    return dict(listener(resources)["filter_chains"][0]["filters"][0]["typed_config"])


def test_people_come_in_by_certificates(rendered: tuple[str, Json]) -> None:
    """Of operators alone, at 8081 on loopback; TLS 1.3."""
    found = listener(rendered[1])
    tls = found["filter_chains"][0]["transport_socket"]["typed_config"]
    checked = tls["common_tls_context"]["combined_validation_context"]["default_validation_context"]

    wanted = {"prefix": "spiffe://paymesh.local/operator/"}
    assert found["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8081}
    assert tls["require_client_certificate"] is True
    assert checked["match_typed_subject_alt_names"] == [{"san_type": "URI", "matcher": wanted}]


def test_who_they_are_says_the_certificate(rendered: tuple[str, Json]) -> None:
    """The header is overwritten, and what an operator may not say is taken off first."""
    settings = manager(rendered[1])
    (added,) = settings["route_config"]["virtual_hosts"][0]["request_headers_to_add"]
    early = settings["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    removed = [m["remove_on_match"]["key_matcher"]["prefix"] for m in early if "remove" not in m]

    assert added["header"] == {"key": "x-paymesh-operator", "value": "%DOWNSTREAM_PEER_URI_SAN%"}
    assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    own = {"x-paymesh-client", "x-paymesh-identity", "x-paymesh-operator", "x-paymesh-actor"}
    assert own <= set(removed)


def test_they_reach_the_methods_of_the_table(rendered: tuple[str, Json]) -> None:
    """Each at its service, and no other; as `operators`."""
    environment, resources = rendered
    table = read_callers(in_development=environment == "development")
    routes = manager(resources)["route_config"]["virtual_hosts"][0]["routes"]
    reached = {(r["match"]["path"], r["route"]["cluster"]) for r in routes if "path" in r["match"]}
    wanted = {
        (method.path, f"operators.{service.name}")
        for service in SERVICES
        for row in table.calls("operators", service.name)
        if row.grpc_service not in SHARED
        for method in methods().get(row.grpc_service, {}).values()
        if row.method in ("*", method.name)
    }

    assert reached == wanted
    clusters = {c["name"]: c for c in resources["clusters"] if c["name"].startswith("operators.")}
    assert set(clusters) == {f"operators.{service.name}" for service in SERVICES}
    for one in clusters.values():
        common = one["transport_socket"]["typed_config"]["common_tls_context"]
        (secret,) = common["tls_certificate_sds_secret_configs"]
        path = secret["sds_config"]["path_config_source"]["path"]
        assert path.endswith("/secrets/operators/certificate.yaml")


def test_health_is_asked_of_a_service_named_in_a_header(rendered: tuple[str, Json]) -> None:
    """And reflection, in development; and of a service that has one, its audit log."""
    environment, resources = rendered
    routes = manager(resources)["route_config"]["virtual_hosts"][0]["routes"]
    named = [r["match"] for r in routes if "headers" in r["match"]]
    logs = [m for m in named if m["prefix"] == "/paymesh.audit.v1.AuditLogService/"]
    by_header = [m for m in named if m not in logs]
    prefixes = {match["prefix"] for match in by_header}

    shared = {"/grpc.health.v1.Health/"}
    if environment == "development":
        shared.add("/grpc.reflection.v1alpha.ServerReflection/")
    assert prefixes == shared
    assert len(by_header) == len(shared) * len(SERVICES)
    assert len(logs) == len(SERVICES) - 1  # risk_svc decides nothing that a person changes
    assert {m["headers"][0]["name"] for m in named} == {"x-paymesh-service"}
