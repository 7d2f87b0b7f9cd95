"""The pods of the manifests: what they may do, what they name, which secrets they know, how they
end.
"""

import pytest

from devstack.k8s.jobs import AUDIT_DAILY
from devstack.mesh.identities import AUDIT, EDGE, OPERATORS
from psp_gateway.http_client import Timeouts
from tests.contract.committed_manifests import DOCUMENTS, NAMES, PODS, containers, kinds, named

PSP_TIMEOUT_S = Timeouts().total_s


def test_no_bank_is_given_to_a_gateway_of_two_pods() -> None:
    """Its files leave by a disk of one pod alone: there is none, and nothing that asks for one."""
    (gateway,) = (d for d in DOCUMENTS if named(d) == "Deployment psp-gateway")
    pod = gateway["spec"]["template"]
    told = {env["name"] for one in containers(pod) for env in one.get("env", [])}

    assert gateway["spec"]["replicas"] > 1
    assert {name for name in told if name.startswith("BANK_")} == set()
    assert not any("persistentVolumeClaim" in volume for volume in pod["spec"]["volumes"])
    assert not any("envFrom" in one for one in containers(pod))


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
