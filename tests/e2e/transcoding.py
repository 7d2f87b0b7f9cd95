"""Calls any RPC of the public API, as its proto says: in its REST form and as native gRPC."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp
import grpc
import paymesh
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2  # noqa: F401 - the details must be known
from grpc_status import rpc_status

_TIMEOUT_S = 20
_VERBS = ("get", "put", "post", "delete", "patch")


def public_methods() -> dict[str, MethodDescriptor]:
    """List every RPC that has a REST form, by `Service.Method`, off all protos there are."""
    found = {}
    for name in sorted(_modules()):
        for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if _rule(method)[0]:
                    found[f"{service.name}.{method.name}"] = method
    return found


def _modules() -> Iterator[str]:
    for root in map(Path, paymesh.__path__):
        for path in root.rglob("*_pb2.py"):
            yield ".".join(["paymesh", *path.relative_to(root).with_suffix("").parts])


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer: `code` is gRPC's, `content` the message or the whole of google.rpc.Status."""

    code: int
    content: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        """All that was told, as one text."""
        return json.dumps([self.content, dict(self.headers)])


class Person:
    """A client of the API, by its key."""

    def __init__(self, edge_url: str, api_key: str) -> None:
        self._url = edge_url
        self._bearer = f"Bearer {api_key}"

    async def rest(self, method: MethodDescriptor, request: Message, **headers: str) -> Seen:
        """Call the REST form; of a stream the first event is read."""
        verb, path, body = rest_form(method, request)
        sent = {"Authorization": self._bearer, "Idempotency-Key": str(uuid4()), **headers}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(self._url, timeout=timeout) as http,
            http.request(verb, path, json=body, headers=sent) as answer,
        ):
            if answer.status == 200 and method.server_streaming:
                content = json.loads((await answer.content.readline()).removeprefix(b"data: "))
            else:
                content = await answer.json()
            code = 0 if answer.status == 200 else content["code"]
            return Seen(code, content, _told(answer.headers))

    async def native(self, method: MethodDescriptor, request: Message, **headers: str) -> Seen:
        """Call natively; of a stream the first message is read."""
        sent = {"Authorization": self._bearer, "Idempotency-Key": str(uuid4()), **headers}
        metadata = [(name.lower(), value) for name, value in sent.items()]
        answer = GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        async with grpc.aio.insecure_channel(self._url.removeprefix("http://")) as channel:
            open_call = channel.unary_stream if method.server_streaming else channel.unary_unary
            call: Any = open_call(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )(request, metadata=metadata, timeout=_TIMEOUT_S)
            try:
                message = await (call.read() if method.server_streaming else call)
            except grpc.aio.AioRpcError as error:
                status = rpc_status.from_call(error)
                if status is None:
                    raise
                return Seen(status.code, _plain(status), {})
            told = {str(key): str(value) for key, value in await call.initial_metadata()}
            return Seen(0, _plain(message), _told(told))


def rest_form(
    method: MethodDescriptor, request: Message
) -> tuple[str, str, Mapping[str, Any] | None]:
    """Tell verb, path with query, and body that a message stands for."""
    verb, template, has_body = _rule(method)
    fields = _plain(request)
    bound = re.findall(r"\{(\w+)\}", template)
    path = re.sub(r"\{(\w+)\}", lambda name: quote(str(getattr(request, name[1])), ""), template)
    rest = {name: value for name, value in fields.items() if name not in bound}
    if has_body:
        return verb, path, rest
    return verb, f"{path}?{urlencode(rest)}" if rest else path, None


def _rule(method: MethodDescriptor) -> tuple[str, str, bool]:
    options: Any = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    verb = next((verb for verb in _VERBS if getattr(rule, verb)), "")
    return verb.upper(), getattr(rule, verb) if verb else "", bool(rule.body)


def _plain(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave out what differs from one request to the next."""
    varying = {"date", "x-request-id", "content-length", "x-envoy-upstream-service-time"}
    return {k.lower(): v for k, v in sorted(headers.items()) if k.lower() not in varying}


def strings(content: Any) -> Iterator[str]:
    """List all strings in an answer."""
    if isinstance(content, Mapping):
        for value in content.values():
            yield from strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from strings(value)
    elif isinstance(content, str):
        yield content
