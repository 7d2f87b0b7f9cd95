"""The rules of the mesh hold for every Envoy, embedded and in a cluster; and each rule sees what
breaks it.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from paymesh.ledger.v1 import ledger_service_pb2
from paymesh.payment.v1 import psp_event_service_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2
from paymesh.risk.v1 import risk_service_pb2
from paymesh.wallet.v1 import wallet_service_pb2

from chassis.channel import retryable_methods
from devstack import edge
from devstack.k8s import manifests
from devstack.mesh.contracts import Repetition
from devstack.mesh.embedded import EmbeddedMesh
from devstack.ports import default_ports
from devstack.services import SERVICES
from devstack.state import State
from tests.contract import deadlines, mesh_rules
from tests.contract.mesh_plants import EDGE, PLANTED, SIDECAR
from tests.contract.mesh_rules import BY_PATH, Json, Rule

FILES = (ledger_service_pb2, psp_event_service_pb2, psp_gateway_service_pb2, risk_service_pb2)
FILES += (wallet_service_pb2,)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Json]:
    """Every configuration of the embedded stack, by name."""
    state = State(tmp_path_factory.mktemp("mesh"))
    state.prepare()
    found = {}
    for environment in ("development", "production"):
        mesh = EmbeddedMesh(state, default_ports(), environment)
        (state.folder / "envoy").mkdir(exist_ok=True)
        for service in SERVICES:
            command = list(mesh.sidecar(service.name).command)
            found[f"{service.name} {environment}"] = Path(
                command[command.index("-c") + 1]
            ).read_text()
        for name, behind in (("with", mesh), ("without", None)):
            file = edge.render(state, default_ports(), environment, behind)
            found[f"edge {name} a mesh {environment}"] = file.read_text()
        file = edge.render(state, default_ports(), environment, mesh, certificate=state.folder)
        found[f"edge by TLS {environment}"] = file.read_text()
    return {name: yaml.load(text, yaml.CSafeLoader) for name, text in found.items()}


@pytest.fixture(scope="module")
def cluster() -> Mapping[str, Json]:
    """Every configuration in the committed manifests, by name."""
    documents = [
        document
        for file in manifests.FOLDER.glob("*.yaml")
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader)
        if document["kind"] == "ConfigMap"
    ]
    assert len(documents) == len(SERVICES) + 2
    return {
        d["metadata"]["name"]: yaml.load(d["data"]["envoy.yaml"], yaml.CSafeLoader)
        for d in documents
    }


def broken(rule: Rule, configurations: Mapping[str, Json]) -> list[str]:
    """Tell what breaks a rule, and where."""
    return [f"{name}: {what}" for name, read in configurations.items() for what in rule(read)]


@pytest.mark.parametrize("rule", mesh_rules.EMBEDDED, ids=lambda rule: rule.__name__)
def test_the_embedded_stack_obeys(rule: Rule, embedded: Mapping[str, Json]) -> None:
    """With the mesh and without, by TLS and in clear, in development and in production."""
    assert len(embedded) == 2 * (len(SERVICES) + 3)
    assert broken(rule, embedded) == []


@pytest.mark.parametrize("rule", mesh_rules.EVERYWHERE, ids=lambda rule: rule.__name__)
def test_the_cluster_obeys(rule: Rule, cluster: Mapping[str, Json]) -> None:
    """Every Envoy of the committed manifests."""
    assert broken(rule, cluster) == []


@pytest.mark.parametrize(
    ("rule", "where", "plant"),
    PLANTED,
    ids=[p.__name__.removeprefix("plant_") for _, _, p in PLANTED],
)
def test_a_planted_violation_is_seen(
    rule: Rule, where: str, plant: Callable[[Json], None], embedded: Mapping[str, Json]
) -> None:
    """Of each rule at least one, and the rule alone tells it from what was there before."""
    read = copy.deepcopy(embedded[where])
    assert list(rule(read)) == []
    plant(read)
    assert list(rule(read)) != []


def test_every_rule_has_a_planted_violation() -> None:
    """None is believed to see what nobody has shown it."""
    assert {rule for rule, _, _ in PLANTED} == set(mesh_rules.EMBEDDED)


def test_clients_send_again_only_what_may_be() -> None:
    """By the protos, whatever channel is opened; and a write among it is seen."""
    services = [one for file in FILES for one in file.DESCRIPTOR.services_by_name.values()]
    named = retryable_methods(services)
    write = next(m for m in BY_PATH.values() if m.repetition is Repetition.UNKNOWN)
    writing = {"service": write.service, "method": write.name}

    assert len(named) > len(services)
    assert list(mesh_rules.clients_sending_writes_again(named)) == []
    assert list(mesh_rules.clients_sending_writes_again([*named, writing])) != []


@pytest.fixture(scope="module")
def told() -> Mapping[str, deadlines.Deadline]:
    """The page of deadlines."""
    return deadlines.page(deadlines.PAGE.read_text())


@pytest.mark.parametrize("where", ["embedded", "cluster"])
def test_the_page_of_deadlines_is_the_configuration(
    where: str, told: Mapping[str, deadlines.Deadline], request: pytest.FixtureRequest
) -> None:
    """Every deadline is in it, and is what Envoy and the services are set to, in both places."""
    found: Mapping[str, Json] = request.getfixturevalue(where)
    outside = "edge-envoy" if where == "cluster" else EDGE
    sidecars = [name for name in found if "edge" not in name or "edge_auth" in name]
    wanted = {name: deadline.seconds for name, deadline in told.items()}
    request, stream = wanted["sidecar, a request"], wanted["sidecar, a stream"]
    assert all(deadlines.caps(found[name]) <= {request, stream} for name in sidecars)
    (whole,) = (name for name in sidecars if name in (SIDECAR, "payment-svc-envoy"))
    assert deadlines.measured(found[outside], found[whole]) == wanted


def test_every_deadline_is_inside_its_callers(told: Mapping[str, deadlines.Deadline]) -> None:
    """Down to the PSP, where the gateway answers before and goes on."""
    assert deadlines.violations(told) == []


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("payment_svc, a call to another service", {"seconds": 40.0}),
        ("psp_gateway, an answer", {"seconds": 12.0}),
        ("psp_gateway, a request to Stripe", {"how": "before"}),
        ("psp_gateway, a request to Adyen", {"waits_for_it": "edge, REST"}),
        ("edge_auth, a check", {"waits_for_it": "nobody"}),
        ("service, a request", {"seconds": 37.0}),
        ("payment_svc, `Prefer: wait`", {"how": "somehow"}),
    ],
)
def test_a_deadline_outside_its_callers_is_seen(
    name: str, planted: Mapping[str, Any], told: Mapping[str, deadlines.Deadline]
) -> None:
    """Whether it is too long, waits behind nothing, or is not said to stand to anything."""
    wrong = deadlines.violations({**told, name: replace(told[name], **planted)})

    assert any(each.startswith(f"{name}: ") for each in wrong)
