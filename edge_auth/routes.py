"""What the public API takes, read off the protos' descriptors: routes, body shapes, native
messages.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from paymesh.payment.v1 import payment_service_pb2, webhook_endpoint_service_pb2

from edge_auth.domain.strict_json import Shape
from privacy.messages import texts

PUBLIC = (
    payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
    webhook_endpoint_service_pb2.DESCRIPTOR.services_by_name["WebhookEndpointService"],
)
_VERBS = ("get", "put", "post", "delete", "patch")
_FRAME_BYTES = 5
_KINDS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_MESSAGE: "message",
    FieldDescriptor.TYPE_ENUM: "string",  # by its name; the number is of the wire, not of the API
}


class Routes:
    """The routes of the public API."""

    def __init__(self) -> None:
        self._rest: list[tuple[str, re.Pattern[str], str, Shape]] = []
        self._native: dict[str, type[Message]] = {}
        for service in PUBLIC:
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                self._native[path] = GetMessageClass(method.input_type)
                self._rest += _rest_routes(method)

    def rpc_of(self, verb: str, path: str) -> str | None:
        """Name the method, `package.Service/Method`, of a verb and path, or with the verb "" of a
        native path; None: there is none.
        """
        if not verb:
            return path[1:] if path in self._native else None
        found = self._find(verb, path)
        return found[0] if found else None

    def shape_of(self, verb: str, path: str) -> Shape | None:
        """Tell the shape of the body of a verb and path; None: no such route."""
        found = self._find(verb, path)
        return found[1] if found else None

    def _find(self, wanted: str, path: str) -> tuple[str, Shape] | None:
        for verb, pattern, rpc, shape in self._rest:
            if verb == wanted and pattern.fullmatch(path):
                return rpc, shape
        return None

    def texts_of(self, path: str, body: bytes) -> Mapping[str, str] | None:
        """Take the strings out of a native message by field path; None: it cannot be read.

        Raises:
            KeyError: no method of ours has this path.
        """
        kind = self._native[path]
        if not body:
            return {}
        frame = body[_FRAME_BYTES:]
        if body[0] != 0 or int.from_bytes(body[1:_FRAME_BYTES], "big") != len(frame):
            return None  # compressed, cut off, or more than one message
        message = kind()
        try:
            message.ParseFromString(frame)
        except DecodeError:
            return None
        return dict(texts(message))


def _rest_routes(method: MethodDescriptor) -> Iterator[tuple[str, re.Pattern[str], str, Shape]]:
    options: Any = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    for verb in _VERBS:
        template = getattr(rule, verb)
        if not template:
            continue
        bound = re.findall(r"\{(\w+)\}", template)
        pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))
        shape = _shape(method.input_type)
        fields = {name: s for name, s in shape.fields.items() if name not in bound}
        rpc = f"{method.containing_service.full_name}/{method.name}"
        yield verb.upper(), pattern, rpc, Shape("message", fields=fields)


@cache
def _shape(message: Descriptor) -> Shape:
    if message.full_name.startswith("google.protobuf."):
        return Shape("any")
    return Shape("message", fields={field.name: _field(field) for field in message.fields})


def _field(field: FieldDescriptor) -> Shape:
    kind = _KINDS.get(field.type, "any")
    if kind != "message" or field.message_type is None:
        return Shape(kind, is_list=field.is_repeated)
    if field.message_type.GetOptions().map_entry:
        return Shape("map", fields={"": _field(field.message_type.fields_by_name["value"])})
    inner = _shape(field.message_type)
    return Shape(inner.kind, is_list=field.is_repeated, fields=inner.fields)
