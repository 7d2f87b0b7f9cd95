"""The edge Envoy of the embedded stack: its template filled in, and how to start it."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from devstack.envoy import envoy_recipe
from devstack.local_replies import item, local_replies
from devstack.mesh.clusters import Upstream, cluster
from devstack.mesh.embedded import EmbeddedMesh
from devstack.mesh.identities import EDGE
from devstack.processes import Recipe
from devstack.state import State

_ROOT = Path(__file__).resolve().parent.parent
# Whom the edge calls, and how many requests at once.
_CALLED: Mapping[str, int] = {"payment_svc": 8192, "psp_gateway": 256, "edge_auth": 8192}


def render(
    state: State, ports: Mapping[str, int], environment: str, mesh: EmbeddedMesh | None = None
) -> Path:
    """Fill in the template for a stack and write it into its state folder.

    With a mesh the edge calls services as itself, by mTLS, and has the operators' listener.
    """
    clusters = [cluster(_upstream(name, ports, mesh)) for name in _CALLED]
    template = Template((_ROOT / "envoy" / "edge.yaml").read_text())
    text = template.substitute(
        ADMIN_PORT=ports["edge_admin"],
        LISTEN_ADDRESS="127.0.0.1",
        LISTEN_PORT=ports["edge"],
        ACCESS_LOG=state.log("edge-access"),
        OPENAPI=_ROOT / "docs" / "openapi.json",
        DESCRIPTOR=_ROOT / "stubs" / "paymesh.binpb",
        LOCAL_REPLIES=local_replies(),
        DEVELOPMENT_ROUTES=item(14, _REFLECTION) if environment == "development" else "",
        OPERATORS_LISTENER=f"- {json.dumps(mesh.operators_listener())}" if mesh else "",
        CLUSTERS=json.dumps([*clusters, *(mesh.operators_clusters() if mesh else [])]),
    )
    target = state.folder / "envoy" / "edge.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    return target


def _upstream(name: str, ports: Mapping[str, int], mesh: EmbeddedMesh | None) -> Upstream:
    if mesh is None:
        return Upstream(name, f"127.0.0.1:{ports[name]}", _CALLED[name])
    peer = mesh.peer(name)
    return Upstream(name, peer.target, _CALLED[name], mesh.identity(EDGE), peer.spiffe_id)


def recipe(configuration: Path) -> Recipe:
    """Tell how to start Envoy.

    Raises:
        StackError: the wheel is not installed.
    """
    return envoy_recipe("edge", configuration)


_PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_REFLECTION = {
    "match": {"prefix": "/grpc.", "grpc": {}},
    "route": {"cluster": "payment_svc", "timeout": "0s"},
    "typed_per_filter_config": {
        "envoy.filters.http.ext_authz": {"@type": _PER_ROUTE, "disabled": True}
    },
}
