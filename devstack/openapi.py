"""docs/openapi.json: the REST form of the public API, made of the protos alone.

Paths, fields, rules and words are read off the descriptors; what Envoy and edge_auth add (keys,
errors, event streams) is said here. `python -m devstack.openapi` writes it, `--check` compares.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from paymesh.payment.v1 import payment_service_pb2, webhook_endpoint_service_pb2

from devstack.openapi_schemas import Schemas
from devstack.proto_comments import comments

Json = dict[str, Any]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
_VERBS = ("get", "put", "post", "delete", "patch")
PUBLIC: tuple[ServiceDescriptor, ...] = (
    payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
    webhook_endpoint_service_pb2.DESCRIPTOR.services_by_name["WebhookEndpointService"],
)
_ERRORS = {
    "400": "It can never be right as it is, or the state of things forbids it.",
    "401": "The API key is missing or not valid.",
    "404": "It is not there, or it is another client's.",
    "408": "The request did not arrive in time.",
    "409": "The key or an id belongs to something else.",
    "413": "The request is too large.",
    "429": "Too many requests; `Retry-After` says when to try again.",
    "431": "The headers are too large.",
    "500": "A fault of ours.",
    "503": "Not now; the same request, the same key, after `Retry-After`.",
    "504": "No answer in time; ask again with the same key.",
}
_WITH_KEY = ("409",)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this write. The same request under the same key happens once.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N` answers once the payment is final, or after N seconds, at most 30.",
    "schema": {"type": "string", "pattern": "^wait=[0-9]{1,2}$", "examples": ["wait=5"]},
}
_ERROR = {
    "type": "object",
    "description": "google.rpc.Status. `details` holds an ErrorInfo with the stable `reason`.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC code."},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object", "required": ["@type"]}},
    },
}


def document() -> Json:
    """Make the description."""
    schemas = Schemas(comments())
    paths: Json = {}
    for service in PUBLIC:
        for method in service.methods:
            for verb, template in _routes(method):
                paths.setdefault(template, {})[verb] = _operation(method, template, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "paymesh",
            "version": "1",
            "description": "Pay-in from buyers on behalf of sellers. Amounts are decimal strings.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8080", "description": "The embedded stack."}],
        "security": [{"api_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
            "schemas": {**dict(sorted(schemas.made.items())), "Error": _ERROR},
        },
    }


def _routes(method: MethodDescriptor) -> Iterator[tuple[str, str]]:
    options: Any = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    for verb in _VERBS:
        if getattr(rule, verb):
            yield verb, getattr(rule, verb)


def _operation(method: MethodDescriptor, template: str, schemas: Schemas) -> Json:
    bound = re.findall(r"\{(\w+)\}", template)
    options: Any = method.GetOptions()
    has_body = bool(options.Extensions[annotations_pb2.http].body)
    told = schemas.words.get(method.full_name, "")
    keyed = has_body and "idempotency-key" in told
    parameters = [
        {"name": name, "in": "path", "required": True, **schemas.parameter(method.input_type, name)}
        for name in bound
    ]
    parameters += [_KEY, _PREFER] if keyed else []
    operation: Json = {
        "operationId": method.name,
        "summary": told.partition("\n")[0],
        "description": told,
    }
    if has_body:
        body = schemas.request(method.input_type, without=bound)
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    else:
        parameters += [
            {"name": field.name, "in": "query", **schemas.parameter(method.input_type, field.name)}
            for field in method.input_type.fields
            if field.name not in bound
        ]
    operation["parameters"] = parameters
    operation["responses"] = _responses(method, schemas, keyed=keyed)
    return operation


def _responses(method: MethodDescriptor, schemas: Schemas, *, keyed: bool) -> Json:
    kind = "text/event-stream" if method.server_streaming else "application/json"
    answer = schemas.answer(method.output_type)
    good: Json = {"description": "Done.", "content": {kind: {"schema": answer}}}
    if method.server_streaming:
        good["description"] = "Each event's data is this, as JSON; a final state is the last."
        good["content"] = {kind: {"schema": {"type": "string"}, "x-event-data": answer}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    codes = {c: text for c, text in _ERRORS.items() if keyed or c not in _WITH_KEY}
    return {"200": good, **{c: {"description": t, "content": error} for c, t in codes.items()}}


def rendered() -> str:
    """Write the description as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the description, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    if not parser.parse_args().check:
        PAGE.write_text(rendered())
        return 0
    fits = PAGE.exists() and PAGE.read_text() == rendered()
    print("openapi.json fits" if fits else f"{PAGE.name} is stale; run `make protos`")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
