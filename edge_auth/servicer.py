"""gRPC ↔ use cases: Envoy's external authorization."""

import json
from typing import Any

from ext_authz import external_auth_pb2 as ext
from ext_authz.external_auth_pb2_grpc import AuthorizationServicer

from edge_auth.domain.errors import Denial
from edge_auth.key_cache import KeyCache
from edge_auth.routes import Routes
from edge_auth.use_cases.check_request import EdgeRequest, check_request

_CLIENT_ID = "x-paymesh-client-id"
_DOMAIN = "edge.paymesh"
_TYPE = "type.googleapis.com/google.rpc."
# Envoy makes the gRPC status of these itself; any other denial of a gRPC call carries its own.
_ENVOY_MAPS = frozenset({401, 403, 429, 503})


class EdgeAuthorization(AuthorizationServicer):
    """Serves `envoy.service.auth.v3.Authorization`."""

    def __init__(self, keys: KeyCache, routes: Routes) -> None:
        self._keys = keys
        self._routes = routes

    async def Check(self, request: ext.CheckRequest, _: Any) -> ext.CheckResponse:
        """Let a request in as its client, or turn it away."""
        http = request.attributes.request.http
        seen = EdgeRequest(
            method=http.method,
            path=http.path,
            headers=http.headers,
            body=http.raw_body or http.body.encode(),
        )
        decided = await check_request(
            seen,
            client_of=self._keys.client_of,
            shape_of=self._routes.shape_of,
            texts_of=self._routes.texts_of,
        )
        return _denied(decided, seen.is_grpc) if isinstance(decided, Denial) else _allowed(decided)


def _allowed(client_id: str) -> ext.CheckResponse:
    response = ext.CheckResponse()
    response.ok_response.headers.append(_header(_CLIENT_ID, client_id))
    response.ok_response.headers_to_remove.append("authorization")
    return response


def _denied(denial: Denial, is_grpc: bool) -> ext.CheckResponse:  # noqa: FBT001
    response = ext.CheckResponse()
    response.status.code = denial.code
    answer = response.denied_response
    headers = list(denial.headers)
    if is_grpc and denial.http not in _ENVOY_MAPS:
        answer.status.code = 200
        headers += [("content-type", "application/grpc"), ("grpc-status", str(denial.code))]
        headers.append(("grpc-message", denial.message))
    else:
        answer.status.code = denial.http
        answer.body = render(denial)
        headers.append(("content-type", "application/json"))
    answer.headers.extend(_header(name, value) for name, value in headers)
    return response


def render(denial: Denial) -> str:
    """Write a denial in the shape of every REST error."""
    metadata = {"field": denial.fields[0]} if denial.fields else {}
    info = {"@type": f"{_TYPE}ErrorInfo", "reason": denial.reason, "domain": _DOMAIN}
    details: list[dict[str, Any]] = [{**info, "metadata": metadata}]
    if denial.fields:
        violations = [
            {"field": path, "description": denial.message, "reason": denial.reason}
            for path in denial.fields
        ]
        details.append({"@type": f"{_TYPE}BadRequest", "field_violations": violations})
    body = {"code": denial.code, "message": denial.message, "details": details}
    return json.dumps(body, ensure_ascii=False)


def _header(name: str, value: str) -> ext.HeaderValueOption:
    return ext.HeaderValueOption(
        header=ext.HeaderValue(key=name, value=value),
        append_action=ext.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
