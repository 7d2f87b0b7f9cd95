"""The same client for code that does not await."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from paymesh.client.calling import Patience
from paymesh.client.payments import Paymesh
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class BlockingPaymesh:
    """`Paymesh` without await: a `with` block, for one thread. Its arguments are the same."""

    def __init__(
        self,
        target: str,
        *,
        api_key: str,
        signing_secret: str | None = None,
        secure: bool | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._client = Paymesh(
            target, api_key=api_key, signing_secret=signing_secret, secure=secure, patience=patience
        )
        self._runner = asyncio.Runner()
        self._is_open = False

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        self._is_open = True
        self.create_payment = self._blocking(self._client.create_payment)
        self.get_payment = self._blocking(self._client.get_payment)
        self.capture_payment = self._blocking(self._client.capture_payment)
        self.cancel_payment = self._blocking(self._client.cancel_payment)
        self.until_final = self._blocking(self._client.until_final)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._is_open = False
        self._runner.run(self._client.__aexit__(None, None, None))
        self._runner.close()

    def list_payments(
        self, request: service.ListPaymentsRequest | None = None
    ) -> Iterator[noun.Payment]:
        """List payments, the newest first, page after page."""
        return self._iterate(self._client.list_payments(request))

    def watch(self, payment_id: str) -> Iterator[noun.Payment]:
        """Tell a payment's state and each later one until it is final."""
        return self._iterate(self._client.watch(payment_id))

    def _iterate(self, states: AsyncGenerator[noun.Payment, None]) -> Iterator[noun.Payment]:
        async def following() -> noun.Payment | None:
            return await anext(states, None)

        try:
            while (state := self._runner.run(following())) is not None:
                yield state
        finally:  # also when the caller has seen enough: the call ends with the loop over it
            if self._is_open:
                self._runner.run(states.aclose())

    def _blocking(
        self, method: Callable[Parameters, Coroutine[Any, Any, Result]]
    ) -> Callable[Parameters, Result]:
        def call(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
            return self._runner.run(method(*args, **options))

        return call
