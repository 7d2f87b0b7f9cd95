"""Group commit: requests that arrive at once share a transaction."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar

import psycopg

from chassis.coalescer import Coalescer

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_SMALL_ITEMS_MAX = 8
_SMALL_REQUESTS_MAX = 256
_MIDDLE_ITEMS_MAX = 250
_MIDDLE_REQUESTS_MAX = 8
# More than this waits for seconds: better to be told so at once.
_WAITING_MAX = 4_096
_LARGE_WAITING_MAX = 64


class GroupCommit(Generic[Item, Answer]):
    """Runs requests of items: small ones (up to 8 items) together, as many as there are; middling
    ones (up to 250) together, up to 8 of them; a large one by itself.

    A request's items stay together and in order.

    Args:
        run: decides and writes items in one transaction and answers each in order; safe to repeat.
        in_flight: transactions at once of middling requests, and of large ones; small ones have
            one, since half as full batches would cost nearly twice. The rest wait here.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, in_flight: int
    ) -> None:
        self._run = run
        # A batch that fails in SQL is split until the request at fault is alone. A database that
        # cannot be reached is nobody's fault: Unavailable splits nothing.
        self._small: Coalescer[Sequence[Item], Sequence[Answer]] = Coalescer(
            self._run_requests,
            batch_max=_SMALL_REQUESTS_MAX,
            waiting_max=_WAITING_MAX,
            bisect_on=(psycopg.Error,),
        )
        self._middle: Coalescer[Sequence[Item], Sequence[Answer]] = Coalescer(
            self._run_requests,
            batch_max=_MIDDLE_REQUESTS_MAX,
            in_flight_max=in_flight,
            waiting_max=_LARGE_WAITING_MAX,
            bisect_on=(psycopg.Error,),
        )
        self._large: Coalescer[Sequence[Item], Sequence[Answer]] = Coalescer(
            self._run_requests,
            batch_max=1,
            in_flight_max=in_flight,
            waiting_max=_LARGE_WAITING_MAX,
        )

    async def submit(self, items: Sequence[Item]) -> Sequence[Answer]:
        """Run the items of one request and answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        if len(items) <= _SMALL_ITEMS_MAX:
            return await self._small.submit(items)
        is_middling = len(items) <= _MIDDLE_ITEMS_MAX
        return await (self._middle if is_middling else self._large).submit(items)

    async def _run_requests(self, requests: Sequence[Sequence[Item]]) -> list[list[Answer]]:
        answers = iter(await self._run(list(chain.from_iterable(requests))))
        return [list(islice(answers, len(request))) for request in requests]
