"""gRPC ↔ use cases: the public PaymentService."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from paymesh.payment.v1 import payment_pb2, payment_service_pb2
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceServicer

from chassis.clock import Clock
from chassis.idempotency import REPLAYED, fingerprint, require_key
from chassis.interceptors import RequestContext, request_context
from chassis.money import parse_field
from payment_svc import presenter
from payment_svc.domain.payment import Buyer, NewId, Payment
from payment_svc.ports import PaymentStore
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder, create_payment
from payment_svc.use_cases.get_payment import get_payment
from payment_svc.waiting import Waiters

_WAIT_MAX_S = 30.0
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII | re.IGNORECASE)


class PublicPaymentService(PaymentServiceServicer):
    """Serves `paymesh.payment.v1.PaymentService`.

    Args:
        created: told of each accepted payment; it wakes the worker.
        fingerprint_key: hashes the fields of requests.
    """

    def __init__(
        self,
        store: PaymentStore,
        waiters: Waiters,
        *,
        clock: Clock,
        new_id: NewId,
        fingerprint_key: bytes,
        created: Callable[[], None],
    ) -> None:
        self._store = store
        self._waiters = waiters
        self._clock = clock
        self._new_id = new_id
        self._key = fingerprint_key
        self._created = created

    async def CreatePayment(
        self, request: payment_service_pb2.CreatePaymentRequest, context: Any
    ) -> payment_pb2.Payment:
        """Accept a payment; see the proto."""
        caller = request_context()
        accepted = await create_payment(
            to_command(request, caller, self._key),
            store=self._store,
            clock=self._clock,
            new_id=self._new_id,
            render=_first_answer,
        )
        if accepted.replayed:
            await context.send_initial_metadata(((REPLAYED, "true"),))
        else:
            self._created()
        wait_s = preferred_wait(caller)
        if wait_s is None:
            return payment_pb2.Payment.FromString(accepted.answer)
        read = partial(get_payment, caller.client_id, accepted.payment_id, store=self._store)
        return presenter.payment(await self._waiters.settled(accepted.payment_id, read, wait_s))

    async def GetPayment(
        self, request: payment_service_pb2.GetPaymentRequest, _: Any
    ) -> payment_pb2.Payment:
        """Read a payment; see the proto."""
        client_id = request_context().require_client()
        return presenter.payment(
            await get_payment(client_id, request.payment_id, store=self._store)
        )


def _first_answer(payment: Payment) -> bytes:
    return presenter.accepted(payment).SerializeToString(deterministic=True)


def preferred_wait(caller: RequestContext) -> float | None:
    """Read `Prefer: wait=N` (RFC 7240); more than 30 seconds are lowered, nonsense is ignored."""
    match = _PREFER_WAIT.search(caller.header("prefer") or "")
    return min(float(match[1]), _WAIT_MAX_S) if match else None


def to_command(
    request: payment_service_pb2.CreatePaymentRequest, caller: RequestContext, key: bytes
) -> CreatePayment:
    """Read a request.

    Raises:
        Unauthenticated: no client.
        InvalidRequest: no idempotency key, or an amount or currency that is none.
    """
    buyer = request.buyer_info
    return CreatePayment(
        client_id=caller.require_client(),
        idempotency_key=require_key(caller),
        fingerprint=fingerprint(request, key),
        checkout_id=request.checkout_id,
        buyer=Buyer(
            buyer_id=buyer.id,
            email=buyer.email or None,
            ip_address=buyer.ip_address if buyer.HasField("ip_address") else None,
            country_code=buyer.country_code if buyer.HasField("country_code") else None,
        ),
        payment_token=request.credit_card_info.token,
        orders=[
            NewOrder(
                order.seller_account,
                parse_field(f"payment_orders[{index}]", order.amount, order.currency),
                order.payment_order_id,
            )
            for index, order in enumerate(request.payment_orders)
        ],
    )
