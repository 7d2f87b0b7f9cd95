"""The committed manifests as they stand: objects by kind, pods, and what selectors select."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from devstack.k8s import manifests
from devstack.k8s.names import dns
from devstack.services import SERVICES

Json = dict[str, Any]
KUSTOMIZATION = "kustomization.yaml"
DOCUMENTS: list[Json] = [
    document
    for file in sorted(manifests.FOLDER.glob("*.yaml"))
    if file.name != KUSTOMIZATION
    for document in yaml.load_all(file.read_text(), yaml.CSafeLoader)
]
NAMES = [dns(service.name) for service in SERVICES]


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
