"""Why payment_svc does not answer a question: a catalogue, one class per reason."""

from collections.abc import Sequence
from datetime import timedelta

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    ResourceExhausted,
)


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


class SagaNotFound(NotFound):
    """There is no such saga."""

    reason = "SAGA_NOT_FOUND"

    def __init__(self, saga_id: str) -> None:
        super().__init__(f"There is no saga {saga_id}.", sagaId=saga_id)


class SagaNotRetryable(FailedPrecondition):
    """The saga is at work, done, or planned for a day that has not come."""

    reason = "SAGA_NOT_RETRYABLE"

    def __init__(self, saga_id: str, queue: str, why: str) -> None:
        super().__init__(
            f"Saga {saga_id} ({queue}) cannot be let go on: {why or 'nothing is wrong with it'}.",
            sagaId=saga_id,
            queue=queue,
        )


class SagaMoved(Aborted):
    """The saga has moved since it was looked at; look again."""

    reason = "SAGA_MOVED"

    def __init__(self, saga_id: str, epoch: int) -> None:
        super().__init__(
            f"Saga {saga_id} has moved since it was looked at; look again.",
            sagaId=saga_id,
            epoch=epoch,
        )


class ResolutionUnfit(FailedPrecondition):
    """What is proposed does not fit the step at which the saga stands."""

    reason = "RESOLUTION_UNFIT"

    def __init__(self, saga_id: str, step: str, why: str, fitting: Sequence[str]) -> None:
        named = ", ".join(fitting) or "none: let it go on with RetrySaga"
        super().__init__(
            f"It does not fit step {step} of saga {saga_id}: {why}. What fits: {named}.",
            sagaId=saga_id,
            step=step,
            fitting=named,
        )


class ResolutionPending(FailedPrecondition):
    """Another proposal for the saga is open."""

    reason = "RESOLUTION_PENDING"

    def __init__(self, saga_id: str, resolution_id: str) -> None:
        super().__init__(
            f"{resolution_id} for saga {saga_id} is open: approve or reject it first.",
            sagaId=saga_id,
            resolutionId=resolution_id,
        )


class ResolutionNotFound(NotFound):
    """There is no such resolution."""

    reason = "RESOLUTION_NOT_FOUND"

    def __init__(self, resolution_id: str) -> None:
        super().__init__(f"There is no resolution {resolution_id}.", resolutionId=resolution_id)


class ResolutionNotOpen(FailedPrecondition):
    """The resolution was decided already, or has expired."""

    reason = "RESOLUTION_NOT_OPEN"

    def __init__(self, resolution_id: str, status: str) -> None:
        super().__init__(
            f"Resolution {resolution_id} is {status}.", resolutionId=resolution_id, status=status
        )


class SecondPersonNeeded(FailedPrecondition):
    """Who proposed a resolution cannot approve it."""

    reason = "SECOND_PERSON_NEEDED"

    def __init__(self, resolution_id: str, name: str) -> None:
        super().__init__(
            f"{name} proposed {resolution_id}; another person has to approve it.",
            resolutionId=resolution_id,
            proposedBy=name,
        )


class UnverifiedOperator(FailedPrecondition):
    """In production only whom a certificate names is one of the two persons of a resolution."""

    reason = "UNVERIFIED_OPERATOR"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No certificate says who {name} is. In production a resolution is proposed and"
            " approved by two operators who come in through the mesh with their own certificates.",
            actor=name,
        )


class IdempotencyKeyNotFound(NotFound):
    """Nothing is kept under the key: no request with it was accepted."""

    reason = "IDEMPOTENCY_KEY_NOT_FOUND"

    def __init__(self, client_id: str, method: str) -> None:
        super().__init__(
            f"No {method} of client {client_id} was accepted under this key.",
            clientId=client_id,
            method=method,
        )
