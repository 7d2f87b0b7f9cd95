"""The edge Envoy of the embedded stack: its template filled in, and how to start it."""

from collections.abc import Mapping
from pathlib import Path

from devstack.envoy import envoy_recipe
from devstack.mesh.edge import CALLED, Edge
from devstack.mesh.edge import render as render_edge
from devstack.mesh.embedded import EmbeddedMesh
from devstack.mesh.identities import EDGE
from devstack.mesh.sidecar import Peer
from devstack.processes import Recipe
from devstack.state import State

_ROOT = Path(__file__).resolve().parent.parent


def render(
    state: State, ports: Mapping[str, int], environment: str, mesh: EmbeddedMesh | None = None
) -> Path:
    """Fill in the template for a stack and write it into its state folder.

    With a mesh the edge calls services as itself, by mTLS, and has the operators' listener.
    """
    plain = {name: Peer(f"127.0.0.1:{ports[name]}", "") for name in CALLED}
    described = Edge(
        listen=f"127.0.0.1:{ports['edge']}",
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


def admin(ports: Mapping[str, int], mesh: EmbeddedMesh | None) -> str:
    """Tell where the edge's Envoy is looked at."""
    return mesh.admin(EDGE) if mesh else f"127.0.0.1:{ports['edge_admin']}"


def recipe(configuration: Path) -> Recipe:
    """Tell how to start Envoy.

    Raises:
        StackError: the wheel is not installed.
    """
    return envoy_recipe("edge", configuration)
