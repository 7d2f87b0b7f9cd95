"""What payment_svc tells the audit log: clients' and operators' changes, as records."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from audit_log.origin import by_caller, current_origin
from audit_log.record import ActorKind, Origin, Record, record
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.domain.payment import Payment
from payment_svc.domain.webhook_endpoint import WebhookEndpoint
from payment_svc.ports import Asked


def accepted(asked: Asked, payment: Payment) -> Record:
    """Tell of a payment that a client asked for; who pays, and by which token, is not told."""
    amounts = [order.amount for order in payment.orders]
    after = {
        "status": "PENDING",
        "amount": sum((one.amount for one in amounts[1:]), amounts[0].amount),
        "currency": amounts[0].currency,
        "capture_method": payment.capture_method,
        "orders": ",".join(order.payment_order_id for order in payment.orders),
    }
    return record(asked.by(), "payment", payment.payment_id, after=after)


def changed(asked: Asked, before: Payment, after: Payment) -> Record:
    """Tell of a payment that a client changed."""
    old, new = ({"status": p.status, "revision": p.revision} for p in (before, after))
    new["revision"] = before.revision + 1
    return record(asked.by(), "payment", before.payment_id, before=old, after=new)


def endpoint_made(asked: Asked, endpoint: WebhookEndpoint, generation: int) -> Record:
    """Tell of a client's new endpoint; of its address only where it leads."""
    after = {
        "status": endpoint.status,
        "host": urlsplit(endpoint.url).hostname,
        "event_types": ",".join(sorted(endpoint.event_types)),
        "secret_generation": generation,
    }
    return record(asked.by(), "webhook_endpoint", endpoint.endpoint_id, after=after)


def secret_rotated(asked: Asked, endpoint_id: str, generation: int) -> Record:
    """Tell that a client made a new secret; never which."""
    before, after = {"secret_generation": generation - 1}, {"secret_generation": generation}
    return record(asked.by(), "webhook_endpoint", endpoint_id, before=before, after=after)


def endpoint_deleted(endpoint: WebhookEndpoint) -> Record:
    """Tell that a client gave an endpoint up, which stands there as it was."""
    return by_caller(
        "payment_svc/DeleteWebhookEndpoint",
        "webhook_endpoint",
        endpoint.endpoint_id,
        before={"status": endpoint.status},
        after={"status": "DELETED"},
    )


def redelivered(endpoint: WebhookEndpoint, after: Mapping[str, object]) -> Record:
    """Tell that a client had events sent again."""
    return by_caller(
        "payment_svc/RedeliverEvent", "webhook_endpoint", endpoint.endpoint_id, after=after
    )


def refused(resolution_id: str, why: str) -> Record:
    """Tell that somebody tried to approve what takes another person."""
    return by_caller(
        "payment_svc/ApproveResolution", "resolution", resolution_id, after={"refused": why}
    )


def operated(action: OperatorAction) -> Record:
    """Tell what an operator did. What was approved is applied by the service, in his name."""
    call = current_origin(f"payment_svc/{action.kind}")
    is_applied = action.kind is OperatorActionKind.APPLY
    origin = Origin(
        ActorKind.OPERATOR,
        action.actor.name,
        action.actor.is_verified,
        "payment_svc/ApplyResolution" if is_applied else call.action,
        call.request_id,
    )
    return record(
        origin,
        "saga",
        action.saga_id,
        reason=action.reason,
        before=action.before,
        after={**action.after, "payment_id": action.payment_id},
    )
