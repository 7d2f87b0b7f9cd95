"""gRPC ↔ use cases: the public PaymentService."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

from paymesh.payment.v1 import checkout_session_pb2, payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceServicer

from chassis.clock import Clock
from chassis.errors import ResourceExhausted
from chassis.interceptors import RequestContext, request_context
from payment_svc import presenter, requests
from payment_svc.checkout_presenter import checkout_session
from payment_svc.domain.backlog import OPEN, Admission
from payment_svc.domain.errors import PaymentOutcomeUnknown
from payment_svc.domain.payment import NewId, Payment
from payment_svc.domain.return_url import ReturnUrls
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.idempotency import REPLAYED
from payment_svc.ports import Accepted, PaymentStore, Returns, SagaStore, Sellers
from payment_svc.use_cases import (
    cancel_payment,
    capture_payment,
    create_checkout_session,
    create_payment,
)
from payment_svc.use_cases.get_checkout_session import get_checkout_session
from payment_svc.use_cases.get_payment import get_payment
from payment_svc.use_cases.list_payments import list_payments
from payment_svc.use_cases.resume_payment import resume_payment
from payment_svc.waiting import Read, Waiters

_WAIT_MAX_S = 30.0
_PAGE_WAIT_S = 10.0
_WATCH_MAX_S = 600.0
_WATCHERS_MAX = 2_000  # below RPC_COUNT_MAX: watching must not keep payments out
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII | re.IGNORECASE)


class PublicPaymentService(PaymentServiceServicer):
    """Serves `paymesh.payment.v1.PaymentService`.

    Args:
        return_urls: where buyers may be sent from a PSP's page.
        begun: told of each saga that a client has begun; it wakes the worker.
        admission: says whether another payment is taken in.
        fingerprint_key: hashes the fields of requests.
    """

    def __init__(
        self,
        store: PaymentStore,
        waiters: Waiters,
        *,
        sellers: Sellers,
        returns: Returns,
        sagas: SagaStore,
        return_urls: ReturnUrls,
        clock: Clock,
        new_id: NewId,
        fingerprint_key: bytes,
        begun: Callable[[], None],
        admission: Admission = OPEN,
    ) -> None:
        self._store = store
        self._waiters = waiters
        self._sellers = sellers
        self._returns = returns
        self._sagas = sagas
        self._return_urls = return_urls
        self._clock = clock
        self._new_id = new_id
        self._key = fingerprint_key
        self._begun = begun
        self._admission = admission

    async def CreatePayment(
        self, request: service.CreatePaymentRequest, context: Any
    ) -> payment_pb2.Payment:
        """Accept a payment; see the proto."""
        caller = request_context()
        asked = requests.asked(create_payment.METHOD, request, caller, self._key)
        accepted = await create_payment.create_payment(
            requests.new_payment(asked, request),
            store=self._store,
            sellers=self._sellers,
            clock=self._clock,
            new_id=self._new_id,
            render=_first_answer,
            admission=self._admission,
        )
        return await self._answer(accepted, caller, context)

    async def GetPayment(self, request: service.GetPaymentRequest, _: Any) -> payment_pb2.Payment:
        """Read a payment; see the proto."""
        return presenter.payment(await self._reading(request.payment_id)())

    async def ListPayments(
        self, request: service.ListPaymentsRequest, _: Any
    ) -> service.ListPaymentsResponse:
        """List payments; see the proto."""
        filters = requests.filters(request_context().require_client(), request)
        payments, token = await list_payments(
            filters, request.page_size, request.page_token, store=self._store
        )
        return service.ListPaymentsResponse(
            payments=[presenter.payment(payment) for payment in payments], next_page_token=token
        )

    async def WatchPayment(
        self, request: service.WatchPaymentRequest, _: Any
    ) -> AsyncIterator[service.PaymentEvent]:
        """Tell a payment's states; see the proto."""
        read = self._reading(request.payment_id)
        if self._waiters.count >= _WATCHERS_MAX:
            raise ResourceExhausted("Too many are watching here; try again soon.")
        states = self._waiters.states(request.payment_id, read, _WATCH_MAX_S)
        told = 0
        async with aclosing(states):
            async for payment in states:
                if payment.version > told:
                    told = payment.version
                    yield service.PaymentEvent(sequence=told, payment=presenter.payment(payment))

    async def CapturePayment(
        self, request: service.CapturePaymentRequest, context: Any
    ) -> payment_pb2.Payment:
        """Capture a held amount; see the proto."""
        caller = request_context()
        asked = requests.asked(capture_payment.METHOD, request, caller, self._key)
        async with self._resolving(request.payment_id):
            accepted = await capture_payment.capture_payment(
                requests.capture(asked, request),
                store=self._store,
                clock=self._clock,
                new_id=self._new_id,
                render=_answer,
            )
        return await self._answer(accepted, caller, context)

    async def CancelPayment(
        self, request: service.CancelPaymentRequest, context: Any
    ) -> payment_pb2.Payment:
        """Let go of a held amount; see the proto."""
        caller = request_context()
        async with self._resolving(request.payment_id):
            accepted = await cancel_payment.cancel_payment(
                requests.asked(cancel_payment.METHOD, request, caller, self._key),
                request.payment_id,
                store=self._store,
                clock=self._clock,
                new_id=self._new_id,
                render=_answer,
            )
        return await self._answer(accepted, caller, context)

    async def ResumePayment(
        self, request: service.ResumePaymentRequest, _: Any
    ) -> payment_pb2.Payment:
        """Go on after the buyer's return; see the proto."""
        caller = request_context()
        before = await resume_payment(
            caller.require_client(),
            request.payment_id,
            request.return_query,
            store=self._store,
            returns=self._returns,
            sagas=self._sagas,
        )
        wait_s = preferred_wait(caller)
        if before.status is not PaymentStatus.REQUIRES_ACTION:
            return presenter.payment(before)
        self._begun()
        read = self._reading(request.payment_id)
        found = await self._waiters.settled(
            request.payment_id, read, wait_s or 0.0, after=before.version
        )
        return presenter.payment(found)

    async def CreateCheckoutSession(
        self, request: service.CreateCheckoutSessionRequest, context: Any
    ) -> checkout_session_pb2.CheckoutSession:
        """Accept a payment to be made on a page; see the proto."""
        caller = request_context()
        asked = requests.asked(create_checkout_session.METHOD, request, caller, self._key)
        accepted = await create_checkout_session.create_checkout_session(
            requests.checkout_session(asked, request),
            store=self._store,
            sellers=self._sellers,
            return_urls=self._return_urls,
            clock=self._clock,
            new_id=self._new_id,
            render=_first_session,
            admission=self._admission,
        )
        await self._begin(accepted, context)
        wait_s = preferred_wait(caller)
        read = self._reading(accepted.payment_id)
        payment = await self._waiters.settled(
            accepted.payment_id, read, _PAGE_WAIT_S if wait_s is None else wait_s
        )
        return checkout_session(payment)

    async def GetCheckoutSession(
        self, request: service.GetCheckoutSessionRequest, _: Any
    ) -> checkout_session_pb2.CheckoutSession:
        """Read a checkout session; see the proto."""
        client_id = request_context().require_client()
        return checkout_session(
            await get_checkout_session(client_id, request.checkout_session_id, store=self._store)
        )

    @asynccontextmanager
    async def _resolving(self, payment_id: str) -> AsyncIterator[None]:
        """Have an unknown outcome looked up at once when a client's word has to wait for it."""
        try:
            yield
        except PaymentOutcomeUnknown:
            if await self._sagas.wake([payment_id]):
                self._begun()
            raise

    async def _begin(self, accepted: Accepted, context: Any) -> None:
        """Say that it is a replay, or wake the worker."""
        if accepted.replayed:
            await context.send_initial_metadata(((REPLAYED, "true"),))
        else:
            self._begun()

    async def _answer(
        self, accepted: Accepted, caller: RequestContext, context: Any
    ) -> payment_pb2.Payment:
        """Answer a write: as the first time, or as it is after the wait that the caller prefers."""
        await self._begin(accepted, context)
        wait_s = preferred_wait(caller)
        if wait_s is None:
            return payment_pb2.Payment.FromString(accepted.answer)
        read = self._reading(accepted.payment_id)
        return presenter.payment(await self._waiters.settled(accepted.payment_id, read, wait_s))

    def _reading(self, payment_id: str) -> Read:
        """Make what reads a payment of the calling client."""
        client_id = request_context().require_client()
        return partial(get_payment, client_id, payment_id, store=self._store)


def _first_answer(payment: Payment) -> bytes:
    return presenter.accepted(payment).SerializeToString(deterministic=True)


def _first_session(payment: Payment) -> bytes:
    return checkout_session(payment).SerializeToString(deterministic=True)


def _answer(payment: Payment) -> bytes:
    return presenter.payment(payment).SerializeToString(deterministic=True)


def preferred_wait(caller: RequestContext) -> float | None:
    """Read `Prefer: wait=N` (RFC 7240); more than 30 seconds are lowered, nonsense is ignored."""
    match = _PREFER_WAIT.search(caller.header("prefer") or "")
    return min(float(match[1]), _WAIT_MAX_S) if match else None
