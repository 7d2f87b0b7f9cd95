"""What every RPC passes: request context, deadline, validation, errors to Status, log, metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis import errors
from chassis.telemetry import RPC_SECONDS, logger
from privacy import trace
from privacy.messages import card_number_in_free_text

CLIENT_ID = "x-paymesh-client-id"  # set by the edge alone, which strips what callers send
CALLER = "x-paymesh-identity"  # set by our own sidecar: whose certificate it has checked
OPERATOR = "x-paymesh-operator"  # set by the operators' listener; sidecars strip all others'
ACTOR = "x-paymesh-actor"  # what somebody says of himself
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"

CODES: dict[type[errors.PaymeshError], int] = {
    errors.InvalidRequest: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.Aborted: code_pb2.ABORTED,
    errors.ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
}
_REASONS = {"required": "MISSING_FIELD"}
_ACTOR_MAX = 200
_QUIET = ("/grpc.health.v1.", "/grpc.reflection.")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who calls, and by which request. `metadata` holds the first value of each key.

    `caller` and `operator` are SPIFFE ids out of certificates; empty without a sidecar. `method` is
    the RPC's full name, `reason` what its request gives as one; empty outside of one.
    """

    client_id: str = ""
    request_id: str = ""
    traceparent: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    caller: str = ""
    operator: str = ""
    method: str = ""
    reason: str = ""

    def header(self, name: str) -> str | None:
        """Read a metadata key, lower case."""
        return next((value for key, value in self.metadata if key == name), None)

    def actor(self) -> str:
        """Tell who acts: an operator by his certificate, or by his own word, marked as such."""
        return self.operator or f"unverified:{self.header(ACTOR) or 'system'}"[:_ACTOR_MAX]

    def own_word(self, length_max: int) -> str:
        """Tell who somebody says he is; "system" when he says nothing.

        Raises:
            InvalidRequest: it is no name of so many characters.
        """
        name = (self.header(ACTOR) or "system").strip()
        if not name or len(name) > length_max or not name.isprintable():
            raise errors.InvalidRequest.field(
                ACTOR, f"must be a printable name of 1 to {length_max} characters"
            )
        return name

    def require_client(self) -> str:
        """Tell the client.

        Raises:
            Unauthenticated: the request did not come through the edge.
        """
        if not self.client_id:
            raise errors.Unauthenticated("Credentials are missing: call through the edge.")
        return self.client_id


_OUTSIDE = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=_OUTSIDE)


def request_context() -> RequestContext:
    """Tell the context of the request under way; empty outside of one."""
    return _current.get()


def read_context(metadata: Sequence[tuple[str, str | bytes]], peer: str = "") -> RequestContext:
    """Read the context out of a call's metadata. Only a sidecar reaches a service over a unix
    socket: from any other `peer` certificates are hearsay.
    """
    texts = tuple((key, value) for key, value in metadata if isinstance(value, str))
    first = dict(reversed(texts))
    client_id, request_id = first.get(CLIENT_ID, ""), first.get(REQUEST_ID, "")
    own = first if peer.startswith("unix:") else {}
    told = own.get(CALLER, ""), own.get(OPERATOR, "")
    return RequestContext(client_id, request_id, first.get(TRACEPARENT, ""), texts, *told)


