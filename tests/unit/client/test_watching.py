"""How a watch goes on, and how it ends: over a real server that breaks off on purpose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from paymesh.client import BlockingPaymesh, NotFound, Patience, Paymesh, Unavailable
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    add_PaymentServiceServicer_to_server,
)

from chassis import errors
from chassis.server import make_server

QUICK = Patience(timeout_s=30, budget_s=60, backoff_s=0.01, backoff_max_s=0.02)
BRIEF = replace(QUICK, budget_s=1.5)
HELD, DONE = noun.Payment.REQUIRES_CAPTURE, noun.Payment.COMPLETED
Act = int | Exception | float  # tell a state, break off so, be quiet for so many seconds


def gone(retry_after_s: float = 0.01) -> errors.Unavailable:
    """Make trouble that passes."""
    trouble = errors.Unavailable("gone")
    trouble.retry_after = timedelta(seconds=retry_after_s)
    return trouble


class Staged(PaymentServiceServicer):
    """A service whose every stream plays one list of acts; the last one again and again."""

    def __init__(self, *streams: list[Act]) -> None:
        self.streams = list(streams)
        self.opened_at: list[float] = []
        self.left = asyncio.Event()

    async def WatchPayment(
        self, request: service.WatchPaymentRequest, context: Any
    ) -> AsyncIterator[service.PaymentEvent]:
        """Play the next stream."""
        self.opened_at.append(asyncio.get_running_loop().time())
        acts = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        try:
            for act in acts:
                if isinstance(act, Exception):
                    raise act
                if isinstance(act, float):
                    await asyncio.sleep(act)
                    continue
                payment = noun.Payment(payment_id="pay_1", status=noun.Payment.Status.Name(act))
                yield service.PaymentEvent(sequence=act, payment=payment)
        finally:
            self.left.set()


@asynccontextmanager
async def watching(staged: Staged, patience: Patience = QUICK) -> AsyncIterator[Paymesh]:
    """Serve it, and connect."""
    async with served(staged) as target, Paymesh(target, api_key="k", patience=patience) as paymesh:
        yield paymesh


@asynccontextmanager
async def served(staged: Staged) -> AsyncIterator[str]:
    """Serve it on a free port of loopback."""
    server = make_server("payment.paymesh", 600, 100)
    add_PaymentServiceServicer_to_server(staged, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def statuses(paymesh: Paymesh) -> list[int]:
    """Watch to the end."""
    return [payment.status async for payment in paymesh.watch("pay_1")]


async def test_quiet_longer_than_the_budget_then_cut_off_goes_on() -> None:
    """A held payment may be silent for days; patience is for trouble, and begins with it."""
    async with watching(Staged([HELD, 1.7, gone()], [HELD, DONE]), BRIEF) as paymesh:
        assert await statuses(paymesh) == [HELD, DONE]


async def test_stream_that_only_ends_is_opened_again() -> None:
    """The service ends a stream after ten minutes; nobody is told twice or misses the end."""
    staged = Staged([HELD], [HELD], [HELD, DONE])

    async with watching(staged) as paymesh:
        assert await statuses(paymesh) == [HELD, DONE]

    assert len(staged.opened_at) == 3


async def test_watch_waits_as_long_as_the_server_asks() -> None:
    """Trouble that tells when to come back is not run into again before that."""
    staged = Staged([gone(retry_after_s=0.3)], [DONE])

    async with watching(staged) as paymesh:
        assert await statuses(paymesh) == [DONE]

    assert staged.opened_at[1] - staged.opened_at[0] >= 0.29


@pytest.mark.parametrize(
    ("trouble", "kind", "tries"),
    [
        (gone, Unavailable, range(2, 1000)),
        (lambda: errors.NotFound("not there"), NotFound, range(1, 2)),
    ],
)
async def test_watch_gives_up(
    trouble: Callable[[], Exception], kind: type[Exception], tries: range
) -> None:
    """Trouble that does not pass ends it after the budget, a definite no at once."""
    staged = Staged([trouble()])

    async with watching(staged, BRIEF) as paymesh:
        with pytest.raises(kind):
            await statuses(paymesh)

    assert len(staged.opened_at) in tries


async def test_until_final_ends_with_the_state_or_in_time() -> None:
    """The final state is answered; what does not become final is a TimeoutError, and no call is
    left open.
    """
    staged = Staged([HELD, DONE], [HELD, 60.0])

    async with watching(staged) as paymesh:
        payment = await paymesh.until_final("pay_1")
        staged.left.clear()
        with pytest.raises(TimeoutError):
            await paymesh.until_final("pay_1", timeout_s=1.0)
        await within(staged.left.wait())

    assert payment.status == DONE


async def test_who_has_seen_enough_leaves_no_call_behind() -> None:
    """Breaking off the loop over a watch ends the call, in the blocking client too."""
    staged = Staged([HELD, 60.0])

    def look(target: str) -> None:
        with BlockingPaymesh(target, api_key="k", patience=QUICK) as paymesh:
            states = paymesh.watch("pay_1")
            assert next(states).status == HELD
            states.close()
            kept = paymesh.watch("pay_1")
            assert next(kept).status == HELD
        kept.close()

    async with served(staged) as target:
        await asyncio.to_thread(look, target)
        await within(staged.left.wait())


async def within(waited: Awaitable[Any], timeout_s: float = 60.0) -> None:
    """Wait, but not for ever."""
    async with asyncio.timeout(timeout_s):
        await waited
