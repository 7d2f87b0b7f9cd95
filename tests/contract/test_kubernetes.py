"""The manifests: by the schemas of Kubernetes, against each other, and against the tables that they
are made of.
"""

import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from devstack.envoy import binary
from devstack.k8s import manifests
from devstack.k8s.__main__ import main as command
from devstack.k8s.jobs import AUDIT_DAILY
from devstack.k8s.names import DOMAIN, NAMESPACE, USER, dns
from devstack.k8s.told import TOLD
from devstack.mesh.callers import ALL, read_callers
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.identities import AUDIT, EDGE, OPERATORS, WORKLOADS
from devstack.services import SERVICES
from devstack.state import reachable_folder
from psp_gateway.http_client import Timeouts

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("1.33", "1.37")
KUSTOMIZATION = "kustomization.yaml"
DOCUMENTS: list[Json] = [
    document
    for file in sorted(manifests.FOLDER.glob("*.yaml"))
    if file.name != KUSTOMIZATION
    for document in yaml.load_all(file.read_text(), yaml.CSafeLoader)
]
NAMES = [dns(service.name) for service in SERVICES]
CALLERS = read_callers(in_development=False)
PSP_TIMEOUT_S = Timeouts().total_s


def kinds(kind: str) -> dict[str, Json]:
    """List the objects of a kind, by name."""
    return {d["metadata"]["name"]: d for d in DOCUMENTS if d["kind"] == kind}


def templates() -> Iterator[tuple[str, Json]]:
    """List the templates of all pods."""
    for document in DOCUMENTS:
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield f"{document['kind']} {document['metadata']['name']}", spec["template"]


PODS = dict(templates())


def containers(pod: Json) -> list[Json]:
    """List all containers of a pod, sidecars too."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def named(document: Json) -> str:
    """Name a document."""
    return f"{document['kind']} {document['metadata']['name']}"


def fits(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Tell whether a selector selects what has these labels."""
    return selector.items() <= labels.items()


