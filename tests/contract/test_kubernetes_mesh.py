"""The mesh of the manifests: accounts, selectors and policies against the table of callers, and
Envoys.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.envoy import binary
from devstack.k8s.jobs import AUDIT_DAILY
from devstack.k8s.names import DOMAIN, NAMESPACE, dns
from devstack.mesh.callers import ALL, read_callers
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.identities import AUDIT, EDGE, OPERATORS, WORKLOADS
from devstack.services import SERVICES
from devstack.state import reachable_folder
from tests.contract.committed_manifests import NAMES, PODS, containers, fits, kinds, pods_of

ROOT = Path(__file__).resolve().parents[2]
CALLERS = read_callers(in_development=False)


def test_accounts_are_the_ends_of_spiffe_ids() -> None:
    """Every workload of the mesh has one, whose name is the last part of its SPIFFE id, and every
    caller of the table is one of them.
    """
    accounts = set(kinds("ServiceAccount"))
    rows = [row for service in SERVICES for row in CALLERS.of(service.name)]

    assert accounts - {"migrations"} == {dns(name) for name in WORKLOADS}
    for name in WORKLOADS:
        assert DOMAIN.workload(name) == f"spiffe://paymesh.local/ns/{NAMESPACE}/sa/{dns(name)}"
    assert {c for row in rows for c in row.callers} - {ALL} <= set(WORKLOADS)
    for name in (*NAMES, EDGE, AUDIT):
        pod = PODS[f"{'CronJob' if name == AUDIT else 'Deployment'} {name}"]
        assert pod["spec"]["serviceAccountName"] == name


def test_selectors_select_the_pods_that_are_meant() -> None:
    """Of Deployments, Services, budgets and spreads: those of the same name and no other."""
    for name, document in kinds("Deployment").items():
        selector = document["spec"]["selector"]["matchLabels"]
        assert pods_of(selector) == {f"Deployment {name}"}
        for spread in PODS[f"Deployment {name}"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == selector
        assert kinds("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == selector
    for name, document in kinds("Service").items():
        meant = EDGE if name == OPERATORS else name
        assert pods_of(document["spec"]["selector"]) == {f"Deployment {meant}"}
        there = {p["name"] for c in containers(PODS[f"Deployment {meant}"]) for p in c["ports"]}
        assert {port["targetPort"] for port in document["spec"]["ports"]} <= there


def reached(way: str, pod: str, port: int) -> set[str]:
    """Name the pods that a pod may reach, or be reached by, at a port, as the policies say."""
    found: set[str] = set()
    for policy in kinds("NetworkPolicy").values():
        if not fits(
            PODS[pod]["metadata"]["labels"], policy["spec"]["podSelector"].get("matchLabels", {})
        ):
            continue
        for rule in policy["spec"].get(way, []):
            assert rule["from" if way == "ingress" else "to"], "no peers would be everybody"
            if port in {each["port"] for each in rule["ports"]}:
                for peer in rule["from" if way == "ingress" else "to"]:
                    if peer.keys() == {"podSelector"}:
                        found |= pods_of(peer["podSelector"]["matchLabels"])
    return found


def test_everything_is_denied_first() -> None:
    """To every pod, both ways."""
    denied = kinds("NetworkPolicy")["default-deny"]["spec"]

    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_policies_are_the_table_of_callers(service: Any) -> None:
    """Who may call any method may connect, from both sides; nobody else may."""
    pod = f"Deployment {dns(service.name)}"
    callers = {c for row in CALLERS.of(service.name) for c in row.callers} - {ALL}
    wanted = {
        f"{'CronJob' if c == AUDIT else 'Deployment'} {dns(EDGE if c == OPERATORS else c)}"
        for c in callers
    } | ({f"CronJob {AUDIT_DAILY}"} if AUDIT in callers else set())

    assert reached("ingress", pod, 15443) == wanted
    assert {other for other in PODS if pod in reached("egress", other, 15443)} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_a_service_and_its_sidecar_share_their_sockets(name: str) -> None:
    """The sidecar is native, begins first, and reaches the service by what it listens on."""
    spec = PODS[f"Deployment {name}"]["spec"]
    (sidecar,) = spec["initContainers"]
    (own,) = spec["containers"]
    told = {variable["name"]: variable.get("value") for variable in own["env"]}
    envoy = yaml.safe_load(kinds("ConfigMap")[f"{name}-envoy"]["data"]["envoy.yaml"])
    clusters = {one["name"]: one for one in envoy["static_resources"]["clusters"]}
    listeners = {one["name"]: one for one in envoy["static_resources"]["listeners"]}
    (endpoint,) = clusters["service"]["load_assignment"]["endpoints"][0]["lb_endpoints"]

    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]
    assert told["LISTEN"] == f"unix:{endpoint['endpoint']['address']['pipe']['path']}"
    egress = f"unix:{listeners['egress']['address']['pipe']['path']}"
    assert {v for n, v in told.items() if n.endswith("_TARGET")} <= {egress}
    for container in (sidecar, own):
        assert any(mount["name"] == "sockets" for mount in container["volumeMounts"])
    ports = {port["name"]: port["containerPort"] for port in sidecar["ports"]}
    for listener, port in (("ingress", "mtls"), ("probes", "probes")):
        assert listeners[listener]["address"]["socket_address"]["port_value"] == ports[port]


def test_the_name_of_a_peer_is_its_service_and_its_certificate_its_account() -> None:
    """Whom a sidecar calls is a Service that is there, at its port, under its SPIFFE id."""
    seen = 0
    for config in kinds("ConfigMap").values():
        envoy = yaml.safe_load(config["data"]["envoy.yaml"])
        for cluster in envoy["static_resources"]["clusters"]:
            if "transport_socket" not in cluster:
                continue
            (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
            place = endpoint["endpoint"]["address"]["socket_address"]
            service, namespace, *_ = place["address"].split(".")
            (port,) = kinds("Service")[service]["spec"]["ports"]
            context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
            checked = context["combined_validation_context"]["default_validation_context"]
            (wanted,) = checked["match_typed_subject_alt_names"]
            assert (namespace, place["port_value"]) == (NAMESPACE, port["port"])
            assert wanted["matcher"] == {"exact": f"spiffe://paymesh.local/ns/paymesh/sa/{service}"}
            assert kinds("Service")[service]["spec"]["clusterIP"] == "None"
            seen += 1
    assert seen > len(SERVICES)


@pytest.mark.parametrize("name", [*NAMES, EDGE, AUDIT])
def test_envoy_accepts_its_configuration(name: str) -> None:
    """With every path moved into a folder that has what the cluster would mount."""
    data = kinds("ConfigMap")[f"{name}-envoy"]["data"]
    pod = PODS[f"{'CronJob' if name == AUDIT else 'Deployment'} {name}"]
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == "configuration")
    with reachable_folder("k8s-") as folder:
        made = Certificates(folder / "made")
        made.init(utc_now())
        moved = {"/etc/envoy": folder / "etc", "/run/paymesh": folder}
        moved |= {f"/etc/certificates/{dns(w)}": made.workload(w) for w in WORKLOADS}
        moved["/etc/certificates/clients"] = made.workload(EDGE)
        moved |= {
            "/usr/share/paymesh/openapi.json": ROOT / "docs" / "openapi.json",
            "/usr/share/paymesh/paymesh.binpb": ROOT / "stubs" / "paymesh.binpb",
        }
        for item in volume["configMap"]["items"]:
            file = folder / "etc" / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            text = data[item["key"]]
            for old, new in moved.items():
                text = text.replace(old, str(new))
            file.write_text(text)
        done = subprocess.run(
            [str(binary()), "--mode", "validate", "-c", str(folder / "etc" / "envoy.yaml")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_the_audit_reads_and_does_nothing_else() -> None:
    """It ends with what it found; it may call five methods, and lets nobody in."""
    (container,) = PODS[f"CronJob {AUDIT}"]["spec"]["containers"]
    told = {variable["name"]: variable["value"] for variable in container["env"]}
    envoy = yaml.safe_load(kinds("ConfigMap")["audit-envoy"]["data"]["envoy.yaml"])
    routes = {
        route["match"]["path"].rpartition("/")[2]
        for listener in envoy["static_resources"]["listeners"]
        if listener["name"] == "egress"
        for route in listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"][
            "virtual_hosts"
        ][0]["routes"]
    }

    assert container["command"][:3] == ["paymesh", "audit", "--without-psp-record"]
    assert set(told) == {
        f"{name}_TARGET" for name in ("PAYMENT", "WALLET", "LEDGER", "PSP", "EDGE_AUTH")
    }
    assert routes == {
        "GetTrialBalance", "VerifyLedger", "CompareWithLedger", "AuditPayments", "VerifyAuditLog",
    }  # fmt: skip
    assert {one["name"] for one in envoy["static_resources"]["listeners"]} == {"egress", "probes"}
