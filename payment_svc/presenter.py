"""Payments, sagas and their history as messages: one mapping per enum, total."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1 import payment_pb2

from payment_svc.domain.payment import (
    CaptureMethod,
    Failure,
    Order,
    PartialFailurePolicy,
    Payment,
    PaymentMethod,
)
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.ports import SagaView, StatusChange
from payment_svc.sagas.journey import Entry, Queue

PAYMENT_STATUSES = {
    status: payment_pb2.Payment.Status.Value(status.value) for status in PaymentStatus
}
ORDER_STATUSES = {
    status: payment_pb2.PaymentOrder.Status.Value(status.value) for status in OrderStatus
}
CAPTURE_METHODS = {
    method: payment_pb2.Payment.CaptureMethod.Value(method.value) for method in CaptureMethod
}
POLICIES = {
    policy: payment_pb2.Payment.PartialFailurePolicy.Value(policy.value)
    for policy in PartialFailurePolicy
}
PAYMENT_METHODS = {
    method: payment_pb2.Payment.PaymentMethod.Value(method.value) for method in PaymentMethod
}
QUEUES = {queue: operations.Saga.Queue.Value(queue.value) for queue in Queue}


def timestamp(moment: datetime) -> Timestamp:
    """Write a moment."""
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def accepted(payment: Payment) -> payment_pb2.Payment:
    """Write the answer to CreatePayment: what the specification shows, no more."""
    message = payment_pb2.Payment(
        payment_id=payment.payment_id,
        status=PAYMENT_STATUSES[payment.status],
        created_at=timestamp(payment.created_at),
    )
    for order in payment.orders:
        message.payment_orders.add(
            payment_order_id=order.payment_order_id,
            status=ORDER_STATUSES[order.status],
            amount=str(order.amount),
            currency=order.amount.currency,
        )
    return message


def payment(found: Payment) -> payment_pb2.Payment:
    """Write a payment as its client sees it."""
    message = accepted(found)
    message.checkout_id = found.checkout_id
    message.amount = str(found.amount)
    message.currency = found.currency
    for order, line in zip(found.orders, message.payment_orders, strict=True):
        _more_of_order(order, line)
    if found.executed_at is not None:
        message.executed_at.CopyFrom(timestamp(found.executed_at))
    if found.failure is not None:
        message.failure.CopyFrom(failure(found.failure))
    if found.redirect_url is not None:
        message.next_action.redirect_url = found.redirect_url
    if found.capture_method is not CaptureMethod.AUTOMATIC:
        message.capture_method = CAPTURE_METHODS[found.capture_method]
    if found.capture_before is not None:
        message.capture_before.CopyFrom(timestamp(found.capture_before))
    if found.partial_failure_policy is not PartialFailurePolicy.ALL_OR_NOTHING:
        message.partial_failure_policy = POLICIES[found.partial_failure_policy]
    if found.method is not PaymentMethod.CARD:
        message.payment_method = PAYMENT_METHODS[found.method]
    return message


def _more_of_order(order: Order, line: payment_pb2.PaymentOrder) -> None:
    line.seller_account = order.seller_account
    if order.failure is not None:
        line.failure.CopyFrom(failure(order.failure))
    if order.captured is not None:
        line.captured_amount = str(order.captured)


def failure(why: Failure) -> payment_pb2.Failure:
    """Write why a payment or an order did not succeed."""
    return payment_pb2.Failure(reason=why.reason, message=why.message, psp_code=why.psp_code)


def saga(view: SagaView) -> operations.Saga:
    """Write a saga with its journal."""
    progress = view.progress
    message = operations.Saga(
        saga_id=progress.saga_id,
        payment_id=progress.payment_id,
        kind=progress.kind,
        definition_version=progress.definition_version,
        queue=QUEUES[progress.queue],
        step=progress.step,
        turned_round=progress.turned_round,
        tries=progress.tries,
        reason=progress.reason,
        epoch=progress.epoch,
        created_at=timestamp(progress.created_at),
        steps=[_step(entry) for entry in view.entries],
    )
    if view.due_at is not None:
        message.due_at.CopyFrom(timestamp(view.due_at))
    if progress.unknown_since is not None and progress.queue is not Queue.DONE:
        message.unknown_since.CopyFrom(timestamp(progress.unknown_since))
    if view.moved_at is not None:
        message.moved_at.CopyFrom(timestamp(view.moved_at))
    return message


def _step(entry: Entry) -> operations.SagaStep:
    return operations.SagaStep(
        sequence=entry.sequence,
        step=entry.step,
        action=entry.action,
        outcome=entry.outcome,
        detail=entry.detail,
        definition_version=entry.definition_version,
        started_at=timestamp(entry.started_at),
        finished_at=timestamp(entry.finished_at),
    )


def status_change(change: StatusChange) -> operations.StatusChange:
    """Write a line of the status history."""
    return operations.StatusChange(
        subject_id=change.subject_id,
        from_status=change.from_status,
        to_status=change.to_status,
        reason=change.reason,
        changed_at=timestamp(change.changed_at),
    )
