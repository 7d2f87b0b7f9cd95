"""How the client tries again: over a real server that fails on purpose."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from paymesh.client import (
    AlreadyExists,
    BlockingPaymesh,
    DeadlineExceeded,
    InvalidRequest,
    Patience,
    Paymesh,
    RateLimited,
    Unavailable,
)
from paymesh.client.calling import _is_loopback
from paymesh.payment.v1 import payment_pb2 as noun
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    add_PaymentServiceServicer_to_server,
)

from chassis import errors
from chassis.server import make_server

QUICK = Patience(timeout_s=30, budget_s=60, backoff_s=0.01, backoff_max_s=0.02)
DONE = noun.Payment(payment_id="pay_1", status=noun.Payment.COMPLETED)


class Moody(PaymentServiceServicer):
    """A service that fails as it is told, then answers."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.keys: list[str] = []
        self.states = [noun.Payment.PROCESSING, noun.Payment.COMPLETED]

    async def CreatePayment(
        self, request: service.CreatePaymentRequest, context: Any
    ) -> noun.Payment:
        """Note the key, fail or answer."""
        told = dict(context.invocation_metadata())
        self.keys.append(told["idempotency-key"])
        if self.troubles:
            raise self.troubles.pop(0)
        return DONE

    async def WatchPayment(
        self, request: service.WatchPaymentRequest, context: Any
    ) -> AsyncIterator[service.PaymentEvent]:
        """Tell one more state at each call, and break off unless it is the last."""
        self.keys.append("watch")
        for sequence, status in enumerate(self.states[: len(self.keys)], start=1):
            payment = noun.Payment(payment_id="pay_1", status=status)
            yield service.PaymentEvent(sequence=sequence, payment=payment)
        if len(self.keys) < len(self.states):
            raise errors.Unavailable("gone")


@asynccontextmanager
async def served(servicer: Moody) -> AsyncIterator[str]:
    """Serve it on a free port of loopback."""
    server = make_server("payment.paymesh", 10, 100)
    add_PaymentServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def request() -> service.CreatePaymentRequest:
    """Make a request that passes the protos' rules."""
    order = noun.NewPaymentOrder(
        seller_account="s", amount="1.00", currency="USD", payment_order_id="o"
    )
    return service.CreatePaymentRequest(
        buyer_info=noun.BuyerInfo(id="b"),
        checkout_id="c",
        credit_card_info=noun.CreditCardInfo(token="t"),
        payment_orders=[order],
    )


async def test_passing_trouble_is_tried_again_under_one_key() -> None:
    """Unavailable, raced and limited calls are repeated, and the key stays the same."""
    limited = errors.ResourceExhausted("slow down")
    moody = Moody(errors.Unavailable("gone"), errors.Aborted("raced"), limited)

    async with served(moody) as target, Paymesh(target, api_key="k", patience=QUICK) as paymesh:
        payment = await paymesh.create_payment(request())

    assert payment == DONE
    assert len(moody.keys) == 4
    assert len(set(moody.keys)) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (
            lambda: errors.InvalidRequest.field("checkout_id", "bad", "INVALID_FIELD"),
            InvalidRequest,
        ),
        (lambda: errors.AlreadyExists("taken", fields="a"), AlreadyExists),
    ],
)
async def test_definite_no_is_told_at_once(
    trouble: Callable[[], Exception], kind: type[Exception]
) -> None:
    """What can never be right is not repeated, and is told whole."""
    moody = Moody(trouble())

    async with served(moody) as target, Paymesh(target, api_key="k", patience=QUICK) as paymesh:
        with pytest.raises(kind) as raised:
            await paymesh.create_payment(request(), idempotency_key="mine")

    error: Any = raised.value
    assert moody.keys == ["mine"]
    assert error.idempotency_key == "mine"
    assert error.reason in ("INVALID_FIELD", "ALREADY_EXISTS")
    assert error.fields == ({"checkout_id": "bad"} if kind is InvalidRequest else {})


async def test_patience_ends() -> None:
    """Trouble that does not pass is told, with the key to ask again by."""
    moody = Moody(*(errors.Unavailable("gone") for _ in range(500)))
    patience = Patience(timeout_s=30, budget_s=0.2, backoff_s=0.01, backoff_max_s=0.02)

    async with served(moody) as target, Paymesh(target, api_key="k", patience=patience) as paymesh:
        with pytest.raises((Unavailable, RateLimited)) as raised:
            await paymesh.create_payment(request())

    assert raised.value.idempotency_key == moody.keys[0]


async def test_nobody_there_is_unavailable() -> None:
    """A port where nobody listens is trouble, not a crash."""
    patience = Patience(timeout_s=0.5, budget_s=0.2, backoff_s=0.01)

    async with Paymesh("127.0.0.1:9", api_key="k", patience=patience) as paymesh:
        with pytest.raises(Unavailable):
            await paymesh.get_payment("pay_1")


async def test_watch_goes_on_where_it_was_cut_off() -> None:
    """Each state is told once, whatever the stream does."""
    moody = Moody()

    async with served(moody) as target, Paymesh(target, api_key="k", patience=QUICK) as paymesh:
        told = [payment.status async for payment in paymesh.watch("pay_1")]

    assert told == moody.states
    assert len(moody.keys) == 2


async def test_blocking_client_does_the_same() -> None:
    """In a thread without a loop: create, watch."""
    moody = Moody(errors.Unavailable("gone"))

    def use(target: str) -> tuple[noun.Payment, list[noun.Payment]]:
        with BlockingPaymesh(target, api_key="k", patience=QUICK) as paymesh:
            return paymesh.create_payment(request()), list(paymesh.watch("pay_1"))

    async with served(moody) as target:
        payment, states = await asyncio.to_thread(use, target)

    assert payment == DONE
    assert states[-1].status == noun.Payment.COMPLETED


async def test_tls_is_the_default_beyond_loopback() -> None:
    """On loopback it speaks in the clear; told to use TLS it says nothing to who cannot."""
    moody = Moody()
    patience = Patience(timeout_s=0.5, budget_s=0.1)
    async with served(moody) as target:
        name = f"localhost:{target.rpartition(':')[2]}"
        async with Paymesh(name, api_key="k", patience=QUICK) as paymesh:
            assert await paymesh.create_payment(request()) == DONE
        async with Paymesh(name, api_key="k", patience=patience, secure=True) as paymesh:
            with pytest.raises((Unavailable, DeadlineExceeded)):
                await paymesh.create_payment(request())

    assert len(moody.keys) == 1


@pytest.mark.parametrize(
    ("target", "expected"),
    [("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True), ("10.0.0.1:1", False),
     ("paymesh.example:443", False)],
)  # fmt: skip
def test_loopback_is_told_by_the_name(target: str, expected: bool) -> None:
    """Only this machine itself is."""
    assert _is_loopback(target) is expected
