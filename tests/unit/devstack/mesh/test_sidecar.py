"""The sidecars' and the edge's configuration, as Envoy reads it."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import edge, envoy
from devstack.mesh.certificates import utc_now
from devstack.mesh.contracts import Repetition, methods
from devstack.mesh.embedded import EmbeddedMesh, make_private, socket_folder
from devstack.ports import default_ports
from devstack.services import SERVICES
from devstack.state import StackError, State, reachable_folder

NAMES = [service.name for service in SERVICES]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def state() -> Iterator[State]:
    """A state folder with certificates."""
    with reachable_folder("mesh-") as folder:
        state = State(folder)
        state.prepare()
        yield state


@pytest.fixture(scope="module", params=["development", "production"])
def environment(request: pytest.FixtureRequest) -> str:
    """Both environments."""
    return str(request.param)


@pytest.fixture(scope="module")
def mesh(state: State, environment: str) -> EmbeddedMesh:
    """A mesh whose files are written."""
    mesh = EmbeddedMesh(state, default_ports(), environment)
    mesh.prepare(utc_now())
    return mesh


def configuration(recipe_command: Any) -> tuple[Path, Json]:
    """Read what an Envoy is started with."""
    file = Path(recipe_command[recipe_command.index("-c") + 1])
    return file, dict(yaml.safe_load(file.read_text()))


def sidecar(mesh: EmbeddedMesh, name: str) -> Json:
    """Render one."""
    return configuration(mesh.sidecar(name).command)[1]


def manager(read: Json, listener: str) -> Json:
    """Read the HTTP settings of a listener."""
    (found,) = [one for one in read["static_resources"]["listeners"] if one["name"] == listener]
    return dict(found["filter_chains"][0]["filters"][0]["typed_config"])


def routes(read: Json, listener: str) -> list[Json]:
    """Read its routes."""
    return list(manager(read, listener)["route_config"]["virtual_hosts"][0]["routes"])


def clusters(read: Json) -> Mapping[str, Json]:
    """Read whom it calls."""
    return {one["name"]: one for one in read["static_resources"]["clusters"]}


@pytest.mark.parametrize("name", [*NAMES, "edge"])
def test_envoy_accepts_it(state: State, mesh: EmbeddedMesh, environment: str, name: str) -> None:
    """Envoy itself finds nothing wrong, and no placeholder is left."""
    if name == "edge":
        file = edge.render(state, default_ports(), environment, mesh)
    else:
        file, _ = configuration(mesh.sidecar(name).command)

    done = subprocess.run(
        [str(envoy.binary()), "--mode", "validate", "-c", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "${" not in file.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_everybody_shows_a_certificate(mesh: EmbeddedMesh, name: str) -> None:
    """In both directions: TLS 1.3 and HTTP/2 alone, and SPIFFE ids that are checked."""
    read = sidecar(mesh, name)
    (ingress,) = [
        one for one in read["static_resources"]["listeners"] if "socket_address" in one["address"]
    ]
    down = ingress["filter_chains"][0]["transport_socket"]["typed_config"]
    assert ingress["name"] == "ingress"
    assert down["require_client_certificate"] is True
    contexts = [(down, {"prefix": "spiffe://paymesh.local/ns/paymesh/sa/"})]
    for peer, one in clusters(read).items():
        if peer != "service":
            wanted = {"exact": f"spiffe://paymesh.local/ns/paymesh/sa/{peer}"}
            contexts.append((one["transport_socket"]["typed_config"], wanted))
    for context, wanted in contexts:
        common = context["common_tls_context"]
        assert set(common["tls_params"].values()) == {"TLSv1_3"}
        assert common["alpn_protocols"] == ["h2"]
        checked = common["combined_validation_context"]["default_validation_context"]
        assert checked["match_typed_subject_alt_names"] == [{"san_type": "URI", "matcher": wanted}]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_mtls_is_a_unix_socket(mesh: EmbeddedMesh, name: str) -> None:
    """The service, what it calls through, and Envoy's own interface."""
    read = sidecar(mesh, name)
    egress = next(o for o in read["static_resources"]["listeners"] if o["name"] == "egress")
    own = clusters(read)["service"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]

    for address in (egress["address"], read["admin"]["address"], own["endpoint"]["address"]):
        assert list(address) == ["pipe"]
    assert egress["address"]["pipe"]["mode"] == read["admin"]["address"]["pipe"]["mode"] == 0o600


@pytest.mark.parametrize("name", NAMES)
def test_nothing_passes_before_the_policies(
    mesh: EmbeddedMesh, environment: str, name: str
) -> None:
    """Faults are asked for after them, in development alone."""
    filters = [
        one["name"].rpartition(".")[2]
        for one in manager(sidecar(mesh, name), "ingress")["http_filters"]
    ]

    assert filters == ["rbac", *(["fault"] if environment == "development" else []), "router"]
    assert manager(sidecar(mesh, name), "ingress")["forward_client_cert_details"] == "SANITIZE_SET"


