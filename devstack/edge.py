"""The edge Envoy of the embedded stack: its template filled in, and how to start it."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from devstack.envoy import envoy_recipe
from devstack.mesh.certificates import Certificates
from devstack.mesh.edge import CALLED, Edge, Limits
from devstack.mesh.edge import render as render_edge
from devstack.mesh.embedded import EmbeddedMesh
from devstack.mesh.identities import EDGE
from devstack.mesh.secret_folder import ROOTS
from devstack.mesh.sidecar import Peer
from devstack.mesh.tls import secret_files
from devstack.mesh.traces import OTLP_ENDPOINT, collector
from devstack.processes import Recipe
from devstack.state import State

DEFAULT_LIMITS = Limits()
_ROOT = Path(__file__).resolve().parent.parent


def render(
    state: State,
    ports: Mapping[str, int],
    environment: str,
    mesh: EmbeddedMesh | None = None,
    *,
    certificate: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    trusted_proxies: int = 0,
) -> Path:
    """Fill in the template for a stack and write it into its state folder.

    With a mesh the edge calls services as itself, by mTLS, and has the operators' listener; with a
    certificate (a folder with the files of `secret_files`) TLS is spoken on a port of its own.
    """
    plain = {name: Peer(f"127.0.0.1:{ports[name]}", "") for name in CALLED}
    described = Edge(
        listen=f"127.0.0.1:{ports['edge_tls' if certificate else 'edge']}",
        plain_listen=f"127.0.0.1:{ports['edge']}" if certificate else "",
        certificate=certificate,
        limits=limits,
        trusted_proxies=trusted_proxies,
        collector=collector(os.environ.get(OTLP_ENDPOINT, "")),
        admin=admin(ports, mesh),
        services={name: mesh.peer(name) for name in CALLED} if mesh else plain,
        caller=mesh.identity(EDGE) if mesh else None,
        operators=mesh.operators() if mesh else None,
        access_log=str(state.log("edge-access")),
        openapi=str(_ROOT / "docs" / "openapi.json"),
        descriptor=str(_ROOT / "stubs" / "paymesh.binpb"),
        in_development=environment == "development",
    )
    target = state.folder / "envoy" / "edge.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(render_edge(described))
    return target


def own_certificate(state: State, now: datetime) -> Path:
    """Make the edge's certificate, unless it is there, and the files by which Envoy finds it, and
    tell their folder.
    """
    made = Certificates(state.certificates)
    made.init(now)
    folder = state.folder / "envoy" / "secrets" / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in secret_files(made.workload(EDGE)).items():
        (folder / file).write_text(content)
    return folder


def describe_tls(state: State, ports: Mapping[str, int]) -> Mapping[str, str]:
    """Tell where TLS is spoken, and by which roots its certificate is checked."""
    roots = Certificates(state.certificates).workload(EDGE) / ROOTS
    return {"tls_url": f"https://127.0.0.1:{ports['edge_tls']}", "roots": str(roots)}


def admin(ports: Mapping[str, int], mesh: EmbeddedMesh | None) -> str:
    """Tell where the edge's Envoy is looked at."""
    return mesh.admin(EDGE) if mesh else f"127.0.0.1:{ports['edge_admin']}"


def recipe(configuration: Path) -> Recipe:
    """Tell how to start Envoy.

    Raises:
        StackError: the wheel is not installed.
    """
    return envoy_recipe("edge", configuration)
