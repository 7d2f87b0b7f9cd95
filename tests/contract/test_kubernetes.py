"""The manifests: by the schemas of Kubernetes, against what they are made of, and each object there
once, with images of what is locked.
"""

import re
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from devstack.k8s import manifests
from devstack.k8s.__main__ import main as command
from devstack.k8s.jobs import AUDIT_DAILY
from devstack.k8s.names import DOMAIN, NAMESPACE, USER
from devstack.k8s.told import TOLD
from devstack.mesh.identities import AUDIT, EDGE
from devstack.services import SERVICES
from tests.contract.committed_manifests import (
    DOCUMENTS,
    KUSTOMIZATION,
    NAMES,
    PODS,
    Json,
    containers,
    kinds,
    named,
)

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("1.33", "1.37")


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