def test_what_may_be_sent_again_is_what_its_proto_says(mesh: EmbeddedMesh) -> None:
    """Reads when they fail, idempotent writes when unavailable, others when they never arrived."""
    wanted = {
        Repetition.UNKNOWN: set(),
        Repetition.IDEMPOTENT: {"unavailable"},
        Repetition.NO_SIDE_EFFECTS: {"unavailable", "reset"},
    }
    always = {"connect-failure", "refused-stream", "reset-before-request"}
    by_path = {m.path: m for found in methods().values() for m in found.values()}
    seen = 0
    for name in NAMES:
        for route in routes(sidecar(mesh, name), "egress"):
            level = by_path[route["match"]["path"]].repetition
            assert (
                set(route["route"]["retry_policy"]["retry_on"].split(",")) == always | wanted[level]
            )
            seen += 1
    assert seen > 20


@pytest.mark.parametrize("name", NAMES)
def test_every_route_has_an_end(mesh: EmbeddedMesh, name: str) -> None:
    """By the caller's deadline, and a longest one, which is longer than the service's own."""
    streams = {m.path for found in methods().values() for m in found.values() if m.answers_stream}
    read = sidecar(mesh, name)
    found = [*routes(read, "ingress"), *routes(read, "egress")]

    assert found
    for route in found:
        told = route["route"]["max_stream_duration"]
        wanted = "3700s" if route["match"].get("path") in streams else "36s"
        assert route["route"]["timeout"] == "0s"
        assert told == {"max_stream_duration": wanted, "grpc_timeout_header_max": wanted}


@pytest.mark.parametrize("name", NAMES)
def test_only_operators_say_who_the_operator_is(mesh: EmbeddedMesh, name: str) -> None:
    """Every other route takes the header off; which it is says the certificate."""
    found = routes(sidecar(mesh, name), "ingress")

    assert found
    for route in found:
        said = [one["string_match"] for one in route["match"].get("headers", [])]
        if said:
            assert said == [{"suffix": ";URI=spiffe://paymesh.local/ns/paymesh/sa/operators"}]
        assert route.get("request_headers_to_remove", []) == (
            [] if said else ["x-paymesh-operator"]
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_service_calls_those_of_the_table_alone(mesh: EmbeddedMesh, name: str) -> None:
    """What it may not call it has no address of."""
    peers = next(set(s.peers.values()) for s in SERVICES if s.name == name)

    assert set(clusters(sidecar(mesh, name))) == {"service", *peers}


@pytest.mark.parametrize("name", NAMES)
def test_one_healthy_host_stays(mesh: EmbeddedMesh, name: str) -> None:
    """It is never taken out for what the service answers; a dead one gets no traffic."""
    for peer, one in clusters(sidecar(mesh, name)).items():
        breakers = one["circuit_breakers"]["thresholds"][0]
        assert breakers["retry_budget"]["budget_percent"] == {"value": 20}
        if peer == "service":
            continue
        outliers = one["outlier_detection"]
        assert outliers["split_external_local_origin_errors"] is True
        assert {v for k, v in outliers.items() if "5xx" in k or "gateway" in k or "rate" in k} == {
            0
        }
        assert one["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
        assert one["health_checks"][0]["grpc_health_check"] == {}


def test_a_secret_has_a_file_of_its_own_and_its_folder_is_watched(
    mesh: EmbeddedMesh, state: State
) -> None:
    """Two in one file are refused at run time; unwatched they would never change."""
    for name in NAMES:
        folder = mesh.identity(name).secrets
        for file in ("certificate.yaml", "roots.yaml"):
            (secret,) = yaml.safe_load((folder / file).read_text())["resources"]
            (content,) = [v for v in secret.values() if isinstance(v, dict)]
            assert content["watched_directory"] == {"path": str(mesh.certificates.workload(name))}


def test_a_long_path_gets_short_sockets(tmp_path: Path) -> None:
    """The kernel refuses a unix socket's path of more than 107 bytes."""
    deep = State(tmp_path / ("x" * 100))

    folder = socket_folder(deep)

    assert len(f"{folder}/payment_svc.admin.sock") <= 107
    assert folder != socket_folder(State(tmp_path / ("y" * 100)))
    assert socket_folder(State(Path("/tmp/short"))) == Path("/tmp/short/run")


def test_a_folder_that_others_enter_is_refused(tmp_path: Path) -> None:
    """As is a link that somebody has put there."""
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("open", "link"):
        with pytest.raises(StackError, match="not ours alone"):
            make_private(tmp_path / name)
    make_private(tmp_path / "own")
    make_private(tmp_path / "own")
