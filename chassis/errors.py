"""Why a question was not answered: one class per kind of error, mapped once to a gRPC status.

A business "no" (a decline, a refusal) is not here: it is an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field, by its path: `payment_orders[0].amount`."""

    field: str
    description: str
    reason: str


class PaymeshError(Exception):
    """The question was not answered; `reason` is stable, `metadata` holds no secret."""

    reason = "INTERNAL"

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}


class InvalidRequest(PaymeshError):
    """The request can never be right as it is. INVALID_ARGUMENT."""

    reason = "INVALID_FIELD"

    def __init__(self, message: str, violations: Sequence[FieldViolation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)

    @classmethod
    def field(cls, path: str, description: str, reason: str = "INVALID_FIELD") -> "InvalidRequest":
        """Build the error for one field."""
        return cls(f"{path}: {description}", [FieldViolation(path, description, reason)])


class NotFound(PaymeshError):
    """It is not there, or it is another client's. NOT_FOUND."""

    reason = "NOT_FOUND"


class AlreadyExists(PaymeshError):
    """The name is taken by something else. ALREADY_EXISTS."""

    reason = "ALREADY_EXISTS"


class FailedPrecondition(PaymeshError):
    """The state of things forbids it. FAILED_PRECONDITION."""

    reason = "FAILED_PRECONDITION"


class Unauthenticated(PaymeshError):
    """Nobody knows who is calling. UNAUTHENTICATED."""

    reason = "UNAUTHENTICATED"


class Retryable(PaymeshError):
    """The same request may succeed after `retry_after`."""

    retry_after = timedelta(seconds=1)


class Aborted(Retryable):
    """A race was lost; the whole may be tried again. ABORTED."""

    reason = "ABORTED"


class ResourceExhausted(Retryable):
    """A limit was reached. RESOURCE_EXHAUSTED."""

    reason = "RESOURCE_EXHAUSTED"


class Unavailable(Retryable):
    """A part of the system cannot be reached now. UNAVAILABLE."""

    reason = "UNAVAILABLE"


class DeadlineExceeded(PaymeshError):
    """The answer did not come in time; whether it happened is not known. DEADLINE_EXCEEDED."""

    reason = "DEADLINE_EXCEEDED"
