"""Names, ports and paths that the manifests share."""

from pathlib import PurePosixPath
from typing import Any

from devstack.mesh.identities import TrustDomain

Json = dict[str, Any]

NAMESPACE = "paymesh"
# Kubernetes knows dashes alone, so an account's name and the end of its SPIFFE id have them too.
DOMAIN = TrustDomain(namespace=NAMESPACE, joint="-")
CLUSTER_DOMAIN = "cluster.local"

SERVICES_IMAGE = "paymesh/services:0.1.0"
ENVOY_IMAGE = "paymesh/envoy:1.40.0"
USER = 10001

# In a pod's own network these cannot collide, so that every service has the same.
MTLS, PROBES, METRICS = 15443, 15021, 9464
EDGE_PORT, OPERATORS_PORT = 8443, 8081
POSTGRES, REDIS, HTTPS, DNS = 5432, 6379, 443, 53

SOCKETS = PurePosixPath("/run/paymesh")
CONFIGURATION = PurePosixPath("/etc/envoy")
CERTIFICATES = PurePosixPath("/etc/certificates")
SHARE = PurePosixPath("/usr/share/paymesh")  # what the image of Envoy has of the API
APPLICATION, EGRESS, ADMIN = (
    f"unix:{SOCKETS}/{name}.sock" for name in ("service", "egress", "admin")
)

_NAME, _COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
# Namespaces say by these labels what may come in from them, or be reached in them.
MAY_CALL_EDGE = {"paymesh.local/edge": "allowed"}
MAY_BE_OPERATOR = {"paymesh.local/operators": "allowed"}
MAY_READ_METRICS = {"paymesh.local/metrics": "allowed"}
HAS_DATABASES = {"paymesh.local/databases": "allowed"}


def dns(name: str) -> str:
    """Write a service's name as Kubernetes takes it."""
    return name.replace("_", "-")


def selector(name: str) -> dict[str, str]:
    """Tell by which labels the pods of a workload are found."""
    return {_NAME: dns(name)}


def labels(name: str, component: str) -> dict[str, str]:
    """Label a workload, its pods and whatever belongs to it."""
    return {
        **selector(name),
        _COMPONENT: component,
        "app.kubernetes.io/part-of": "paymesh",
    }


def of_component(component: str) -> dict[str, str]:
    """Tell by which labels all pods of a component are found."""
    return {_COMPONENT: component}


def metadata(name: str, component: str, **more: Any) -> Json:
    """Write the metadata of an object."""
    return {
        "name": dns(name),
        "namespace": NAMESPACE,
        "labels": labels(name, component),
        **more,
    }


def certificate_secret(workload: str) -> str:
    """Name the Secret that holds a workload's tls.crt, tls.key and ca.crt."""
    return f"{dns(workload)}-certificate"


def configuration_map(workload: str) -> str:
    """Name the ConfigMap that holds the configuration of a workload's Envoy."""
    return f"{dns(workload)}-envoy"


def target(service: str) -> str:
    """Tell where the sidecar of a service lets others in: a name that has the address of each of
    its pods.
    """
    return f"{dns(service)}.{NAMESPACE}.svc.{CLUSTER_DOMAIN}:{MTLS}"
