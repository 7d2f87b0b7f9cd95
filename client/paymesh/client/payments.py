"""The public API of payments, as methods."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Self
from uuid import uuid4

import grpc
from paymesh.client.calling import Caller, Credentials, Patience, open_channel
from paymesh.client.errors import AGAIN, to_error
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service

_SERVICE = "/paymesh.payment.v1.PaymentService/"
_STATUS = noun.Payment
# Nothing moves these but a refund.
FINAL = frozenset(
    {
        _STATUS.COMPLETED,
        _STATUS.PARTIALLY_COMPLETED,
        _STATUS.FAILED,
        _STATUS.CANCELLED,
        _STATUS.PARTIALLY_REFUNDED,
        _STATUS.REFUNDED,
    }
)


class Paymesh:
    """A client of the public API. Use it as an async context manager; it is safe for many tasks.

    Every write takes an idempotency key and makes one when none is given. It is kept over all tries
    of a call, and told on errors: send the same request under the same key to learn what became of
    it. All methods raise `PaymeshError`.

    Args:
        target: `host:port` of the edge.
        api_key: of the client.
        signing_secret: signs every request, for clients that are registered as signing.
        secure: TLS or not; by default TLS, except on loopback.
        patience: how long calls may take.
    """

    def __init__(
        self,
        target: str,
        *,
        api_key: str,
        signing_secret: str | None = None,
        secure: bool | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._target = target
        self._secure = secure
        self._credentials = Credentials(api_key, signing_secret)
        self._patience = patience or Patience()

    async def __aenter__(self) -> Self:
        channel = open_channel(self._target, secure=self._secure)
        self._caller = Caller(channel, self._credentials, self._patience)
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self._caller.channel.close()

    async def create_payment(
        self,
        request: service.CreatePaymentRequest,
        *,
        idempotency_key: str | None = None,
        wait_s: int | None = None,
    ) -> noun.Payment:
        """Make a payment. It answers PENDING at once; with `wait_s`, once the payment is final or
        waits for somebody, or after that many seconds (at most 30) as it is by then.
        """
        return await self._write("CreatePayment", request, idempotency_key, wait_s)

    async def get_payment(self, payment_id: str) -> noun.Payment:
        """Read a payment."""
        request = service.GetPaymentRequest(payment_id=payment_id)
        return await self._caller.call(_SERVICE + "GetPayment", request, noun.Payment)

    async def capture_payment(
        self,
        payment_id: str,
        *,
        amount: str | None = None,
        by_order: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        wait_s: int | None = None,
    ) -> noun.Payment:
        """Take what is held: everything, or `amount` of a payment of one order, or the amounts
        `by_order` (an empty one: all of the order; nothing is taken of an order not named).
        """
        request = service.CapturePaymentRequest(payment_id=payment_id, amount=amount or "")
        for payment_order_id, part in (by_order or {}).items():
            request.payment_orders.add(payment_order_id=payment_order_id, amount=part)
        return await self._write("CapturePayment", request, idempotency_key, wait_s)

    async def cancel_payment(
        self, payment_id: str, *, idempotency_key: str | None = None, wait_s: int | None = None
    ) -> noun.Payment:
        """Let go of what is held."""
        request = service.CancelPaymentRequest(payment_id=payment_id)
        return await self._write("CancelPayment", request, idempotency_key, wait_s)

    async def list_payments(
        self, request: service.ListPaymentsRequest | None = None
    ) -> AsyncGenerator[noun.Payment, None]:
        """List payments, the newest first, page after page."""
        asked = service.ListPaymentsRequest()
        if request is not None:
            asked.CopyFrom(request)
        path = _SERVICE + "ListPayments"
        while True:
            page = await self._caller.call(path, asked, service.ListPaymentsResponse)
            for payment in page.payments:
                yield payment
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token

    async def watch(self, payment_id: str) -> AsyncGenerator[noun.Payment, None]:
        """Tell a payment's state and each later one until it is final; a stream that is cut off is
        opened again, and no state is told twice.
        """
        request = service.WatchPaymentRequest(payment_id=payment_id)
        told = tries = 0
        give_up = math.inf
        while True:
            stream = self._caller.stream(_SERVICE + "WatchPayment", request, service.PaymentEvent)
            try:
                async for event in stream:
                    tries = 0
                    if event.sequence > told:
                        told = event.sequence
                        yield event.payment
                    if event.payment.status in FINAL:
                        return
                pause_s = self._patience.pause_s(1, None)
            except grpc.aio.AioRpcError as error:
                tries += 1
                if tries == 1:  # a watch may have been quiet for minutes: patience begins here
                    give_up = time.monotonic() + self._patience.budget_s
                problem = to_error(error, None)
                pause_s = self._patience.pause_s(tries, problem.retry_after_s)
                if not isinstance(problem, AGAIN) or time.monotonic() + pause_s > give_up:
                    raise problem from error
            finally:
                stream.cancel()
            await asyncio.sleep(pause_s)

    async def until_final(self, payment_id: str, timeout_s: float = 60.0) -> noun.Payment:
        """Wait until a payment is final.

        Raises:
            TimeoutError: it is not in time.
        """
        async with asyncio.timeout(timeout_s):
            async with aclosing(self.watch(payment_id)) as states:
                async for payment in states:
                    if payment.status in FINAL:
                        return payment
        raise AssertionError("a watch ends with a final state")

    async def _write(
        self,
        method: str,
        request: service.CreatePaymentRequest
        | service.CapturePaymentRequest
        | service.CancelPaymentRequest,
        key: str | None,
        wait_s: int | None,
    ) -> noun.Payment:
        key = key or str(uuid4())
        path = _SERVICE + method
        return await self._caller.call(path, request, noun.Payment, key=key, wait_s=wait_s)
