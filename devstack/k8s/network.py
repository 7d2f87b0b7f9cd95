"""Who reaches whom over the network: nobody, but for what envoy/callers.yaml says.

The table is Envoy's policies and these; a connection that no method needs is not even made.
"""

from collections.abc import Iterable, Mapping, Sequence

from devstack.k8s.jobs import MIGRATION
from devstack.k8s.names import (
    DNS,
    EDGE_PORT,
    HAS_DATABASES,
    HTTPS,
    MAY_BE_OPERATOR,
    MAY_CALL_EDGE,
    MAY_READ_METRICS,
    METRICS,
    MTLS,
    OPERATORS_PORT,
    POSTGRES,
    PROBES,
    REDIS,
    Json,
    metadata,
    of_component,
    selector,
)
from devstack.k8s.told import TOLD
from devstack.k8s.workloads import SERVICE
from devstack.mesh.callers import ALL, Callers
from devstack.mesh.identities import AUDIT, EDGE, OPERATORS
from devstack.services import SERVICES

_NETWORK = "network"
# Not the internet: private networks, this host, links, and where clouds tell machines secrets.
_NOT_OUTSIDE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "224.0.0.0/4",
)  # fmt: skip
_NOT_OUTSIDE_6 = ("::1/128", "fc00::/7", "fe80::/10", "ff00::/8")


def policies(callers: Callers) -> list[Json]:
    """Write all policies."""
    return [
        _policy("default-deny", {}, ingress=(), egress=()),
        _policy("names", {}, egress=[_rule("to", [_name_service()], [DNS], ("UDP", "TCP"))]),
        *(_of_service(service.name, callers) for service in SERVICES),
        _of_edge(callers),
        _policy(AUDIT, selector(AUDIT), egress=[_to_services(_called({AUDIT}, callers))]),
        _policy("migrations", of_component(MIGRATION), egress=[_to_databases([POSTGRES])]),
        _policy(
            "metrics",
            of_component(SERVICE),
            ingress=[_rule("from", [_namespaces(MAY_READ_METRICS)], [METRICS, PROBES])],
        ),
    ]


def callers_of(service: str, callers: Callers) -> Sequence[str]:
    """Name the workloads whose pods may open connections to a service."""
    named = {caller for row in callers.of(service) for caller in row.callers} - {ALL}
    return sorted({EDGE if name == OPERATORS else name for name in named})


def _called(workloads: Iterable[str], callers: Callers) -> Sequence[str]:
    """Name the services that any of some workloads may call."""
    return [
        service.name
        for service in SERVICES
        if any(callers.calls(name, service.name) for name in workloads)
    ]


def _of_service(name: str, callers: Callers) -> Json:
    told = TOLD[name]
    came_from = [_pods(caller) for caller in callers_of(name, callers)]
    egress = [_to_databases([POSTGRES, REDIS] if told.has_redis else [POSTGRES])]
    called = _called({name}, callers)
    if called:
        egress.append(_to_services(called))
    if told.calls_out:
        outside = [_block("0.0.0.0/0", _NOT_OUTSIDE), _block("::/0", _NOT_OUTSIDE_6)]
        egress.append(_rule("to", outside, [HTTPS]))
    return _policy(name, selector(name), ingress=[_rule("from", came_from, [MTLS])], egress=egress)


def _of_edge(callers: Callers) -> Json:
    ingress = [
        _rule("from", [_namespaces(MAY_CALL_EDGE)], [EDGE_PORT]),
        _rule("from", [_namespaces(MAY_BE_OPERATOR)], [OPERATORS_PORT]),
        _rule("from", [_namespaces(MAY_READ_METRICS)], [PROBES]),
    ]
    called = _called({EDGE, OPERATORS}, callers)
    return _policy(EDGE, selector(EDGE), ingress=ingress, egress=[_to_services(called)])


def _policy(
    name: str,
    pods: Mapping[str, str],
    *,
    ingress: Sequence[Json] | None = None,
    egress: Sequence[Json] | None = None,
) -> Json:
    """Write a policy for the ways that are given; for none of its rules nothing passes."""
    ways = {"Ingress": ingress, "Egress": egress}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, _NETWORK),
        "spec": {
            "podSelector": {"matchLabels": dict(pods)} if pods else {},
            "policyTypes": [way for way, rules in ways.items() if rules is not None],
            **{way.lower(): list(rules) for way, rules in ways.items() if rules},
        },
    }


def _rule(
    way: str, peers: Sequence[Json], ports: Sequence[int], protocols: Sequence[str] = ("TCP",)
) -> Json:
    asked = [{"protocol": protocol, "port": port} for protocol in protocols for port in ports]
    return {way: list(peers), "ports": asked}


def _to_services(names: Sequence[str]) -> Json:
    return _rule("to", [_pods(name) for name in names], [MTLS])


def _to_databases(ports: Sequence[int]) -> Json:
    return _rule("to", [_namespaces(HAS_DATABASES)], ports)


def _pods(workload: str) -> Json:
    return {"podSelector": {"matchLabels": selector(workload)}}


def _namespaces(labelled: Mapping[str, str]) -> Json:
    return {"namespaceSelector": {"matchLabels": dict(labelled)}}


def _name_service() -> Json:
    namespace = {"kubernetes.io/metadata.name": "kube-system"}
    return {
        **_namespaces(namespace),
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }


def _block(cidr: str, but: Sequence[str]) -> Json:
    return {"ipBlock": {"cidr": cidr, "except": list(but)}}
