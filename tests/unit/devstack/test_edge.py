"""The edge's configuration, as Envoy reads it."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api import annotations_pb2
from google.rpc import error_details_pb2, status_pb2
from paymesh.psp.v1 import webhook_service_pb2

from devstack import edge, envoy
from devstack.mesh.edge import CALLED, Edge
from devstack.mesh.edge import render as render_edge
from devstack.mesh.sidecar import Peer
from devstack.ports import default_ports
from devstack.state import StackError, State
from edge_auth import routes


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
        [str(envoy.binary()), "--mode", "validate", "-c", str(rendered)],
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
    places = {}
    for environment in ("development", "production"):
        settings = manager(edge.render(state, default_ports(), environment))
        hosts = settings["route_config"]["virtual_hosts"]
        places[environment] = [place(route["match"]) for route in hosts[0]["routes"]]

    service = "/paymesh.payment.v1.PaymentService/"
    webhooks = "/paymesh.payment.v1.WebhookEndpointService/"
    api = [
        "/",  # with two hosts: refused
        "/openapi.json",
        "/v1/payments/[^/]+/events",
        "/v1/webhooks/[a-z]{1,20}",
        "/v1/",
        service + "WatchPayment",
        service,
        webhooks,
    ]
    assert places == {"development": [*api, "/grpc."], "production": api}


def test_deadlines_are_the_edges_for_rest_and_the_callers_for_grpc(state: State) -> None:
    """REST gets 35 s whatever its headers say; gRPC what its caller asks for, but no more."""
    settings = manager(edge.render(state, default_ports(), "production"))
    routes = settings["route_config"]["virtual_hosts"][0]["routes"]
    _, _, watched, from_psps, rest, native_watched, native, webhooks = routes

    # A stream may last longer than the service's own ten minutes, and no longer.
    for stream in (watched, native_watched):
        assert stream["route"]["timeout"] == "0s"
        assert stream["route"]["max_stream_duration"]["max_stream_duration"] == "615s"
    # Adyen waits ten seconds for the answer to a webhook.
    for route, seconds in ((rest, 35), (from_psps, 9)):
        assert route["route"]["timeout"] == f"{seconds}s"
        added = route["request_headers_to_add"][0]
        assert added["header"] == {"key": "grpc-timeout", "value": f"{seconds}S"}
        assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert native["route"]["timeout"] == "0s"
    assert native["route"]["max_stream_duration"]["grpc_timeout_header_max"] == "35s"
    assert "request_headers_to_add" not in native
    assert webhooks["route"] == native["route"]


CODES = {
    400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 409: 10, 413: 3, 426: 3, 429: 8, 431: 3,
    501: 3, 503: 14, 504: 4,
}  # fmt: skip


def mappers(state: State) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read the mappers of Envoy's own replies: to native callers, and to REST."""
    settings = manager(edge.render(state, default_ports(), "production"))
    ours = settings["local_reply_config"]["mappers"][1:]
    native = [mapper for mapper in ours if "and_filter" in mapper["filter"]]
    assert ours[: len(native)] == native, "the first that fits is taken"
    return native, ours[len(native) :]


def fitting(status_filter: dict[str, Any]) -> tuple[str, int]:
    """Tell which statuses a mapper takes."""
    comparison = status_filter["status_code_filter"]["comparison"]
    return comparison["op"], comparison["value"]["default_value"]


def added(mapper: dict[str, Any]) -> dict[str, str]:
    """Read the headers that a mapper adds."""
    return {each["header"]["key"]: each["header"]["value"] for each in mapper["headers_to_add"]}


def test_a_reply_of_envoys_own_has_the_shape_of_every_error(state: State) -> None:
    """Each status has its gRPC code and a reason; what is not listed is internal."""
    seen = {}
    for mapper in mappers(state)[1]:
        body = mapper["body_format_override"]["json_format"]
        assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert body["details"][0]["domain"] == "edge.paymesh"
        seen[fitting(mapper["filter"])] = body["code"]

    known = {("EQ", status): code for status, code in CODES.items()}
    assert seen == {**known, ("GE", 400): 13}


