"""Whose certificate counts: what a sidecar says of its caller, and no word of anybody else."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    PaymentServiceStub,
    add_PaymentServiceServicer_to_server,
)

from chassis.errors import InvalidRequest
from chassis.interceptors import RequestContext, read_context, request_context
from chassis.server import make_server

EDGE = "spiffe://paymesh.local/ns/paymesh/sa/edge"
ADA = "spiffe://paymesh.local/operator/ada"
TOLD = (("x-paymesh-identity", EDGE), ("x-paymesh-operator", ADA), ("x-paymesh-actor", "eve"))


class Listener(PaymentServiceServicer):
    """Keeps the context of the last call."""

    def __init__(self) -> None:
        self.heard = RequestContext()

    async def GetPayment(self, request: service.GetPaymentRequest, _: Any) -> payment_pb2.Payment:
        """Keep it."""
        self.heard = request_context()
        return payment_pb2.Payment(payment_id=request.payment_id)


async def heard(listen: str, metadata: tuple[tuple[str, str], ...]) -> RequestContext:
    """Call a service that listens there, and tell what it heard."""
    listener, server = Listener(), make_server("test.paymesh", 5.0, 16)
    add_PaymentServiceServicer_to_server(listener, server)
    port = server.add_insecure_port(listen)
    await server.start()
    target = listen if listen.startswith("unix:") else f"127.0.0.1:{port}"
    async with grpc.aio.insecure_channel(target) as channel:
        request = service.GetPaymentRequest(payment_id="pay_1")
        await PaymentServiceStub(channel).GetPayment(request, metadata=metadata, timeout=60)
    await server.stop(None)
    return listener.heard


async def test_over_a_unix_socket_it_is_the_sidecars_word(tmp_path: Path) -> None:
    """The caller and the operator are who their certificates say."""
    context = await heard(f"unix:{tmp_path}/s", TOLD)

    assert (context.caller, context.operator, context.actor()) == (EDGE, ADA, ADA)


async def test_over_tcp_anybody_may_say_it_and_nobody_is_believed() -> None:
    """The same headers are hearsay; what somebody says of himself is marked."""
    context = await heard("127.0.0.1:0", TOLD)

    assert (context.caller, context.operator) == ("", "")
    assert context.actor() == "unverified:eve"


@pytest.mark.parametrize(
    ("said", "actor"),
    [((), "unverified:system"), ((("x-paymesh-actor", ADA),), f"unverified:{ADA}")],
)
async def test_nobody_passes_for_verified_by_his_own_word(
    tmp_path: Path, said: tuple[tuple[str, str], ...], actor: str
) -> None:
    """Not even by the name that a certificate would have."""
    context = await heard(f"unix:{tmp_path}/s", said)

    assert context.actor() == actor


@pytest.mark.parametrize(
    ("said", "name"), [((), "system"), ((("x-paymesh-actor", " ada "),), "ada")]
)
def test_who_vouches_for_himself_has_a_name(said: tuple[tuple[str, str]], name: str) -> None:
    """Nothing said is the system."""
    assert read_context(said).own_word(9) == name


@pytest.mark.parametrize("name", [" ", "x" * 10, "a\x1bb"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """Blank, too long, or not printable."""
    with pytest.raises(InvalidRequest, match="printable name of 1 to 9 characters"):
        read_context((("x-paymesh-actor", name),)).own_word(9)
