"""The files of k8s/base."""

from collections.abc import Mapping
from pathlib import Path

from devstack.k8s import jobs, network, workloads
from devstack.k8s.names import NAMESPACE, Json, dns
from devstack.k8s.written import documents
from devstack.mesh.callers import Callers, read_callers
from devstack.services import SERVICES

FOLDER = Path(__file__).resolve().parents[2] / "k8s" / "base"
_HEAD = "Made by `python -m devstack.k8s`, not by hand: of services, callers, Envoy's templates."
_RESTRICTED = "restricted"


def files(trusted_proxies: int = 0) -> Mapping[str, str]:
    """Write every file, by name; `trusted_proxies` stand between clients and the edge."""
    callers = read_callers(in_development=False)
    found = {"namespace.yaml": [_namespace()], **_found(callers, trusted_proxies)}
    found["kustomization.yaml"] = [_kustomization(list(found))]
    return {name: documents(_HEAD, written) for name, written in found.items()}


def stale(folder: Path = FOLDER, *, trusted_proxies: int = 0) -> list[str]:
    """List the files that are not as they would be written, or should not be there."""
    wanted = files(trusted_proxies)
    there = {file.name: file.read_text() for file in folder.glob("*") if file.is_file()}
    return sorted(n for n in {*wanted, *there} if wanted.get(n) != there.get(n))


def write(folder: Path = FOLDER, *, trusted_proxies: int = 0) -> None:
    """Write them, and remove what should not be there."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = files(trusted_proxies)
    for name in {file.name for file in folder.glob("*") if file.is_file()} - set(wanted):
        (folder / name).unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content)


def _found(callers: Callers, trusted_proxies: int) -> Mapping[str, list[Json]]:
    services = {
        f"{dns(service.name)}.yaml": workloads.service(service, callers) for service in SERVICES
    }
    return {
        "network.yaml": network.policies(callers),
        "migrations.yaml": jobs.migrations(),
        **services,
        "edge.yaml": workloads.edge(trusted_proxies),
        "audit.yaml": jobs.audit(callers),
    }


def _namespace() -> Json:
    kept = {
        f"pod-security.kubernetes.io/{way}": _RESTRICTED for way in ("enforce", "audit", "warn")
    }
    versions = {f"{way}-version": "latest" for way in kept}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "paymesh", **kept, **versions},
        },
    }


def _kustomization(resources: list[str]) -> Json:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
