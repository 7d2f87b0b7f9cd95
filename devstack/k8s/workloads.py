"""Everything that a service, or the edge, is in the cluster."""

from collections.abc import Sequence

from devstack.k8s import envoys
from devstack.k8s.containers import (
    DRAINED_S,
    MARGIN_S,
    PAUSE_S,
    account,
    draining,
    envoy,
    envoy_volumes,
    pod,
    service_container,
    sidecar,
    spread,
)
from devstack.k8s.names import (
    EDGE_PORT,
    MTLS,
    OPERATORS_PORT,
    PROBES,
    Json,
    labels,
    metadata,
    selector,
)
from devstack.k8s.told import TOLD
from devstack.mesh.callers import Callers
from devstack.mesh.identities import EDGE, OPERATORS
from devstack.services import Service

SERVICE, REPLICAS = "service", 2
CHECKSUM = "paymesh.local/envoy-checksum"
_MTLS_PORT = {"name": "mtls", "port": MTLS, "targetPort": "mtls", "appProtocol": "tls"}


def service(described: Service, callers: Callers) -> list[Json]:
    """Write a service: account, address, configuration, pods, and how many may be away at once."""
    name = described.name
    configured = envoys.config_map(name, SERVICE, envoys.sidecar(name, callers), (name,))
    grace_s = PAUSE_S + TOLD[name].drain_s + MARGIN_S
    running = pod(name, containers=[service_container(described)], grace_s=grace_s)
    running["initContainers"] = [sidecar(name)]
    running["volumes"] += envoy_volumes(name, (name,))
    return [
        account(name, SERVICE),
        _address(name, SERVICE, [_MTLS_PORT], is_headless=True),
        configured,
        _deployment(name, SERVICE, running, configured),
        _budget(name, SERVICE),
    ]


def edge(trusted_proxies: int) -> list[Json]:
    """Write the edge: one Envoy, two addresses, two identities; see `Edge.trusted_proxies`."""
    ids = envoys.EDGE_IDENTITIES
    configured = envoys.config_map(EDGE, EDGE, envoys.edge(trusted_proxies), ids)
    ports = [
        {"name": "https", "containerPort": EDGE_PORT},
        {"name": "operators", "containerPort": OPERATORS_PORT},
        {"name": "probes", "containerPort": PROBES},
    ]
    container = {**envoy(EDGE, ids, ports), "lifecycle": draining()}
    running = pod(EDGE, containers=[container], grace_s=DRAINED_S + MARGIN_S)
    running["volumes"] = envoy_volumes(EDGE, ids)
    clients = {"name": "https", "port": EDGE_PORT, "targetPort": "https", "appProtocol": "https"}
    people = {"name": "mtls", "port": OPERATORS_PORT, "targetPort": "operators"}
    people["appProtocol"] = "tls"
    return [
        account(EDGE, EDGE),
        # Nobody runs as it: the edge has its certificate too.
        account(OPERATORS, EDGE),
        _address(EDGE, EDGE, [clients], is_headless=False),
        _address(OPERATORS, EDGE, [people], is_headless=False, pods=EDGE),
        configured,
        _deployment(EDGE, EDGE, running, configured),
        _budget(EDGE, EDGE),
    ]


def template(name: str, component: str, running: Json, configured: Json) -> Json:
    """Write the template of pods that are replaced when the configuration changes."""
    annotations = {CHECKSUM: envoys.checksum(configured["data"])}
    return {
        "metadata": {"labels": labels(name, component), "annotations": annotations},
        "spec": running,
    }


def _deployment(name: str, component: str, running: Json, configured: Json) -> Json:
    running["topologySpreadConstraints"] = spread(name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, component),
        "spec": {
            "replicas": REPLICAS,
            "revisionHistoryLimit": 5,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": selector(name)},
            "template": template(name, component, running, configured),
        },
    }


def _address(
    name: str, component: str, ports: Sequence[Json], *, is_headless: bool, pods: str = ""
) -> Json:
    """Write a Service. Headless, so that Envoy sees each pod and spreads requests itself."""
    kind: Json = {"clusterIP": "None"} if is_headless else {"type": "ClusterIP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, component),
        "spec": {**kind, "selector": selector(pods or name), "ports": list(ports)},
    }


def _budget(name: str, component: str) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, component),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(name)},
        },
    }
