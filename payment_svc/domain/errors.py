"""Why payment_svc does not answer a question: a catalogue, one class per reason."""

from collections.abc import Sequence
from datetime import timedelta

from chassis.errors import AlreadyExists, FailedPrecondition, NotFound, ResourceExhausted


class IdempotencyKeyReused(AlreadyExists):
    """The key was used with another request."""

    reason = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self, fields: Sequence[str]) -> None:
        named = ", ".join(fields)
        super().__init__(
            f"The Idempotency-Key was used with another request; these fields differ: {named}.",
            fields=named,
        )


class QueueFull(ResourceExhausted):
    """Too much waits to be worked on: nothing was stored, and the key is free."""

    reason = "QUEUE_FULL"

    def __init__(self, wait: timedelta) -> None:
        super().__init__("Too many payments are waiting; send the same request again later.")
        self.retry_after = wait


class PaymentOrderIdInUse(AlreadyExists):
    """An order of this client that has not failed has the id already."""

    reason = "PAYMENT_ORDER_ID_IN_USE"

    def __init__(self, payment_order_ids: Sequence[str]) -> None:
        named = ", ".join(payment_order_ids)
        super().__init__(
            f"payment_order_id is in use: {named}. A failed or cancelled order frees its id.",
            paymentOrderIds=named,
        )


class PaymentNotFound(NotFound):
    """There is no such payment, or it is another client's."""

    reason = "PAYMENT_NOT_FOUND"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"There is no payment {payment_id}.", paymentId=payment_id)


class CheckoutSessionNotFound(NotFound):
    """There is no such checkout session, or it is another client's."""

    reason = "CHECKOUT_SESSION_NOT_FOUND"

    def __init__(self, checkout_session_id: str) -> None:
        super().__init__(
            f"There is no checkout session {checkout_session_id}.",
            checkoutSessionId=checkout_session_id,
        )


class PaymentNotCapturable(FailedPrecondition):
    """Only what is held can be captured, and once."""

    reason = "PAYMENT_NOT_CAPTURABLE"

    def __init__(self, payment_id: str, status: str) -> None:
        super().__init__(
            f"Payment {payment_id} is {status}; only REQUIRES_CAPTURE can be captured.",
            paymentId=payment_id,
            status=status,
        )


class PaymentNotCancellable(FailedPrecondition):
    """Only what is held can be let go."""

    reason = "PAYMENT_NOT_CANCELLABLE"

    def __init__(self, payment_id: str, status: str) -> None:
        super().__init__(
            f"Payment {payment_id} is {status}; only REQUIRES_CAPTURE can be cancelled.",
            paymentId=payment_id,
            status=status,
        )


class PaymentOutcomeUnknown(FailedPrecondition):
    """It is not known whether money moved; nothing else is done about it before that is."""

    reason = "PAYMENT_OUTCOME_UNKNOWN"

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"It is not known yet whether the PSP moved money of payment {payment_id}. It is being"
            " looked up now; ask again once the order is no longer UNKNOWN.",
            paymentId=payment_id,
        )


class CaseNotFound(NotFound):
    """There is no such case."""

    reason = "CASE_NOT_FOUND"

    def __init__(self, case_id: str) -> None:
        super().__init__(f"There is no case {case_id}.", caseId=case_id)


class WebhookEndpointNotFound(NotFound):
    """There is no such endpoint, or it is another client's, or deleted."""

    reason = "WEBHOOK_ENDPOINT_NOT_FOUND"

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(f"There is no webhook endpoint {endpoint_id}.", endpointId=endpoint_id)


class WebhookEndpointLimit(FailedPrecondition):
    """The client has as many endpoints as it may have."""

    reason = "WEBHOOK_ENDPOINT_LIMIT"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"There are {limit} webhook endpoints already, the most there may be; delete one.",
            limit=limit,
        )


class WebhookEndpointDisabled(FailedPrecondition):
    """The endpoint answered 410 Gone; nothing is sent to it any more."""

    reason = "WEBHOOK_ENDPOINT_DISABLED"

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(
            f"Webhook endpoint {endpoint_id} answered 410 Gone; delete it and register anew.",
            endpointId=endpoint_id,
        )


class WebhookSecretMissing(FailedPrecondition):
    """The key that the endpoint's secret is derived from is not among the settings."""

    reason = "WEBHOOK_SECRET_MISSING"

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(
            f"The secret of {endpoint_id} cannot be made here; rotate it.", endpointId=endpoint_id
        )


class EventNotFound(NotFound):
    """There is no such event, or it is another client's."""

    reason = "EVENT_NOT_FOUND"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"There is no event {event_id}.", eventId=event_id)
