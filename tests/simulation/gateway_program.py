"""psp_gateway in the simulation, wired as its `__main__` wires it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from paymesh.payment.v1 import psp_event_service_pb2 as events

from chassis.faults import FaultPoints
from psp_gateway.domain.attempt import Attempt, Stage
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.domain.errors import BadSignature
from psp_gateway.domain.inbox import Raw
from psp_gateway.domain.routing import Rule, Weighted
from psp_gateway.guard import Guard
from psp_gateway.payout_servicer import PayoutCalls
from psp_gateway.ports import Provider
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.provider import CAPABILITIES, StripeProvider
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from psp_gateway.running import Running
from psp_gateway.servicer import PspGatewayServicer
from psp_gateway.use_cases.apply_events import Applying, apply_events
from psp_gateway.use_cases.follow_disputes import Following
from psp_gateway.use_cases.receive_webhook import Receiving, receive_webhook
from psp_gateway.use_cases.route_charge import Router
from psp_gateway.use_cases.take_further import Means
from tests.simulation.clockwork import Process
from tests.simulation.internet import SECRET, Client
from tests.simulation.parts import FINGERPRINT_KEY, Job, Parts, whenever
from tests.simulation.psp import KEYS_KEPT_S

_EVENTS_AT_ONCE = 256
_ANSWER_S = 5.0
_CAPABILITIES = replace(
    CAPABILITIES, key_retention=dict.fromkeys(Stage, timedelta(seconds=KEYS_KEPT_S))
)


class KeysKept(StripeProvider):
    """Stripe's provider, knowing that the simulated PSP keeps keys for a shorter time."""

    @property
    def capabilities(self) -> Capabilities:
        """See `ports.Provider`."""
        return _CAPABILITIES


class Gateway:
    """psp_gateway as it is called: by payment_svc, and by the PSPs' webhooks."""

    def __init__(
        self,
        servicer: PspGatewayServicer,
        resolving: AttemptResolutionServicer,
        receiving: Receiving,
        process: Process,
    ) -> None:
        self._servicer = servicer
        self.ResolveAttempts = resolving.ResolveAttempts
        self._receiving = receiving
        self._process = process
        self.arrived = asyncio.Event()

    def __getattr__(self, method: str) -> Any:
        return getattr(self._servicer, method)

    async def take_webhook(self, sent: tuple[str, Any, bytes], _: Any) -> None:
        """Take in a webhook; one whose signature is not believed is refused for good."""
        psp, headers, body = sent
        try:
            await receive_webhook(self._receiving, Raw(psp, headers, body), self._process.clock())
        except BadSignature:
            return
        self.arrived.set()


class NewsToPayments:
    """`psp_gateway.ports.Listener` at payment_svc."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """See `ports.Listener`."""
        request = events.ApplyPspEventsRequest(
            payment_ids=payment_ids, doubtful_payment_ids=doubtful_ids
        )
        answer = await self._stub.ApplyPspEvents(request, timeout=5.0)
        return list(answer.undecided_payment_ids)


def gateway_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire psp_gateway."""
    providers: Mapping[str, Provider] = {
        name: parts.provider(
            KeysKept(cast("StripeClient", parts.client(Client(parts.loop, parts.chance, psp))))
        )
        for name, psp in parts.psps.items()
    }
    guards = {name: Guard(name, process.clock) for name in providers}
    running = Running[Attempt](answer_s=_ANSWER_S, count_max=1000)
    means = Means(
        parts.attempts, providers, guards, process.clock, FaultPoints(), noted=running.saw
    )
    rules = [Rule("all", tuple(Weighted(name, 1) for name in providers))]
    servicer = PspGatewayServicer(
        means,
        Router(rules, providers, guards),
        parts.attempts,
        running,
        guards,
        cast("PayoutCalls", None),
        fingerprint_key=FINGERPRINT_KEY,
    )
    readers = {name: StripeWebhooks([SECRET]) for name in providers}
    receiving = Receiving(readers, parts.attempts, cast("Any", None))
    resolving = parts.resolving(AttemptResolutionServicer(means, parts.attempts))
    gateway = Gateway(servicer, resolving, receiving, process)
    following = Following(cast("Any", None), {}, {}, guards, process.clock)
    listener = NewsToPayments(parts.network.stub("payment", process.name))
    applying = Applying(means, parts.attempts, listener, {}, following, _blame)
    parts.attempts.bells[process.name] = gateway.arrived.set

    async def apply() -> bool:
        claimed = await parts.attempts.claim(_EVENTS_AT_ONCE)
        if claimed:
            await parts.attempts.settle(await apply_events(applying, claimed))
        return False

    return gateway, [whenever(gateway.arrived, apply)]


def _blame(what: str, error: Exception) -> None:
    """Let nothing pass that a service in the field would only log."""
    raise AssertionError(what) from error
