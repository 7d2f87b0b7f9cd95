"""Turns concurrent single calls into batches: what waits while one is under way is the next.

Above it code reads like one call for one thing; below it one RPC or one commit serves many (group
commit).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from chassis.errors import ResourceExhausted

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_WAIT_S_MAX = 0.025
Run = Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]


class Coalescer(Generic[Item, Answer]):
    """Collects items and runs them in batches.

    Args:
        run: takes a batch, answers each item in order. It must be safe to run again with the same
            items.
        batch_max: items in one batch.
        in_flight_max: batches under way at once.
        waiting_max: items that may wait; more are refused.
        bisect_on: errors of a whole batch that may be one item's fault; the batch is then split and
            run again.
        patience_s: how long, for each item of a batch of several, to wait until as many wait again:
            callers who were answered together often come back together.
    """

    def __init__(
        self,
        run: Run[Item, Answer],
        *,
        batch_max: int = 256,
        in_flight_max: int = 1,
        waiting_max: int = 20_000,
        bisect_on: tuple[type[Exception], ...] = (),
        patience_s: float = 0.0015,
    ) -> None:
        self._run = run
        self._batch_max = batch_max
        self._in_flight_max = in_flight_max
        self._waiting_max = waiting_max
        self._bisect_on = bisect_on
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()  # held, or they would be collected
        self._working = 0
        self._patience_s = patience_s
        self._wanted = 0
        self._enough = asyncio.Event()

    async def submit(self, item: Item) -> Answer:
        """Run one item in some batch and answer for it alone.

        Raises:
            ResourceExhausted: too many items wait already.
            Exception: what `run` raised for the smallest batch that held the item.
        """
        if len(self._waiting) >= self._waiting_max:
            raise ResourceExhausted("Too much is waiting here; try again soon.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._wanted:
            self._enough.set()
        if self._working < self._in_flight_max:
            self._working += 1
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                if batch:
                    await self._serve(batch)
                if 1 < len(batch) > len(self._waiting):
                    await self._gather(len(batch))
        finally:
            # In the same breath as finding nothing left: what comes next starts a new worker.
            self._working -= 1

    async def _gather(self, wanted: int) -> None:
        """Wait until as many wait as were just served, for as long as a larger batch is worth."""
        self._wanted = wanted
        self._enough.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._enough.wait(), min(wanted * self._patience_s, _WAIT_S_MAX))

    def _take(self) -> list[tuple[Item, "asyncio.Future[Answer]"]]:
        """Take the next batch, without those whose callers have gone."""
        count = min(len(self._waiting), self._batch_max)
        taken = (self._waiting.popleft() for _ in range(count))
        return [(item, future) for item, future in taken if not future.done()]

    async def _serve(self, batch: Sequence[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._run([item for item, _ in batch])
            pairs = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - handed on to every caller of the batch
            await self._spread(batch, error)
            return
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), answer in pairs:
            if not future.done():
                future.set_result(answer)

    async def _spread(
        self, batch: Sequence[tuple[Item, "asyncio.Future[Answer]"]], error: Exception
    ) -> None:
        if len(batch) > 1 and isinstance(error, self._bisect_on):
            middle = len(batch) // 2
            await self._serve(batch[:middle])
            await self._serve(batch[middle:])
            return
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
