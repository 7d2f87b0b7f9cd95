"""What the client makes of a status, however it arrives."""

import pickle

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from paymesh.client import AlreadyExists, PaymeshError, RateLimited
from paymesh.client.errors import to_error


def failed(code: grpc.StatusCode, details: bytes | None) -> grpc.aio.AioRpcError:
    """Make the error of a call that ended so."""
    told = [] if details is None else [("grpc-status-details-bin", details)]
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*told), details="no")


def boxed(*details: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> bytes:
    """Write a google.rpc.Status."""
    status = status_pb2.Status(code=1, message="not what the trailers say")
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        status.details.append(box)
    return status.SerializeToString()


def test_details_are_read_though_code_and_message_differ() -> None:
    """A proxy may reword the message; what the service told stays worth reading."""
    info = error_details_pb2.ErrorInfo(reason="RATE_LIMITED", metadata={"a": "b"})
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=7))

    error = to_error(failed(grpc.StatusCode.RESOURCE_EXHAUSTED, boxed(info, retry)), "mine")

    assert isinstance(error, RateLimited)
    assert (error.reason, error.metadata, error.retry_after_s) == ("RATE_LIMITED", {"a": "b"}, 7)
    assert (str(error), error.idempotency_key) == ("RATE_LIMITED: no", "mine")


@pytest.mark.parametrize("details", [None, b"", b"\xff\xff\xff"], ids=repr)
def test_status_without_readable_details_is_still_told(details: bytes | None) -> None:
    """The kind and the message are what the status says."""
    error = to_error(failed(grpc.StatusCode.ALREADY_EXISTS, details), None)

    assert isinstance(error, AlreadyExists)
    assert (str(error), error.reason, error.fields) == ("no", "", {})


def test_unknown_status_is_the_general_error() -> None:
    """A code that the client knows nothing of is not a crash."""
    assert type(to_error(failed(grpc.StatusCode.DATA_LOSS, None), None)) is PaymeshError


def test_error_is_an_exception_like_any_other() -> None:
    """It can be hashed, as loggers do, and sent to another process, as pools do."""
    error = RateLimited("slow down", reason="RATE_LIMITED", retry_after_s=2.0)

    copied = pickle.loads(pickle.dumps(error))

    assert len({error, RateLimited("slow down")}) == 2
    assert (type(copied), vars(copied)) == (RateLimited, vars(error))
