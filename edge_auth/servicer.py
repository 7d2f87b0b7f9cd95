"""gRPC ↔ use cases: Envoy's external authorization."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ext_authz import external_auth_pb2 as ext
from ext_authz.external_auth_pb2_grpc import AuthorizationServicer
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - the details must be known

from edge_auth.domain import signing
from edge_auth.domain.edge_request import EdgeRequest
from edge_auth.domain.errors import Denial
from edge_auth.use_cases.check_request import Decision, Door, check_request

_CLIENT_ID = "x-paymesh-client-id"
# Set by the edge's Envoy alone, which knows how many proxies stand before it.
_CLIENT_ADDRESS = "x-paymesh-client-address"
_DOMAIN = "edge.paymesh"
# PROTOCOL-HTTP2.md of gRPC, Header-Name; `:path` and its like are HTTP/2's own.
_GRPC_KEY = re.compile(r":?[0-9a-z_.-]+", re.ASCII)
_TYPE = "type.googleapis.com/google.rpc."
# What PROTOCOL-HTTP2.md of gRPC lets pass unescaped: printable ASCII without the percent sign.
_MESSAGE_SAFE = "".join(chr(c) for c in range(0x20, 0x7F) if c != 0x25)


class EdgeAuthorization(AuthorizationServicer):
    """Serves `envoy.service.auth.v3.Authorization`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def Check(self, request: ext.CheckRequest, _: Any) -> ext.CheckResponse:
        """Let a request in as its client, or turn it away."""
        http = request.attributes.request.http
        connected = request.attributes.source.address.socket_address.address
        seen = EdgeRequest(
            method=http.method,
            path=http.path,
            headers=http.headers,
            body=http.raw_body or http.body.encode(),
            peer=http.headers.get(_CLIENT_ADDRESS, connected),
        )
        decided = await check_request(seen, self._door)
        if decided.denial is not None:
            return _denied(decided.denial, decided, is_grpc=seen.is_grpc)
        return _allowed(decided, seen.headers)


def _allowed(decided: Decision, headers: Mapping[str, str]) -> ext.CheckResponse:
    response = ext.CheckResponse()
    ok = response.ok_response
    ok.headers.append(_header(_CLIENT_ID, decided.client_id))
    # HTTP has names of headers that gRPC refuses a whole request for: "x$y".
    strange = (name for name in headers if not _GRPC_KEY.fullmatch(name))
    signed = (name for name in signing.HEADERS if name in headers)
    ok.headers_to_remove.extend(["authorization", *signed, *strange])
    ok.response_headers_to_add.extend(_header(*pair) for pair in decided.passage.headers())
    return response


def _denied(denial: Denial, decided: Decision, *, is_grpc: bool) -> ext.CheckResponse:
    response = ext.CheckResponse()
    response.status.code = denial.code
    answer = response.denied_response
    headers = [*denial.headers, *decided.passage.headers()]
    if is_grpc:
        # Envoy would make a status of its own out of the HTTP one: a trailers-only answer is ours.
        answer.status.code = 200
        headers += [("content-type", "application/grpc"), ("grpc-status", str(denial.code))]
        headers.append(("grpc-message", quote(denial.message, safe=_MESSAGE_SAFE)))
        headers.append(("grpc-status-details-bin", _details(denial)))
    else:
        answer.status.code = denial.http
        answer.body = render(denial)
        headers.append(("content-type", "application/json"))
    answer.headers.extend(_header(name, value) for name, value in headers)
    return response


def render(denial: Denial) -> str:
    """Write a denial in the shape of every REST error."""
    metadata = dict(denial.facts)
    if denial.fields:
        metadata["field"] = denial.fields[0]
    info = {"@type": f"{_TYPE}ErrorInfo", "reason": denial.reason, "domain": _DOMAIN}
    details: list[dict[str, Any]] = [{**info, "metadata": metadata}]
    if denial.fields:
        violations = [
            {"field": path, "description": denial.message, "reason": denial.reason}
            for path in denial.fields
        ]
        details.append({"@type": f"{_TYPE}BadRequest", "field_violations": violations})
    if denial.retry_after_s is not None:
        delay = f"{denial.retry_after_s}s"
        details.append({"@type": f"{_TYPE}RetryInfo", "retry_delay": delay})
    body = {"code": denial.code, "message": denial.message, "details": details}
    return json.dumps(body, ensure_ascii=False)


def _details(denial: Denial) -> str:
    """Write a denial as gRPC clients read it: google.rpc.Status, in base64 without padding."""
    status = json_format.Parse(render(denial), status_pb2.Status())
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def _header(name: str, value: str) -> ext.HeaderValueOption:
    return ext.HeaderValueOption(
        header=ext.HeaderValue(key=name, value=value),
        append_action=ext.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
