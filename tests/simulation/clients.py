"""Clients of the API, their buyers, and a desk that gives money back: all of them impatient.

They live outside of every process, repeat what was not answered under the same key, and write down
all that they were ever told.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as wire

from chassis.errors import PaymeshError, Retryable
from chassis.money import Money
from payment_svc.domain import books
from payment_svc.domain.errors import IdempotencyKeyReused
from payment_svc.domain.payment import Buyer, CaptureMethod, PartialFailurePolicy, Payment
from payment_svc.domain.statuses import FINAL, PaymentStatus
from payment_svc.ports import Asked
from payment_svc.use_cases.capture_payment import CapturePayment
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder
from privacy.masked import Secret
from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.psp import CHALLENGED, DECLINED, GOOD, Psp

CLIENT = "demo"
SELLERS = ("anna", "bert", "cleo")
_TIMEOUT_S = 8.0
_POLL_S_MAX = 12 * 3600.0
_FINAL_OUTCOMES = frozenset({attempt_pb2.Attempt.SUCCEEDED, attempt_pb2.Attempt.DECLINED})


@dataclass(slots=True)
class Diary:
    """What the clients know.

    Attributes:
        accepted: the payments that answered each key.
        seen: each status that a payment was seen in, in order.
        refused_keys: keys that were refused with another body, as they should be.
        misused_keys: keys that were accepted with another body, as they should not be.
        refunds: refunds that were asked for, and how they ended; empty while they have not.
    """

    accepted: dict[str, set[str]] = field(default_factory=dict)
    seen: dict[str, list[PaymentStatus]] = field(default_factory=dict)
    refused_keys: set[str] = field(default_factory=set)
    misused_keys: set[str] = field(default_factory=set)
    refunds: dict[str, str] = field(default_factory=dict)


class Clients:
    """All who call from outside."""

    def __init__(
        self, loop: SimulatedLoop, chance: Chance, network: Network, psps: dict[str, Psp]
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._network = network
        self._psps = psps
        self.diary = Diary()
        self._held: dict[str, str] = {}

    def begin(self, number: int, at: float) -> None:
        """Make a payment some time."""
        command = self._command(number)
        self._loop.later(at, lambda: self._loop.create_task(self._pay(command)))

    def challenge(self, psp: str, reference: str) -> None:
        """Have a buyer authenticate, or stay away."""
        if self._chance.happens(0.3):
            self._chance.struck("buyer_stayed_away")
            return
        self._loop.later(self._chance.between(3.0, 300.0), self._psps[psp].authenticate, reference)

    def _command(self, number: int) -> CreatePayment:
        chance = self._chance
        token = GOOD
        if chance.happens(0.12):
            token = DECLINED
            chance.struck("declined")
        elif chance.happens(0.2):
            token = CHALLENGED
        is_manual = chance.happens(0.25)
        is_split = not is_manual and chance.happens(0.2)
        orders = [self._order(number, place) for place in range(chance.whole(1, 2))]
        key = f"key-{number}"
        return CreatePayment(
            asked=Asked(CLIENT, "CreatePayment", key, {"checkout_id": key}),
            checkout_id=key,
            buyer=Buyer("buyer"),
            payment_token=Secret(token),
            orders=orders,
            capture_method=CaptureMethod.MANUAL if is_manual else CaptureMethod.AUTOMATIC,
            partial_failure_policy=PartialFailurePolicy.KEEP_SUCCESSFUL
            if is_split
            else PartialFailurePolicy.ALL_OR_NOTHING,
        )

    def _order(self, number: int, place: int) -> NewOrder:
        cents = self._chance.whole(2, 50_000)
        amount = Money(Decimal(cents).scaleb(-2), "USD")
        return NewOrder(self._chance.one_of(SELLERS), amount, f"order-{number}-{place}")

    async def _pay(self, command: CreatePayment) -> None:
        key = command.asked.idempotency_key
        if self._chance.happens(0.25):
            self._chance.struck("double_click")
            self._loop.create_task(self._create(command))
        payment_id = await self._create(command)
        if self._chance.happens(0.1):
            await self._misuse(command)
        if payment_id:
            await self._follow(key, payment_id, self._chance.happens(0.6))

    async def _create(self, command: CreatePayment) -> str:
        key = command.asked.idempotency_key
        accepted = await self._until_answered("create", command)
        if accepted is None:
            return ""
        self.diary.accepted.setdefault(key, set()).add(accepted.payment_id)
        self._chance.note(f"client {key} is {accepted.payment_id}")
        return str(accepted.payment_id)

    async def _misuse(self, command: CreatePayment) -> None:
        """Use the key for something else."""
        key = command.asked.idempotency_key
        other = Asked(CLIENT, "CreatePayment", key, {"checkout_id": "another"})
        orders = [NewOrder(SELLERS[0], Money(Decimal("1.00"), "USD"), f"order of {key} again")]
        self._chance.struck("key_with_other_body")
        try:
            await self._network.call(
                "payment",
                "create",
                CreatePayment(other, "another", command.buyer, GOOD, orders),
                _TIMEOUT_S,
                "client",
            )
        except IdempotencyKeyReused:
            self.diary.refused_keys.add(key)
        except PaymeshError:
            return
        else:
            self.diary.misused_keys.add(key)

    async def _until_answered(self, method: str, command: Any) -> Any:
        """Ask until there is an answer; None: it is no."""
        while True:
            try:
                return await self._network.call("payment", method, command, _TIMEOUT_S, "client")
            except Retryable:
                pass
            except PaymeshError as no:
                if no.reason != "DEADLINE_EXCEEDED":
                    return None
            await asyncio.sleep(self._chance.between(0.5, 15.0))

    async def _follow(self, key: str, payment_id: str, wants_refunds: bool) -> None:
        """Look at a payment until it is final; do what it waits for."""
        pause, has_decided = 0.5, False
        while True:
            await asyncio.sleep(pause * self._chance.between(0.7, 1.3))
            pause = min(pause * 2, _POLL_S_MAX)
            payment = await self._look(payment_id)
            if payment is None:
                continue
            if payment.status is PaymentStatus.REQUIRES_CAPTURE and not has_decided:
                has_decided, pause = True, 0.5
                self._decide(key, payment)
            if payment.status is PaymentStatus.REQUIRES_ACTION and self._chance.happens(0.5):
                await self._call_once("resume", (CLIENT, payment_id))
            if payment.status in FINAL:
                if wants_refunds and payment.status is PaymentStatus.COMPLETED:
                    self._refund_twice(payment)
                return

    async def _look(self, payment_id: str) -> Payment | None:
        payment: Payment | None = await self._call_once("get", (CLIENT, payment_id))
        if payment is not None:
            self.diary.seen.setdefault(payment_id, []).append(payment.status)
        return payment

    async def _call_once(self, method: str, request: Any) -> Any:
        try:
            return await self._network.call("payment", method, request, _TIMEOUT_S, "client")
        except PaymeshError:
            return None

    def _decide(self, key: str, payment: Payment) -> None:
        """Capture, cancel, both at once, or neither."""
        word = self._chance.draw()
        if word < 0.7:
            half = (payment.amount.amount / 2).quantize(Decimal("0.01"))
            is_part = len(payment.orders) == 1 and self._chance.happens(0.4)
            self._ask("capture", key, payment, str(half) if is_part else "")
        if 0.55 < word < 0.85:
            self._ask("cancel", key, payment, "")

    def _ask(self, method: str, key: str, payment: Payment, amount: str) -> None:
        asked = Asked(CLIENT, method, f"{key}-{method}", {"amount": amount})
        command = CapturePayment(asked, payment.payment_id, amount)
        self._loop.create_task(self._until_answered(method, command))

    def _refund_twice(self, payment: Payment) -> None:
        """Ask for more than there is, at once: each is good alone."""
        if payment.partial_failure_policy is not PartialFailurePolicy.ALL_OR_NOTHING:
            return
        scope = payment.payment_id
        is_manual = payment.capture_method is CaptureMethod.MANUAL
        charge = books.capture_attempt(scope) if is_manual else books.charge_attempt(scope)
        taken = sum((order.taken.amount for order in payment.orders), Decimal(0))
        part = (taken * 6 / 10).quantize(Decimal("0.01"))
        for number in range(2):
            command = wire.RefundCommand(
                attempt_id=f"{charge}m{number}",
                charge_attempt_id=charge,
                amount=str(part),
                currency=payment.currency,
            )
            self._loop.create_task(self._refund(command))

    async def _refund(self, command: wire.RefundCommand) -> None:
        self.diary.refunds[command.attempt_id] = ""
        pause = 1.0
        while True:
            end = await self._ask_refund(command)
            if end:
                self.diary.refunds[command.attempt_id] = end
                return
            await asyncio.sleep(pause * self._chance.between(0.7, 1.3))
            pause = min(pause * 2, _POLL_S_MAX)

    async def _ask_refund(self, command: wire.RefundCommand) -> str:
        """Ask once; tell how it ended, if it has."""
        request = wire.ExecuteRefundsRequest(refunds=[command])
        try:
            answer = await self._network.call("psp", "ExecuteRefunds", request, _TIMEOUT_S, "desk")
        except PaymeshError:
            return ""
        (result,) = answer.results
        if result.WhichOneof("result") == "refusal":
            return str(result.refusal.reason)
        outcome = result.attempt.outcome
        return attempt_pb2.Attempt.Outcome.Name(outcome) if outcome in _FINAL_OUTCOMES else ""


def terminal(statuses: Sequence[PaymentStatus]) -> list[PaymentStatus]:
    """Pick the statuses that may change by nothing but a refund."""
    return [status for status in statuses if status in FINAL]
