"""Callers of a running mesh: an Envoy of the tests' own that calls any service as whomever it has a
certificate of. A unix socket per caller; gRPC itself cannot check a SPIFFE id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from devstack.envoy import envoy_recipe
from devstack.health import envoy_ready
from devstack.mesh.addresses import envoy_address
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.identities import DEVELOPMENT
from devstack.mesh.tls import Identity, secret_files
from devstack.processes import start
from devstack.services import SERVICES

_READY_S = 60
_TYPES = "type.googleapis.com/envoy.extensions.filters"
_SERVED: Mapping[str, str] = {
    "payment_svc": "/paymesh.payment.v1.",
    "ledger_svc": "/paymesh.ledger.v1.",
    "wallet_svc": "/paymesh.wallet.v1.",
    "risk_svc": "/paymesh.risk.v1.",
    "psp_gateway": "/paymesh.psp.v1.",
    "edge_auth": "/paymesh.edge.v1.",
}


@asynccontextmanager
async def mesh_callers(
    folder: Path, stack: Mapping[str, Any], certificates: Mapping[str, Path]
) -> AsyncIterator[Mapping[str, str]]:
    """Run them; answer where each is called through. `certificates` tells each one's folder."""
    file = folder / "callers.yaml"
    admin = f"unix:{folder}/admin"
    targets = {name: f"unix:{folder}/{name}" for name in certificates}
    listeners = [_listener(name, target) for name, target in targets.items()]
    clusters = [
        _cluster(name, service.name, stack, _identity(folder, name, certificates[name]))
        for name in certificates
        for service in SERVICES
    ]
    configuration = {
        "node": {"id": "callers", "cluster": "tests"},
        "admin": {"address": envoy_address(admin)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
    file.write_text(json.dumps(configuration))
    child = await start(envoy_recipe("callers", file), folder / "callers.log")
    try:
        async with asyncio.timeout(_READY_S):
            await envoy_ready(admin, with_upstreams=True)
        yield targets
    finally:
        await child.stop()


async def is_let_in(
    channel: grpc.aio.Channel, path: str, metadata: Sequence[tuple[str, str]] = ()
) -> bool:
    """Call a method with an empty message; tell whether the mesh let it through to the service."""
    try:
        await channel.unary_unary(path)(b"", timeout=20, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            raise
        return error.code() is not grpc.StatusCode.PERMISSION_DENIED
    return True


def _identity(folder: Path, name: str, certificate: Path) -> Identity:
    secrets = folder / f"{name}.secrets"
    secrets.mkdir(exist_ok=True)
    for file, content in secret_files(certificate).items():
        (secrets / file).write_text(content)
    return Identity("", secrets)


def _cluster(
    caller: str, service: str, stack: Mapping[str, Any], identity: Identity
) -> dict[str, Any]:
    target, server = stack["services"][service]["grpc"], DEVELOPMENT.workload(service)
    return cluster(Upstream(f"{caller}.{service}", target, 256, identity, server))


def _listener(caller: str, target: str) -> dict[str, Any]:
    routes = [
        {"match": {"prefix": path}, "route": {"cluster": f"{caller}.{service}", "timeout": "0s"}}
        for service, path in [*_SERVED.items(), ("ledger_svc", "/paymesh.audit.v1.")]
    ]
    router = {"@type": f"{_TYPES}.http.router.v3.Router"}
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": caller,
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    address = envoy_address(target)
    return {"name": caller, "address": address, "filter_chains": [{"filters": filters}]}
