"""What Envoy's own replies become: the shape of every other error, for REST and for native gRPC."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TYPE = "type.googleapis.com/google.rpc."
_DOMAIN = "edge.paymesh"
_RETRY_AFTER_S = 1
_OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"


@dataclass(frozen=True, slots=True)
class Reply:
    """What stands for an HTTP status of Envoy's own.

    Attributes:
        code: the gRPC code.
        with_cause: whether REST callers are shown Envoy's own words, too.
        is_retryable: whether the same request may succeed a second later.
    """

    code: int
    reason: str
    message: str
    with_cause: bool = False
    is_retryable: bool = False


REPLIES: Mapping[int, Reply] = {
    400: Reply(3, "MALFORMED_REQUEST", "The request is malformed.", with_cause=True),
    401: Reply(16, "UNAUTHENTICATED", "Nobody knows who is calling."),
    403: Reply(7, "PERMISSION_DENIED", "This is not allowed."),
    404: Reply(5, "NO_SUCH_PATH", "There is nothing at this path, or not with this verb."),
    408: Reply(4, "REQUEST_TIMEOUT", "The request did not arrive in time."),
    409: Reply(10, "ABORTED", "A race was lost; try again."),
    # Sent again as it is, it would be refused again: not RESOURCE_EXHAUSTED, which asks to retry.
    413: Reply(3, "REQUEST_TOO_LARGE", "The request is larger than 64 KiB."),
    426: Reply(3, "MALFORMED_REQUEST", "HTTP/1.1 or HTTP/2 is needed."),
    429: Reply(8, "TOO_MANY_REQUESTS", "Too many requests; try again.", is_retryable=True),
    431: Reply(3, "HEADERS_TOO_LARGE", "The request's headers are too large."),
    501: Reply(3, "MALFORMED_REQUEST", "No Transfer-Encoding but chunked is understood."),
    503: Reply(
        14, "UNAVAILABLE", "The service cannot be reached now; try again.", is_retryable=True
    ),
    504: Reply(4, "DEADLINE_EXCEEDED", "No answer in time; ask again with the same key."),
}
_OTHERS = Reply(13, "INTERNAL", "Internal error.")
# The transcoder makes gRPC of REST, and leaves the path that was asked for in a header.
_IS_NATIVE: tuple[dict[str, Any], ...] = (
    {"header_filter": {"header": {
        "name": "content-type", "string_match": {"prefix": "application/grpc"},
    }}},
    {"header_filter": {"header": {
        "name": "x-envoy-original-path", "present_match": True, "invert_match": True,
    }}},
)  # fmt: skip


def local_replies() -> str:
    """Write the mappers of Envoy's `local_reply_config`; the first whose filter fits is taken."""
    known = [(_status("EQ", status), reply) for status, reply in REPLIES.items()]
    cases = [*known, (_status("GE", 400), _OTHERS)]
    native = [_native(fits, reply) for fits, reply in cases]
    return "\n".join(item(12, mapper) for mapper in [*native, *(_rest(*case) for case in cases)])


def item(indent: int, content: object) -> str:
    """Write an item of a YAML list as JSON, which is YAML."""
    return " " * indent + "- " + json.dumps(content)


def _status(operator: str, status: int) -> dict[str, Any]:
    comparison = {"op": operator, "value": {"default_value": status, "runtime_key": "none"}}
    return {"status_code_filter": {"comparison": comparison}}


def _rest(fits: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Write the mapper of a status for REST: a body of JSON."""
    message = f"{reply.message} %LOCAL_REPLY_BODY%" if reply.with_cause else reply.message
    details = _details(reply)
    details[0]["metadata"] = {"requestId": "%REQ(X-REQUEST-ID)%"}
    body = {"code": reply.code, "message": message, "details": details}
    headers = {"content-type": "application/json", **_retry_after(reply)}
    return {
        "filter": fits,
        "headers_to_add": _headers(headers),
        "body_format_override": {"json_format": body, "omit_empty_values": True},
    }


def _native(fits: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Write the mapper of a status for native gRPC: trailers, and no body.

    The details are made here and not per request: the request's id is in `x-request-id` alone.
    """
    headers = {
        "grpc-status": str(reply.code),
        "grpc-status-details-bin": _binary(reply),
        **_retry_after(reply),
    }
    return {
        "filter": {"and_filter": {"filters": [fits, *_IS_NATIVE]}},
        "headers_to_add": _headers(headers),
        "body_format_override": {"text_format_source": {"inline_string": reply.message}},
    }


def _details(reply: Reply) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": reply.reason, "domain": _DOMAIN}
    ]
    if reply.is_retryable:
        details.append({"@type": f"{_TYPE}RetryInfo", "retry_delay": f"{_RETRY_AFTER_S}s"})
    return details


def _binary(reply: Reply) -> str:
    """Write a reply as google.rpc.Status, in base64 without padding as gRPC has it."""
    from google.protobuf import json_format
    from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - the details must be known

    plain = {"code": reply.code, "message": reply.message, "details": _details(reply)}
    status = json_format.ParseDict(plain, status_pb2.Status())
    return base64.b64encode(status.SerializeToString(deterministic=True)).decode().rstrip("=")


def _retry_after(reply: Reply) -> dict[str, str]:
    return {"retry-after": str(_RETRY_AFTER_S)} if reply.is_retryable else {}


def _headers(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"header": {"key": key, "value": value}, "append_action": _OVERWRITE}
        for key, value in values.items()
    ]
