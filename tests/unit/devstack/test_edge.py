"""The edge's configuration, as Envoy reads it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import edge
from devstack.ports import default_ports
from devstack.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    """An empty state folder."""
    state = State(tmp_path)
    state.prepare()
    return state


def manager(rendered: Path) -> dict[str, Any]:
    """Read the settings of the HTTP connection manager."""
    listener = yaml.safe_load(rendered.read_text())["static_resources"]["listeners"][0]
    return dict(listener["filter_chains"][0]["filters"][-1]["typed_config"])


@pytest.mark.parametrize("environment", ["development", "production"])
def test_envoy_accepts_it(state: State, environment: str) -> None:
    """Envoy itself finds nothing wrong, the transcoder's descriptors included."""
    rendered = edge.render(state, default_ports(), environment)

    done = subprocess.run(
        [str(edge.binary()), "--mode", "validate", "-c", str(rendered)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert rendered == state.folder / "envoy" / "edge.yaml"
    assert "${" not in rendered.read_text()


def place(match: dict[str, Any]) -> str:
    """Tell what a route matches."""
    return str(match.get("prefix") or match.get("path") or match["safe_regex"]["regex"])


def test_reflection_and_health_are_open_in_development_alone(state: State) -> None:
    """In production nothing but the API has a route."""
    routes = {}
    for environment in ("development", "production"):
        settings = manager(edge.render(state, default_ports(), environment))
        hosts = settings["route_config"]["virtual_hosts"]
        routes[environment] = [place(route["match"]) for route in hosts[0]["routes"]]

    service = "/paymesh.payment.v1.PaymentService/"
    webhooks = "/paymesh.payment.v1.WebhookEndpointService/"
    api = ["/v1/payments/[^/]+/events", "/v1/", service + "WatchPayment", service, webhooks]
    assert routes == {"development": [*api, "/grpc."], "production": api}


def test_deadlines_are_the_edges_for_rest_and_the_callers_for_grpc(state: State) -> None:
    """REST gets 35 s whatever its headers say; gRPC what its caller asks for, but no more."""
    settings = manager(edge.render(state, default_ports(), "production"))
    routes = settings["route_config"]["virtual_hosts"][0]["routes"]
    watched, rest, native_watched, native, webhooks = routes

    # A stream may last longer than the service's own ten minutes, and no longer.
    for stream in (watched, native_watched):
        assert stream["route"]["timeout"] == "0s"
        assert stream["route"]["max_stream_duration"]["max_stream_duration"] == "615s"
    assert rest["route"]["timeout"] == "35s"
    added = rest["request_headers_to_add"][0]
    assert added["header"] == {"key": "grpc-timeout", "value": "35S"}
    assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert native["route"]["timeout"] == "0s"
    assert native["route"]["max_stream_duration"]["grpc_timeout_header_max"] == "35s"
    assert "request_headers_to_add" not in native
    assert webhooks["route"] == native["route"]


def test_a_reply_of_envoys_own_has_the_shape_of_every_error(state: State) -> None:
    """Each status has its gRPC code and a reason; what is not listed is internal."""
    settings = manager(edge.render(state, default_ports(), "production"))
    mappers = settings["local_reply_config"]["mappers"][1:]

    seen = {}
    for mapper in mappers:
        comparison = mapper["filter"]["status_code_filter"]["comparison"]
        body = mapper["body_format_override"]["json_format"]
        assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert body["details"][0]["domain"] == "edge.paymesh"
        seen[comparison["op"], comparison["value"]["default_value"]] = body["code"]
    assert seen == {
        ("EQ", 400): 3, ("EQ", 401): 16, ("EQ", 403): 7, ("EQ", 404): 5, ("EQ", 408): 4,
        ("EQ", 409): 10, ("EQ", 413): 3, ("EQ", 429): 8, ("EQ", 431): 3, ("EQ", 503): 14,
        ("EQ", 504): 4, ("GE", 400): 13,
    }  # fmt: skip


def test_no_credential_is_in_the_access_log(state: State) -> None:
    """It says who asked for what and how it went; headers that hold secrets are not in it."""
    log = manager(edge.render(state, default_ports(), "production"))["access_log"][0]
    written = str(log["typed_config"]["log_format"]).lower()

    assert "authorization" not in written
    assert "signature" not in written
    assert log["typed_config"]["path"] == str(state.log("edge-access"))