def to_status(error: errors.PaymeshError, domain: str) -> status_pb2.Status:
    """Map an error to google.rpc.Status with one ErrorInfo, and BadRequest or RetryInfo where they
    fit.
    """
    code = next((c for kind, c in CODES.items() if isinstance(error, kind)), code_pb2.INTERNAL)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)
    details: list[Message] = [info]
    if isinstance(error, errors.InvalidRequest) and error.violations:
        first = error.violations[0]
        info.reason = first.reason if len(error.violations) == 1 else error.reason
        info.metadata["field"] = first.field
        details.append(_bad_request(error.violations))
    if isinstance(error, errors.Retryable):
        details.append(error_details_pb2.RetryInfo(retry_delay=error.retry_after))
    status = status_pb2.Status(code=code, message=error.message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _bad_request(violations: Sequence[errors.FieldViolation]) -> error_details_pb2.BadRequest:
    kind = error_details_pb2.BadRequest.FieldViolation
    fields = [kind(field=v.field, description=v.description, reason=v.reason) for v in violations]
    return error_details_pb2.BadRequest(field_violations=fields)


def validate(request: Message) -> None:
    """Hold a request against the rules in its proto; no card number may stand in free text, which
    reaches a service by its operators too, past the edge.

    Raises:
        InvalidRequest: naming each field that breaks a rule.
    """
    path = card_number_in_free_text(request)
    if path is not None:
        raise errors.InvalidRequest.field(path, "holds a card number", "CARD_NUMBER_REFUSED")
    broken = protovalidate.collect_violations(request)
    if not broken:
        return
    violations = [
        errors.FieldViolation(
            _path(v), v.proto.message, _REASONS.get(v.proto.rule_id, "INVALID_FIELD")
        )
        for v in broken
    ]
    message = "; ".join(f"{v.field}: {v.description}" for v in violations[:5])
    raise errors.InvalidRequest(message, violations)


def _path(violation: Any) -> str:
    return ".".join(
        element.field_name + (f"[{element.subscript.value}]" if element.subscript else "")
        for element in violation.proto.field.elements
    )


class Gate(grpc.aio.ServerInterceptor):
    """Wraps every RPC of a service, streams too; a `check` of an RPC's own stands for `validate`.

    Args:
        domain: of ErrorInfo, such as "payment.paymesh".
        timeout_s: the longest deadline, and that of a caller without one; a stream has its own.
    """

    def __init__(self, domain: str, timeout_s: float) -> None:
        self._domain = domain
        self._timeout_s = timeout_s
        self._log = logger()
        self._wrapped: dict[str, Any] = {}  # by method: a call finds the wrapping done

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap the handler; health and reflection pass untouched."""
        if (known := self._wrapped.get(details.method)) is not None:
            return known
        handler = await continuation(details)
        if handler is None or details.method.startswith(_QUIET):
            return handler
        method, inner = details.method, handler.unary_unary or handler.unary_stream
        check = getattr(inner, "check", validate)

        async def answer(request: Message, context: Any) -> Message:
            async with self._guard(method, context, request):
                check(request)
                async with asyncio.timeout(self._deadline(context)):
                    response: Message = await inner(request, context)
                    return response

        async def stream(request: Message, context: Any) -> AsyncIterator[Message]:
            async with self._guard(method, context, request):
                validate(request)
                async for message in inner(request, context):
                    yield message

        codecs = (handler.request_deserializer, handler.response_serializer)
        wrapped = (
            grpc.unary_stream_rpc_method_handler(stream, *codecs)
            if handler.unary_unary is None
            else grpc.unary_unary_rpc_method_handler(answer, *codecs)
        )
        return self._wrapped.setdefault(method, wrapped)

    @asynccontextmanager
    async def _guard(self, method: str, context: Any, request: Message) -> AsyncIterator[None]:
        """Set the request's context; turn what goes wrong into a status, and tell how it went."""
        started = time.perf_counter()
        caller = replace(
            read_context(context.invocation_metadata() or (), context.peer()),
            method=method.removeprefix("/"),
            reason=str(getattr(request, "reason", "")),
        )
        _current.set(caller)  # the RPC's task ends with it
        trace.TRACEPARENT.set(caller.traceparent)
        problem: errors.PaymeshError | None = None
        try:
            yield
            return
        except errors.PaymeshError as error:
            problem = error
        except TimeoutError:
            problem = errors.DeadlineExceeded(
                "No answer in time; whether it happened is not known. Ask again with the same key."
            )
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError):
                raise
            self._log.error(
                "rpc_failed", method=method, request_id=caller.request_id, exc_info=True
            )
            problem = errors.PaymeshError("Internal error.")
        finally:
            self._tell(method, caller, problem, time.perf_counter() - started)
        status = to_status(problem, self._domain)
        await context.abort_with_status(rpc_status.to_status(status))

    def _deadline(self, context: Any) -> float:
        remaining = context.time_remaining()
        return self._timeout_s if remaining is None else min(self._timeout_s, max(remaining, 0.0))

    def _tell(
        self, method: str, caller: RequestContext, error: errors.PaymeshError | None, seconds: float
    ) -> None:
        code = "OK" if error is None else error.reason
        RPC_SECONDS.labels(method, code).observe(seconds)
        self._log.debug(
            "rpc",
            method=method,
            code=code,
            duration_ms=round(seconds * 1000, 1),
            request_id=caller.request_id,
            client_id=caller.client_id,
            caller=caller.caller,
        )
