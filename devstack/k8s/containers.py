"""Containers and pods: nobody is root, nothing is written but what is mounted to be written."""

from collections.abc import Sequence

from devstack.k8s.envoys import mounted
from devstack.k8s.names import (
    ADMIN,
    CERTIFICATES,
    CONFIGURATION,
    ENVOY_IMAGE,
    METRICS,
    MTLS,
    PROBES,
    SERVICES_IMAGE,
    SOCKETS,
    USER,
    Json,
    certificate_secret,
    configuration_map,
    dns,
    metadata,
    selector,
)
from devstack.k8s.told import TOLD, environment
from devstack.mesh.probes import READY
from devstack.services import Service

# Callers ask the name service every five seconds, which itself remembers for five.
PAUSE_S = 12
MARGIN_S = 8
DRAINED_S = 36  # longer than any request at the edge, streams apart
LOCKED_DOWN: Json = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_SOCKETS_MOUNT: Json = {"name": "sockets", "mountPath": str(SOCKETS)}
_TMP_MOUNT: Json = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the pod's own


def service_container(service: Service) -> Json:
    """Write a service's own container; the kubelet asks for its health through its sidecar."""
    health = {"grpc": {"port": PROBES}, "timeoutSeconds": 2}
    return {
        "name": dns(service.name),
        "image": SERVICES_IMAGE,
        "command": ["python", "-m", service.name],
        "env": environment(service),
        "ports": [{"name": "metrics", "containerPort": METRICS}],
        "startupProbe": {**health, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**health, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
        # It is still called until everybody has learnt that it goes.
        "lifecycle": {"preStop": {"sleep": {"seconds": PAUSE_S}}},
        "resources": resources("250m", "256Mi", "1", "512Mi"),
        "securityContext": LOCKED_DOWN,
        "volumeMounts": [_SOCKETS_MOUNT, _TMP_MOUNT],
    }


def job_container(name: str, command: Sequence[str], env: Sequence[Json]) -> Json:
    """Write a container that does one thing and ends."""
    return {
        "name": name,
        "image": SERVICES_IMAGE,
        "command": list(command),
        "env": list(env),
        "resources": resources("100m", "256Mi", "1", "1Gi"),
        "securityContext": LOCKED_DOWN,
        "volumeMounts": [_TMP_MOUNT],
    }


def sidecar(workload: str) -> Json:
    """Write a native sidecar: it is ready before the service begins, and ends after it."""
    ports = [{"name": "probes", "containerPort": PROBES}]
    if workload in TOLD:
        ports.insert(0, {"name": "mtls", "containerPort": MTLS})
    return {**envoy(workload, (workload,), ports), "restartPolicy": "Always"}


def envoy(workload: str, identities: Sequence[str], ports: Sequence[Json]) -> Json:
    """Write an Envoy's container, with the certificates of `identities`."""
    ready = {"httpGet": {"path": READY, "port": "probes"}}
    return {
        "name": "envoy",
        "image": ENVOY_IMAGE,
        "args": ["-c", str(CONFIGURATION / "envoy.yaml"), "--concurrency", "1",
                 "--disable-hot-restart", "--log-level", "warning",
                 "--drain-time-s", str(PAUSE_S), "--drain-strategy", "immediate"],
        "ports": list(ports),
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 2, "failureThreshold": 3},
        "livenessProbe": {**ready, "periodSeconds": 10, "failureThreshold": 6},
        "resources": resources("50m", "96Mi", "1", "256Mi"),
        "securityContext": LOCKED_DOWN,
        "volumeMounts": [
            {"name": "configuration", "mountPath": str(CONFIGURATION), "readOnly": True},
            *(
                {
                    "name": f"certificate-{dns(name)}",
                    "mountPath": str(CERTIFICATES / dns(name)),
                    "readOnly": True,
                }
                for name in identities
            ),
            _SOCKETS_MOUNT,
        ],
    }  # fmt: skip


def draining() -> Json:
    """Have Envoy tell its clients to come back by another connection, and end what it has begun."""
    ask = ["python3", "/usr/local/bin/drain.py", ADMIN.removeprefix("unix:")]
    ask += [str(PAUSE_S), str(DRAINED_S)]
    return {"preStop": {"exec": {"command": ask}}}


def pod(account: str, *, containers: Sequence[Json], grace_s: int) -> Json:
    """Write a pod without an Envoy."""
    return {
        "serviceAccountName": dns(account),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Names of the cluster are given whole: they are not tried with every suffix first.
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "containers": list(containers),
        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
    }


def envoy_volumes(workload: str, identities: Sequence[str]) -> list[Json]:
    """Write the volumes of a pod's Envoy. The sockets are between it and the service alone."""
    return [
        {"name": "sockets", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {
            "name": "configuration",
            "configMap": {
                "name": configuration_map(workload),
                "defaultMode": 0o444,
                "items": [{"key": key, "path": path} for key, path in mounted(identities)],
            },
        },
        *(
            {
                "name": f"certificate-{dns(name)}",
                "secret": {"secretName": certificate_secret(name), "defaultMode": 0o440},
            }
            for name in identities
        ),
    ]


def spread(name: str) -> list[Json]:
    """Spread the pods of a workload over zones, and over nodes."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(name)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def account(name: str, component: str) -> Json:
    """Write a service account. In the namespace, its name is the end of a SPIFFE id."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(name, component),
        "automountServiceAccountToken": False,
    }


def resources(cpu: str, memory: str, cpu_max: str, memory_max: str) -> Json:
    """Write what a container asks for, and the most that it gets."""
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"cpu": cpu_max, "memory": memory_max},
    }
