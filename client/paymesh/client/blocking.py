"""The same client for code that does not await."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from paymesh.client.payments import Paymesh
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class BlockingPaymesh:
    """`Paymesh` without await: a `with` block, for one thread. Its arguments are the same."""

    def __init__(self, target: str, **options: Any) -> None:
        self._client = Paymesh(target, **options)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        self.create_payment = self._blocking(self._client.create_payment)
        self.get_payment = self._blocking(self._client.get_payment)
        self.capture_payment = self._blocking(self._client.capture_payment)
        self.cancel_payment = self._blocking(self._client.cancel_payment)
        self.until_final = self._blocking(self._client.until_final)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
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

    def _iterate(self, states: AsyncIterator[noun.Payment]) -> Iterator[noun.Payment]:
        async def following() -> noun.Payment | None:
            return await anext(states, None)

        while (state := self._runner.run(following())) is not None:
            yield state

    def _blocking(
        self, method: Callable[Parameters, Coroutine[Any, Any, Result]]
    ) -> Callable[Parameters, Result]:
        def call(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
            return self._runner.run(method(*args, **options))

        return call
