"""Channels to other services: they retry only what may be retried, and speak our errors."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chassis import errors
from chassis.interceptors import CLIENT_ID, CODES, REQUEST_ID, TRACEPARENT, request_context
from privacy import trace

Response = TypeVar("Response")

_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_UNKNOWN_LEVEL = 0
_INFO = error_details_pb2.ErrorInfo.DESCRIPTOR

_NUMBERS = {code.value[0]: code for code in grpc.StatusCode}
_ERRORS = {_NUMBERS[number]: kind for kind, number in CODES.items()}
_ERRORS[grpc.StatusCode.CANCELLED] = errors.Unavailable


def retryable_methods(services: Sequence[ServiceDescriptor]) -> list[dict[str, str]]:
    """Name the methods that declare themselves free of side effects or idempotent."""
    return [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.GetOptions().idempotency_level != _UNKNOWN_LEVEL
    ]


def open_channel(target: str, *services: ServiceDescriptor) -> grpc.aio.Channel:
    """Open a channel to `host:port` that retries UNAVAILABLE, twice, on the retryable methods of
    `services`.
    """
    policy = {
        "maxAttempts": 3,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = {"methodConfig": [{"name": retryable_methods(services), "retryPolicy": policy}]}
    return grpc.aio.insecure_channel(
        target,
        options=[
            ("grpc.service_config", json.dumps(config)),
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.keepalive_time_ms", 30_000),
        ],
    )


def forwarded() -> list[tuple[str, str]]:
    """Write what goes along with a call for the request under way: its id, trace and client."""
    context = request_context()
    pairs = (
        (REQUEST_ID, context.request_id),
        (TRACEPARENT, trace.TRACEPARENT.get()),
        (CLIENT_ID, context.client_id),
    )
    return [(key, value) for key, value in pairs if value]


async def call(method: Callable[..., Any], request: Any, timeout_s: float) -> Any:
    """Call a stub's method with a deadline; the request id and the trace go along.

    Raises:
        PaymeshError: the kind that the status code names; Unavailable when nobody answered.
    """
    try:
        return await method(request, timeout=timeout_s, metadata=forwarded())
    except grpc.aio.AioRpcError as error:
        raise to_error(error) from error
    except asyncio.CancelledError:
        # The channel was closed under the call; a cancelled caller is told apart by its task.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise errors.Unavailable("The channel was closed.") from None


def to_error(error: grpc.aio.AioRpcError) -> errors.PaymeshError:
    """Turn a status into the error it was made from, as far as its details tell."""
    kind = _ERRORS.get(error.code(), errors.PaymeshError)
    status = rpc_status.from_call(error)
    # What the channel or a proxy says names hosts, and may reach a caller: it is not repeated.
    is_ours = status is not None and any(d.Is(_INFO) for d in status.details)
    words = error.details() if is_ours else None
    result = kind(words or f"Another part answered {error.code().name}.")
    for detail in status.details if status else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            result.reason = info.reason
            result.metadata = dict(info.metadata)
        elif detail.Unpack(retry) and isinstance(result, errors.Retryable):
            result.retry_after = retry.retry_delay.ToTimedelta() or timedelta(seconds=1)
    return result
