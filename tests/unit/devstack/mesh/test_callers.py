"""Who may call what: the table against the protos, and Envoy's policies against the table."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from devstack.mesh.callers import TABLE, Callers, InvalidCallers, read_callers
from devstack.mesh.contracts import Method, methods
from devstack.mesh.identities import DEVELOPMENT, WORKLOADS
from devstack.mesh.policies import policies
from devstack.services import SERVICES

METHODS = [method for found in methods().values() for method in found.values()]
TOLD: Mapping[str, Any] = yaml.safe_load(TABLE.read_text())
STRANGERS = [
    DEVELOPMENT.workload("rogue"),
    DEVELOPMENT.operator("ada"),
    "spiffe://elsewhere.example/ns/paymesh/sa/payment_svc",
    DEVELOPMENT.workload("payment_svc") + "x",
    "",
]


def matches(matcher: Mapping[str, str], value: str) -> bool:
    """Match as Envoy does; an empty value is that of who has no certificate."""
    (kind, wanted), *more = matcher.items()
    assert not more
    return {"exact": value == wanted, "prefix": value.startswith(wanted)}[kind]


def lets_in(rendered: Mapping[str, Any], caller: str, path: str) -> bool:
    """Decide as Envoy's RBAC filter does by rendered policies: any that fits, else no."""
    return any(
        any(matches(p["url_path"]["path"], path) for p in policy["permissions"])
        and any(
            caller and matches(p["authenticated"]["principal_name"], caller)
            for p in policy["principals"]
        )
        for policy in rendered.values()
    )


def wanted(service: str, method: Method) -> set[str]:
    """Read off the table itself who may call a method at a service."""
    rows = TOLD.get(service, {}).get(method.service, {})
    return {*rows.get("*", ()), *rows.get(method.name, ())}


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
@pytest.mark.parametrize("in_development", [False, True])
def test_each_pair_is_decided_as_the_table_says(service: str, *, in_development: bool) -> None:
    """Every caller and every method of all protos, other services' too; no stranger, ever."""
    callers = read_callers(in_development=in_development)
    rendered = json.loads(json.dumps(policies(callers.of(service), DEVELOPMENT)))

    wrong = []
    for method in METHODS:
        allowed = wanted(service, method)
        wrong += [
            (name, method.path)
            for name in WORKLOADS
            if lets_in(rendered, DEVELOPMENT.workload(name), method.path) != (name in allowed)
        ]
        wrong += [(who, method.path) for who in STRANGERS if lets_in(rendered, who, method.path)]

    assert wrong == []


@pytest.mark.parametrize("path", ["/", "/paymesh.ledger.v1.LedgerService/Unheard", "/quitquitquit"])
def test_what_is_in_no_row_is_refused(path: str) -> None:
    """Nobody may call what the table does not name."""
    rendered = policies(read_callers(in_development=False).of("ledger_svc"), DEVELOPMENT)

    assert not [w for w in WORKLOADS if lets_in(rendered, DEVELOPMENT.workload(w), path)]


def test_health_is_for_everybody_in_the_mesh_and_reflection_for_development() -> None:
    """In production nobody asks a service for its protos."""
    health, reflection = (
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/x",
    )
    edge, risk = DEVELOPMENT.workload("edge"), DEVELOPMENT.workload("risk_svc")
    for in_development in (False, True):
        rows = read_callers(in_development=in_development).of("ledger_svc")
        rendered = policies(rows, DEVELOPMENT)
        assert lets_in(rendered, risk, health)
        assert not lets_in(rendered, DEVELOPMENT.operator("ada"), health)
        assert lets_in(rendered, edge, reflection) is in_development
        assert not lets_in(rendered, risk, reflection)


def test_every_method_of_the_protos_is_in_the_table() -> None:
    """It was read, so none is missing; a table without one is refused and names it."""
    read_callers(in_development=False)
    broken = yaml.safe_load(TABLE.read_text())
    del broken["risk_svc"]["paymesh.risk.v1.RiskService"]["GetAssessment"]

    with pytest.raises(InvalidCallers, match=r"nothing of /paymesh.risk.v1.RiskService/GetAss"):
        Callers(broken, in_development=False)


@pytest.mark.parametrize(
    ("service", "grpc_service", "row", "told"),
    [
        ("risk_svc", "paymesh.risk.v1.RiskService", {"GetAsessment": ["edge"]}, "there is no"),
        ("risk_svc", "paymesh.risk.v1.RiskServices", {"*": ["edge"]}, "there is no"),
        (
            "risk_svc",
            "paymesh.risk.v1.RiskService",
            {"GetAssessment": ["egde"]},
            "nobody is called",
        ),
        ("risks", "paymesh.risk.v1.RiskService", {"GetAssessment": ["edge"]}, "no service risks"),
    ],
)
def test_a_name_that_is_none_is_refused(
    service: str, grpc_service: str, row: Mapping[str, Any], told: str
) -> None:
    """A typing error would silently allow nothing, or nobody."""
    broken = yaml.safe_load(TABLE.read_text())
    broken.setdefault(service, {}).setdefault(grpc_service, {}).update(row)

    with pytest.raises(InvalidCallers, match=told):
        Callers(broken, in_development=False)


def test_whoever_may_call_is_there_to_call() -> None:
    """Every edge of the call graph is in services.py, which tells its address; and the reverse."""
    callers = read_callers(in_development=False)
    names = [service.name for service in SERVICES]
    allowed = {(a, b) for a in names for b in names if callers.calls(a, b)}

    assert allowed == {(s.name, peer) for s in SERVICES for peer in s.peers.values()}
