"""What a call can end in other than an answer: one class per kind of error."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import grpc
from google.protobuf.any_pb2 import Any as Detail
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_DETAILS = "grpc-status-details-bin"


@dataclass(eq=False)  # an exception is itself, and can be hashed, whatever it says
class PaymeshError(Exception):
    """The call was not answered as hoped.

    Attributes:
        message: one sentence for a person.
        reason: the stable word of ErrorInfo, such as IDEMPOTENCY_KEY_REUSED; empty when none came.
        fields: what is wrong with which field, by its path.
        metadata: the facts of ErrorInfo.
        retry_after_s: when the same call may succeed; None when nobody said.
        idempotency_key: the key of the write; send the same request under it to learn what became
            of it. None for a read.
    """

    message: str
    reason: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    idempotency_key: str | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.reason else self.message


class InvalidRequest(PaymeshError):
    """The request can never be right as it is; `fields` says where."""


class Unauthenticated(PaymeshError):
    """The API key is missing or not valid."""


class NotFound(PaymeshError):
    """It is not there, or it is another client's."""


class AlreadyExists(PaymeshError):
    """The idempotency key, or a payment_order_id, belongs to something else."""


class FailedPrecondition(PaymeshError):
    """The state of things forbids it."""


class RateLimited(PaymeshError):
    """Too many requests, for longer than the client was willing to wait."""


class Unavailable(PaymeshError):
    """Nobody answered, for longer than the client was willing to wait."""


class DeadlineExceeded(PaymeshError):
    """The answer did not come in time; whether it happened is not known."""


_KINDS: Mapping[grpc.StatusCode, type[PaymeshError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimited,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
# The same call may succeed. A write carries its key, so it cannot happen twice.
AGAIN: tuple[type[PaymeshError], ...] = (RateLimited, Unavailable, DeadlineExceeded)


def to_error(error: grpc.aio.AioRpcError, idempotency_key: str | None) -> PaymeshError:
    """Turn a status into the error that it means, with all its details tell."""
    kind = _KINDS.get(error.code(), PaymeshError)
    result = kind(error.details() or error.code().name, idempotency_key=idempotency_key)
    for detail in _details(error):
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(info):
            result.reason, result.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            result.fields = {v.field: v.description for v in bad.field_violations}
        elif detail.Unpack(retry):
            result.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    return result


def _details(error: grpc.aio.AioRpcError) -> Iterable[Detail]:
    """Read the details; none where a proxy on the way has cut them off or about."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value).details
            except DecodeError:
                return ()
    return ()
