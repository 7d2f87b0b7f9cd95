"""The fingerprint of a request: a keyed hash per set field, the same over REST and gRPC, that tells
what differs.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import InvalidRequest
from chassis.interceptors import RequestContext

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_HASH_DIGITS = 16


def require_key(context: RequestContext) -> str:
    """Read the idempotency key of a write.

    Raises:
        InvalidRequest: it is missing, or not 1 to 255 printable ASCII characters.
    """
    key, name = context.header(HEADER), "Idempotency-Key"
    if key is None:
        raise InvalidRequest.field(name, "the header is required", "IDEMPOTENCY_KEY_MISSING")
    if not _KEY.fullmatch(key):
        raise InvalidRequest.field(name, "1 to 255 printable characters", "IDEMPOTENCY_KEY_INVALID")
    return key


def fingerprint(request: Message, secret: bytes) -> dict[str, str]:
    """Hash each set field under its path; only `secret` makes the values hard to guess."""
    hashes = {}
    for path, value in _leaves(request, ""):
        text = json.dumps([path, value], ensure_ascii=True).encode()
        hashes[path] = hmac.new(secret, text, hashlib.sha256).hexdigest()[:_HASH_DIGITS]
    return hashes


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Name the fields that two fingerprints do not share, sorted."""
    return sorted(
        path for path in first.keys() | second.keys() if first.get(path) != second.get(path)
    )


def _leaves(message: Message, prefix: str) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        for place, item in _items(field, value):
            here = f"{prefix}{field.name}{place}"
            if isinstance(item, Message):
                yield from _leaves(item, here + ".")
            else:
                yield here, str(item)


def _items(field: FieldDescriptor, value: Any) -> Iterable[tuple[str, Any]]:
    """List what a field holds, each with its place: none, `[0]`, or the key of a map."""
    if not field.is_repeated:
        return [("", value)]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [(f"[{json.dumps(key)}]", value[key]) for key in sorted(value)]
    return [(f"[{index}]", item) for index, item in enumerate(value)]