def test_native_callers_get_the_same_as_a_status(state: State) -> None:
    """Each of Envoy's own replies has google.rpc.Status for native callers, and for them alone."""
    native, rest = mappers(state)

    assert len(native) == len(rest)
    for mapper, plain in zip(native, rest, strict=True):
        fits, is_grpc, is_untouched = mapper["filter"]["and_filter"]["filters"]
        headers, body = added(mapper), plain["body_format_override"]["json_format"]
        details = headers["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
        info = error_details_pb2.ErrorInfo()
        assert fits == plain["filter"]
        assert is_grpc["header_filter"]["header"]["name"] == "content-type"
        assert is_untouched["header_filter"]["header"]["name"] == "x-envoy-original-path"
        assert status.details[0].Unpack(info)
        assert (status.code, info.reason) == (body["code"], body["details"][0]["reason"])
        assert headers["grpc-status"] == str(status.code)
        # A client's library refuses a status whose message is not the call's.
        text = mapper["body_format_override"]["text_format_source"]["inline_string"]
        assert status.message == text
        assert text.isascii()
        assert "%" not in text


def test_who_may_try_again_is_told_when(state: State) -> None:
    """429 and 503 of Envoy's own carry Retry-After; no other reply invites to try again."""
    for some in mappers(state):
        inviting = []
        for each in some:
            fits = each["filter"].get("and_filter", {"filters": [each["filter"]]})["filters"][0]
            inviting += [fitting(fits)] if "retry-after" in added(each) else []
        assert sorted(inviting) == [("EQ", 429), ("EQ", 503)]


def test_no_credential_is_in_the_access_log(state: State) -> None:
    """It says who asked for what and how it went; headers that hold secrets are not in it."""
    logs = manager(edge.render(state, default_ports(), "production"))["access_log"]

    assert logs
    for log in logs:
        written = str(log["typed_config"]["log_format"]).lower()

        assert "authorization" not in written
        assert "signature" not in written
        assert log["typed_config"]["path"] == str(state.log("edge-access"))


def test_path_of_who_was_not_let_in_is_not_logged(state: State) -> None:
    """A refused path may hold a card number: only what passed edge_auth is logged with its path."""
    passed, refused = manager(edge.render(state, default_ports(), "production"))["access_log"]

    filters = [log["filter"]["header_filter"]["header"] for log in (passed, refused)]
    formats = [log["typed_config"]["log_format"]["json_format"] for log in (passed, refused)]
    assert [f.get("invert_match", False) for f in filters] == [False, True]
    assert {f["name"] for f in filters} == {"x-paymesh-client-id"}
    assert set(formats[0]) - set(formats[1]) == {"path", "client"}
    assert "PATH" not in str(formats[1])


def test_what_the_transcoder_serves_edge_auth_reads(state: State) -> None:
    """A service whose bodies edge_auth does not know would have each refused; the webhooks of PSPs
    pass it by, and of their service only what has a path can be reached.
    """
    filters = manager(edge.render(state, default_ports(), "production"))["http_filters"]
    served = next(f["typed_config"]["services"] for f in filters if "transcoder" in f["name"])

    public = [service.full_name for service in routes.PUBLIC]
    assert sorted(served) == sorted([*public, "paymesh.psp.v1.WebhookService"])
    methods = webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"].methods
    reachable = [m.name for m in methods if m.GetOptions().HasExtension(annotations_pb2.http)]
    assert reachable == ["ReceiveWebhook"]


@pytest.mark.parametrize("where", ["0.0.0.0:8080", "10.0.0.1:8080", "edge.example:8080"])
def test_in_clear_it_listens_on_loopback_alone(where: str, tmp_path: Path) -> None:
    """A configuration that would speak in clear to a network cannot be written."""
    peers = {name: Peer("127.0.0.1:1", "") for name in CALLED}
    rest = {"admin": "127.0.0.1:1", "services": peers, "caller": None, "operators": None}
    files = {"access_log": "/dev/stdout", "openapi": "", "descriptor": ""}

    with pytest.raises(StackError, match="no certificate for"):
        Edge(listen=where, **rest, **files)  # type: ignore[arg-type]
    with pytest.raises(StackError, match="no certificate for"):
        Edge(listen=where, plain_listen=where, certificate=tmp_path, **rest, **files)  # type: ignore[arg-type]
    assert Edge(listen=where, certificate=tmp_path, **rest, **files)  # type: ignore[arg-type]


def test_with_a_certificate_alone_nothing_is_spoken_in_clear(tmp_path: Path) -> None:
    """As production has it: one way in, and that is TLS."""
    peers = {name: Peer("127.0.0.1:1", "") for name in CALLED}
    rendered = render_edge(
        Edge("0.0.0.0:443", "127.0.0.1:1", peers, None, None, "/dev/stdout", "", "",
             certificate=tmp_path)
    )  # fmt: skip
    (listener,) = yaml.safe_load(rendered)["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    tls = chain["transport_socket"]["typed_config"]["common_tls_context"]["tls_params"]

    assert listener["additional_addresses"] == []
    assert set(tls.values()) == {"TLSv1_3"}
