"""What Stripe refuses, in Stripe's words."""

from typing import Any

from devstack.sandbox.stripe.objects import Intent


class StripeError(Exception):
    """An answer that is an error.

    Args:
        status: of HTTP.
        kind: Stripe's `type`.
        message: for people.
        code, param: Stripe's, when there are.
        executed: whether the call had begun to execute, so that the error is kept under its key.
        intent: the PaymentIntent the error carries.
        fields: further fields of the error object.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        intent: Intent | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        self.intent = intent
        named = {"code": code, "param": param, **fields}
        self.error = {"type": kind, "message": message}
        self.error.update({name: value for name, value in named.items() if value is not None})


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
    """Refuse a request that can never be right; nothing is kept under its key."""
    return StripeError(400, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, reference: str, param: str, status: int = 404) -> StripeError:
    """Say that there is no such object."""
    message = f"No such {kind}: '{reference}'"
    return StripeError(
        status, "invalid_request_error", message, code="resource_missing", param=param
    )


def unexpected_state(message: str, intent: Intent) -> StripeError:
    """Refuse what the PaymentIntent's status forbids."""
    return StripeError(
        400,
        "invalid_request_error",
        message,
        code="payment_intent_unexpected_state",
        executed=True,
        intent=intent,
    )