def pods_of(selector: Mapping[str, str]) -> set[str]:
    """Name the pods that a selector selects."""
    return {n for n, pod in PODS.items() if fits(pod["metadata"]["labels"], selector)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_kubernetes_takes_it(document: Json, version: str) -> None:
    """By its schemas, with nothing that they do not know."""
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_do_refuse() -> None:
    """A misspelt field in the depth of a pod does not pass."""
    (document,) = (d for d in DOCUMENTS if named(d) == "Deployment ledger-svc")
    broken = yaml.safe_load(yaml.safe_dump(document))
    broken["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_the_committed_files_are_what_is_made(tmp_path: Path) -> None:
    """And a change by hand, a file too many and one too few are told."""
    assert manifests.stale() == []
    manifests.write(tmp_path)
    (tmp_path / "edge.yaml").write_text("")
    (tmp_path / "stranger.yaml").write_text("")
    (tmp_path / "audit.yaml").unlink()
    assert manifests.stale(tmp_path) == ["audit.yaml", "edge.yaml", "stranger.yaml"]
    manifests.write(tmp_path)
    assert manifests.stale(tmp_path) == []


def test_proxies_are_trusted_only_where_somebody_says_so(tmp_path: Path) -> None:
    """Nobody is in what is committed; with a number the edge alone differs, and by it."""
    manifests.write(tmp_path, trusted_proxies=2)

    assert manifests.stale(tmp_path, trusted_proxies=2) == []
    assert manifests.stale(tmp_path) == ["edge.yaml"]
    base, mine = ((f / "edge.yaml").read_text() for f in (manifests.FOLDER, tmp_path))
    assert base.count("xff_num_trusted_hops: 0\n") == 1
    assert mine.count("xff_num_trusted_hops: 2\n") == 1
    without = [
        [line for line in text.splitlines() if "xff_num" not in line and "checksum" not in line]
        for text in (base, mine)
    ]
    assert without[0] == without[1]


def test_the_committed_files_are_not_written_for_proxies(tmp_path: Path) -> None:
    """They would drift: who has a balancer names a folder of his own."""
    for wrong in (["--trusted-proxies", "1"], ["--trusted-proxies", "-1", "--into", str(tmp_path)]):
        with pytest.raises(SystemExit):
            command(wrong)

    assert command(["--trusted-proxies", "1", "--into", str(tmp_path)]) == 0
    assert command(["--trusted-proxies", "1", "--into", str(tmp_path), "--check"]) == 0
    assert command(["--into", str(tmp_path), "--check"]) == 1
    assert manifests.stale() == []


def test_no_bank_is_given_to_a_gateway_of_two_pods() -> None:
    """Its files leave by a disk of one pod alone: there is none, and nothing that asks for one."""
    (gateway,) = (d for d in DOCUMENTS if named(d) == "Deployment psp-gateway")
    pod = gateway["spec"]["template"]
    told = {env["name"] for one in containers(pod) for env in one.get("env", [])}

    assert gateway["spec"]["replicas"] > 1
    assert {name for name in told if name.startswith("BANK_")} == set()
    assert not any("persistentVolumeClaim" in volume for volume in pod["spec"]["volumes"])
    assert not any("envFrom" in one for one in containers(pod))


def test_kustomize_is_told_of_every_file() -> None:
    """Of each once, the namespace first."""
    read = yaml.safe_load((manifests.FOLDER / KUSTOMIZATION).read_text())
    there = {file.name for file in manifests.FOLDER.iterdir()} - {KUSTOMIZATION}

    assert sorted(read["resources"]) == sorted(there)
    assert read["resources"][0] == "namespace.yaml"


def test_no_object_is_there_twice() -> None:
    """All have a name of their own in the one namespace, whose pods are held to be harmless."""
    keys = [named(document) for document in DOCUMENTS]
    (namespace,) = kinds("Namespace").values()

    assert sorted(keys) == sorted(set(keys))
    assert {d["metadata"].get("namespace") for d in DOCUMENTS} == {None, NAMESPACE}
    assert namespace["metadata"]["name"] == NAMESPACE == DOMAIN.namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_service_is_there() -> None:
    """With its pods, its address, its account, its budget, its policy and its migrations."""
    for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"):
        assert {*NAMES, EDGE} <= set(kinds(kind)), kind
    assert {f"migrate-{name}" for name in NAMES} == set(kinds("Job"))
    assert set(kinds("CronJob")) == {AUDIT, AUDIT_DAILY}
    assert set(TOLD) == {service.name for service in SERVICES}


@pytest.mark.parametrize("name", PODS)
def test_no_pod_may_do_more_than_it_must(name: str) -> None:
    """Nobody is root or becomes it; nothing is written but memory; the API of the cluster is not
    spoken to.
    """
    spec = PODS[name]["spec"]
    own = spec["securityContext"]

    assert own["runAsNonRoot"] is True
    assert own["runAsUser"] > 0
    assert own["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for container in containers(PODS[name]):
        context = container["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for part in ("requests", "limits"):
            assert container["resources"][part].keys() == {"cpu", "memory"}
    for volume in spec["volumes"]:
        assert volume.keys() - {"name"} <= {"emptyDir", "configMap", "secret"}
        assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_names_is_there(name: str) -> None:
    """Its account, its ConfigMaps and their keys, its volumes, its ports; Secrets by name alone."""
    spec = PODS[name]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    ports = {port["name"] for c in containers(PODS[name]) for port in c.get("ports", [])}
    numbers = {p["containerPort"] for c in containers(PODS[name]) for p in c.get("ports", [])}

    assert spec["serviceAccountName"] in kinds("ServiceAccount")
    mounted = [mount for c in containers(PODS[name]) for mount in c["volumeMounts"]]
    assert {mount["name"] for mount in mounted} == set(volumes)
    for volume in volumes.values():
        if "configMap" in volume:
            data = kinds("ConfigMap")[volume["configMap"]["name"]]["data"]
            assert {item["key"] for item in volume["configMap"]["items"]} == set(data)
    for container in containers(PODS[name]):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for asked in (
                container.get(probe, {}).get("httpGet"),
                container.get(probe, {}).get("grpc"),
            ):
                assert asked is None or asked["port"] in ports | numbers
        assert container["image"].partition(":")[0] in {"paymesh/services", "paymesh/envoy"}


def test_no_secret_is_written_down() -> None:
    """There is no Secret in the manifests, and no setting that looks like one."""
    assert kinds("Secret") == {}
    for pod in PODS.values():
        for container in containers(pod):
            for variable in container.get("env", []):
                if variable["name"].endswith(("_KEY", "_KEYS", "_SECRET", "_URL", "_PASSWORD")):
                    assert "secretKeyRef" in variable.get("valueFrom", {}), variable["name"]


def test_a_secret_is_known_to_one_pod() -> None:
    """To the one whose account has its name; passwords of owners to migrations alone."""
    readers: dict[str, set[str]] = {}
    for pod in PODS.values():
        account = pod["spec"]["serviceAccountName"]
        for container in containers(pod):
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    readers.setdefault(reference["name"], set()).add(account)
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                readers.setdefault(volume["secret"]["secretName"], set()).add(account)

    own = {name: {name} for name in [*NAMES, "migrations"]}
    public = {"clients-certificate": {EDGE}}
    certificates = {f"{name}-certificate": {name} for name in [*NAMES, EDGE, AUDIT]}
    assert readers == {**own, **certificates, f"{OPERATORS}-certificate": {EDGE}, **public}


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


@pytest.mark.parametrize("name", [*NAMES, EDGE])
def test_a_pod_has_time_to_end(name: str) -> None:
    """Its grace is longer than the pause before the signal and the drain after it together; the
    gateway's drain is longer than a request to a PSP.
    """
    spec = PODS[f"Deployment {name}"]["spec"]
    (own,) = spec["containers"]
    told = {variable["name"]: variable.get("value") for variable in own.get("env", [])}
    before = own["lifecycle"]["preStop"]
    pause_s = (
        before["sleep"]["seconds"] if "sleep" in before else float(before["exec"]["command"][-1])
    )

    assert spec["terminationGracePeriodSeconds"] > pause_s + float(told.get("DRAIN_S") or 0)
    if name == "psp-gateway":
        assert float(told["DRAIN_S"] or 0) > PSP_TIMEOUT_S


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


def test_each_hour_what_is_new_is_audited_and_each_day_everything() -> None:
    """What runs each hour does not grow with the ledger; both end before the next begins."""
    jobs = {name: job["spec"] for name, job in kinds("CronJob").items()}
    commands = {name: containers(PODS[f"CronJob {name}"])[-1]["command"][4:] for name in jobs}
    deadlines = {
        name: spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] for name, spec in jobs.items()
    }

    assert commands == {
        AUDIT: ["--since", "25h", "--since-checkpoint"],
        AUDIT_DAILY: ["--since", "1970-01-01"],
    }
    assert {name: spec["schedule"].split()[1:] for name, spec in jobs.items()} == {
        AUDIT: ["*", "*", "*", "*"],
        AUDIT_DAILY: ["2", "*", "*", "*"],
    }
    assert deadlines[AUDIT] < 3600 < deadlines[AUDIT_DAILY] < 24 * 3600
    assert all(spec["concurrencyPolicy"] == "Forbid" for spec in jobs.values())


def test_images_are_of_what_is_locked() -> None:
    """Their tags are the versions of the project and of Envoy; they run as the pods do, from files
    that are there, and name no place that packages come from.
    """
    text = (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    locked = (ROOT / "requirements" / "envoy.lock").read_text().split()[0].partition("==")[2]
    used = {container["image"] for pod in PODS.values() for container in containers(pod)}
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]

    assert used == {f"paymesh/services:{project}", f"paymesh/envoy:{locked}"}
    assert all(f"-t {image} " in text for image in used)
    assert text.count(f"\nUSER {USER}:{USER}\n") == 2
    assert "://" not in text
    for sources in copied:
        assert all(
            (ROOT / s).exists() for s in sources if not any(x.startswith("--") for x in sources)
        )


@pytest.mark.parametrize("name", ["image", "envoy", "build"])
def test_images_hold_what_was_tested(name: str) -> None:
    """Every package is of the version in the lock that tests run with, and known by its hash."""
    lock = (ROOT / "requirements" / f"{name}.lock").read_text()
    tested = (ROOT / "requirements" / "development.lock").read_text()
    pins = re.findall(r"^([a-z0-9.-]+(?:\[[a-z,]+\])?)==([^ ;\\]+)(.*)", lock, re.MULTILINE)

    assert pins
    for package, version, condition in pins:
        if "win32" not in condition:
            assert f"\n{package}=={version} " in f"\n{tested}", package
    assert lock.count("--hash=sha256:") >= len(pins)
