"""docs/openapi.json: the REST form of the public API, made of the protos alone.

Paths, fields, rules and words are read off the descriptors; what Envoy and edge_auth add is in
openapi_http. `python -m devstack.openapi` writes it, `--check` compares.
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

from devstack.openapi_http import components, errors, headers_asked, headers_told
from devstack.openapi_schemas import Schemas
from devstack.proto_comments import comments

Json = dict[str, Any]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
_VERBS = ("get", "put", "post", "delete", "patch")
PUBLIC: tuple[ServiceDescriptor, ...] = (
    payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
    webhook_endpoint_service_pb2.DESCRIPTOR.services_by_name["WebhookEndpointService"],
)


def document() -> Json:
    """Make the description."""
    schemas = Schemas(comments())
    paths: Json = {}
    for service in PUBLIC:
        for method in service.methods:
            for verb, template in _routes(method):
                paths.setdefault(template, {})[verb] = _operation(method, template, schemas)
    parts = components()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "paymesh",
            "version": "1",
            "description": "Pay-in from buyers on behalf of sellers. Amounts are decimal strings.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "/", "description": "Whoever serves this page."},
            {"url": "http://127.0.0.1:8080", "description": "The embedded stack."},
        ],
        "security": [{"api_key": []}, {"api_key": [], "signature": []}],
        "tags": [
            {"name": service.name, "description": schemas.words.get(service.full_name, "")}
            for service in PUBLIC
        ],
        "paths": paths,
        "components": {
            **parts,
            "schemas": {**dict(sorted(schemas.made.items())), **parts["schemas"]},
        },
    }


def _routes(method: MethodDescriptor) -> Iterator[tuple[str, str]]:
    options: Any = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    for verb in _VERBS:
        if getattr(rule, verb):
            yield verb, getattr(rule, verb)


def _operation(method: MethodDescriptor, template: str, schemas: Schemas) -> Json:
    told = schemas.words.get(method.full_name, "")
    keyed = "idempotency-key" in told
    needs_key = "equires" in told and keyed
    operation: Json = {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        "summary": told.partition("\n")[0],
        "description": told,
        "parameters": [
            *_parameters(method, template, schemas),
            *headers_asked(keyed=keyed, needs_key=needs_key, waits=_waits(method)),
        ],
    }
    if _has_body(method):
        schema = schemas.request(method.input_type, without=_bound(template))
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    answered = _answer(method, schemas, keyed=needs_key)
    operation["responses"] = {"200": answered, **errors(keyed=keyed)}
    return operation


def _parameters(method: MethodDescriptor, template: str, schemas: Schemas) -> list[Json]:
    message, bound = method.input_type, _bound(template)
    in_path = [
        {"name": name, "in": "path", "required": True, **schemas.parameter(message, name)}
        for name in bound
    ]
    free = [] if _has_body(method) else [f.name for f in message.fields if f.name not in bound]
    in_query = [{"name": name, "in": "query", **schemas.parameter(message, name)} for name in free]
    return [*in_path, *in_query]


def _waits(method: MethodDescriptor) -> bool:
    return _has_body(method) and method.output_type.name in ("Payment", "CheckoutSession")


def _answer(method: MethodDescriptor, schemas: Schemas, *, keyed: bool) -> Json:
    answer = schemas.answer(method.output_type)
    good: Json = {
        "description": "Done.",
        "headers": headers_told(keyed=keyed),
        "content": {"application/json": {"schema": answer}},
    }
    if method.server_streaming:
        good["description"] = "Each event's data is this, as JSON; a final state is the last."
        # OpenAPI 3.1 knows a stream as text alone; what an event holds is said beside it.
        stream = {"schema": {"type": "string"}, "x-event-data": answer}
        good["content"] = {"text/event-stream": stream}
    return good


def _bound(template: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", template)


def _has_body(method: MethodDescriptor) -> bool:
    options: Any = method.GetOptions()
    return bool(options.Extensions[annotations_pb2.http].body)


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
