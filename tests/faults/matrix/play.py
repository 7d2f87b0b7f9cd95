"""Plays one case on a lane: prepare, arm, act, wait until all is quiet, and judge."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.payment.v1 import checkout_session_pb2, payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp

from tests.faults.matrix.catalogue import SUCCEED, Case
from tests.faults.matrix.judge import judge
from tests.faults.matrix.lane import Lane, client_metadata
from tests.faults.matrix.persons import Persons
from tests.faults.matrix.settings import CLAIMS_MAX

_DEADLINE_S = 60.0  # longer than a lease
_STRIKE_S = 3.0  # after all is quiet: a kill that has not struck by then does not
_PAUSE_S = 0.025
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_QUIET = """
SELECT (SELECT count(*) FROM sagas WHERE payment_id = %s
            AND (queue IN ('PAYMENT', 'RETRY') OR queue = 'WAITING' AND reason <> 'NOT_DUE'))
    + (SELECT count(*) FROM outbox WHERE published_at IS NULL)
    + (SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING') AS open
"""
_ATTENTION = """
SELECT (SELECT count(*) FROM outbox JOIN sagas ON object_id = saga_id
        WHERE payment_id = %(id)s AND type = 'payment.needs_attention') AS events,
    (SELECT count(*) FROM saga_steps JOIN sagas USING (saga_id)
        WHERE payment_id = %(id)s AND outcome = 'dead') AS dead,
    ARRAY(SELECT kind FROM operator_actions WHERE payment_id = %(id)s ORDER BY action_id) AS actions
"""
# What a person does on each way, once whoever died meanwhile.
_DEEDS = {
    "quarantine": ["RETRY"],
    "give_up": ["PROPOSE", "APPROVE", "APPLY"],
    "kept": ["PROPOSE", "APPROVE", "APPLY"],
    "other_amount": ["PROPOSE", "APPROVE", "APPLY"],
}
_OF_CASE = ["case.closed", "case.opened"]
_SPOILT_STEP, _REFUNDED_AT, _HALF_PAID = "credit", "charge", "pm_card_partial"
_NO_REFUNDS = {"kind": "rate_limit", "times": 100, "match": {"operation": "refund"}}
FROZEN = "seller_frozen"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a case; `problems` is empty when it is as it should be."""

    case: Case
    payment_id: str
    kills: int
    seconds: float
    status: str
    psp_record: tuple[str, ...]
    problems: tuple[str, ...]


async def play(lane: Lane, case: Case) -> Played:
    """Play a case; whatever goes wrong is a problem of it."""
    began = time.monotonic()
    game = _Game(lane, case)
    problems: list[str] = []
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await game.run()
            problems = await game.judge()
    except TimeoutError:
        problems = [f"not quiet in {_DEADLINE_S:.0f} s: {await game.state()}"]
    except Exception as error:  # noqa: BLE001 - told as the case's own
        problems = [f"the case could not be played: {error!r}"]
    kills = len([death for death in lane.deaths if death.status == -9])
    if len(lane.deaths) != case.crashes or kills != case.crashes:
        problems.append(f"{kills} of {case.crashes} kills struck: {lane.deaths}")
    await game.calm()
    seconds = time.monotonic() - began
    return Played(
        case, game.payment_id, kills, seconds, game.status, game.recorded, tuple(problems)
    )


class _Game:
    """One case being played."""

    def __init__(self, lane: Lane, case: Case) -> None:
        self._lane = lane
        self._case = case
        self._order = f"order-{uuid4()}"
        self._persons = Persons(lane)
        self.payment_id = ""
        self.status = ""
        self.recorded: tuple[str, ...] = ()

    async def run(self) -> None:
        """Take the payment along its way with a death on it."""
        name = self._case.flow.name
        await {
            "pay_in": self._pay_in,
            "authorize": self._authorize,
            "capture": self._capture,
            "void": self._void,
            "expire": self._expire,
            "refund": self._refund,
            "page": self._page,
            "quarantine": self._quarantine,
            "give_up": self._give_up,
            "kept": self._kept,
            "other_amount": self._other_amount,
        }[name]()
        await self._until_quiet()

    async def _pay_in(self) -> None:
        await self._arm()
        await self._create("seller_1", is_manual=False)

    async def _authorize(self) -> None:
        await self._arm()
        await self._create("seller_1", is_manual=True)
        await self._until_quiet()
        if await self._read_status() == "REQUIRES_CAPTURE":
            await self._act("CapturePayment", service.CapturePaymentRequest)

    async def _capture(self) -> None:
        await self._hold()
        await self._arm()
        await self._act("CapturePayment", service.CapturePaymentRequest)

    async def _void(self) -> None:
        await self._hold()
        await self._arm()
        await self._act("CancelPayment", service.CancelPaymentRequest)

    async def _expire(self) -> None:
        await self._hold()
        await self._arm()
        await self._lane.rows(
            "UPDATE sagas SET due_at = now() WHERE payment_id = %s AND kind = 'expire'"
            " RETURNING saga_id",
            self.payment_id,
        )

    async def _refund(self) -> None:
        await self._freeze()
        await self._arm()
        await self._create(FROZEN, is_manual=False)

    async def _page(self) -> None:
        await self._arm()
        session = await self._create_session()
        async with asyncio.timeout(_DEADLINE_S):
            while not session.url:
                if await self._read_status() == "FAILED":
                    return
                await asyncio.sleep(_PAUSE_S)
                asked = service.GetCheckoutSessionRequest(
                    checkout_session_id=session.checkout_session_id
                )
                session = await self._patiently(self._lane.payments.GetCheckoutSession, asked)
        form = {"result": "pay", "card": "pm_card_visa"}
        async with self._lane.http.post(session.url, data=form, allow_redirects=False) as answer:
            if answer.status != 303:
                raise AssertionError(f"the page answered {answer.status}")

    async def _quarantine(self) -> None:
        saga_id = await self._poisoned()
        await self._persons.let_on(saga_id)

    async def _give_up(self) -> None:
        saga_id = await self._poisoned()
        await self._persons.resolve(saga_id, "GIVE_UP")

    async def _kept(self) -> None:
        """Have a refund given up that meets trouble: whoever dies, dies after it was laid before a
        person.
        """
        await self._freeze()
        await self._lane.control("POST", "faults", _NO_REFUNDS)
        await self._create(FROZEN, is_manual=False)
        saga_id = await self._spoilt(_REFUNDED_AT, is_back=True)
        await self._lane.control("DELETE", "faults")
        await self._mended(saga_id, _REFUNDED_AT)
        await self._arm()
        await self._persons.resolve(saga_id, "GIVE_UP")

    async def _poisoned(self) -> str:
        """Have the saga laid before a person at the credit, then bring out what cures it."""
        self._lane.arm("payment_svc", [f"pay_in.{_SPOILT_STEP}.before=sleep:2"])
        await self._create("seller_1", is_manual=False)
        saga_id = await self._spoilt(_SPOILT_STEP)
        await self._arm()
        await self._mended(saga_id, _SPOILT_STEP)
        return saga_id

    async def _spoilt(self, step: str, *, is_back: bool = False) -> str:
        return await self._persons.spoil(self.payment_id, step, CLAIMS_MAX - 2, is_back=is_back)

    async def _mended(self, saga_id: str, step: str) -> None:
        await self._persons.until_dead(saga_id)
        await self._persons.repair(saga_id, step)

    async def _other_amount(self) -> None:
        await self._create("seller_1", is_manual=False, token=_HALF_PAID)
        saga_id = await self._persons.waiting(self.payment_id, "AMOUNT_MISMATCH")
        await self._arm()
        (row,) = (await self._lane.control("GET", f"record?metadata.payment_id={self.payment_id}"))[
            "entries"
        ]
        said = {"psp_reference": row["payment_reference"], "amount": "49.99", "currency": "USD"}
        await self._persons.resolve(saga_id, "OTHER_AMOUNT", **said)

    async def _arm(self) -> None:
        """Plan the deaths and the PSP's trouble."""
        behaviour = self._case.behaviour
        if behaviour.fault is not None:
            fault = {**behaviour.fault, "match": {"operation": self._case.flow.operation}}
            if self._case.flow.operation == "refund" and behaviour.name == "error_before":
                # Kept under its key it would leave the refund to a person: nothing tells whether
                # another key would be another refund.
                fault["cached"] = False
            await self._lane.control("POST", "faults", fault)
        if behaviour.dark_s:
            await self._lane.control("POST", "dark", {"dark": True})
            self._dawn = asyncio.create_task(self._end_dark(behaviour.dark_s))
        self._lane.arm(self._case.point.service, self._case.plans)

    async def _end_dark(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._lane.control("POST", "dark", {"dark": False})

    async def calm(self) -> None:
        """Leave nothing to the next case."""
        self._lane.disarm()
        await self._lane.control("DELETE", "faults")
        await self._lane.control("POST", "dark", {"dark": False})
        if self._case.behaviour.dark_s:
            ask = self._lane.operator.psp.ResetCircuit
            await self._patiently(ask, psp.ResetCircuitRequest(psp="stripe"))

    async def _hold(self) -> None:
        await self._create("seller_1", is_manual=True)
        while await self._read_status() != "REQUIRES_CAPTURE":
            await asyncio.sleep(_PAUSE_S)
        await self._until_quiet(struck=False)

    async def _create(self, seller: str, *, is_manual: bool, token: str = "") -> None:
        kind = payment_pb2.Payment
        request = service.CreatePaymentRequest(
            **self._common(seller),
            credit_card_info=payment_pb2.CreditCardInfo(token=token or self._case.behaviour.token),
            capture_method=kind.MANUAL if is_manual else kind.AUTOMATIC,
        )
        created = await self._patiently(self._lane.payments.CreatePayment, request)
        self.payment_id = created.payment_id

    async def _create_session(self) -> checkout_session_pb2.CheckoutSession:
        request = service.CreateCheckoutSessionRequest(
            **self._common("seller_1"),
            success_url="https://shop.example/thanks",
            cancel_url="https://shop.example/basket",
        )
        session: checkout_session_pb2.CheckoutSession = await self._patiently(
            self._lane.payments.CreateCheckoutSession, request
        )
        self.payment_id = session.payment_id
        return session

    def _common(self, seller: str) -> dict[str, Any]:
        order = payment_pb2.NewPaymentOrder(
            seller_account=seller, amount="99.99", currency="USD", payment_order_id=self._order
        )
        return {
            "buyer_info": payment_pb2.BuyerInfo(id="buyer_1"),
            "checkout_id": "checkout_1",
            "payment_orders": [order],
        }

    async def _act(self, method: str, request: Callable[..., Any]) -> None:
        call = getattr(self._lane.payments, method)
        await self._patiently(call, request(payment_id=self.payment_id))

    async def _patiently(self, call: Callable[..., Any], request: Any) -> Any:
        """Ask under one key until somebody answers, as a client should."""
        key = f"{self._order}:{type(request).__name__}"
        while True:
            try:
                return await call(request, metadata=client_metadata(key), timeout=5.0)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AWAY:
                    raise
                await asyncio.sleep(_PAUSE_S)

    async def _freeze(self) -> None:
        """Have a seller whose wallet is open and whose account takes nothing more."""
        account = f"seller:demo:{FROZEN}:USD"
        if await self._lane.operator.account(account) is None:
            calm = _Game(self._lane, replace(self._case, behaviour=SUCCEED))
            await calm._create(FROZEN, is_manual=False)
            await calm._until_quiet(struck=False)
        request = ledger.FreezeAccountRequest(account_id=account, reason="crash matrix")
        await self._patiently(self._lane.operator.ledger.FreezeAccount, request)

    async def _read_status(self) -> str:
        (row,) = await self._lane.rows(
            "SELECT status FROM payments WHERE payment_id = %s", self.payment_id
        )
        return str(row["status"])

    async def _until_quiet(self, *, struck: bool = True) -> None:
        """Wait until nothing is under way, and all planned deaths have struck."""
        since: float | None = None
        while True:
            # Before it is looked what is under way: whoever dies between leaves it open.
            done = not struck or len(self._lane.deaths) >= self._case.crashes
            (row,) = await self._lane.rows(_QUIET, self.payment_id)
            quiet = row["open"] + await self._lane.events_left() == 0
            if quiet and done:
                return
            since = (since or time.monotonic()) if quiet else None
            if since is not None and time.monotonic() - since > _STRIKE_S:
                return
            await asyncio.sleep(_PAUSE_S)

    async def state(self) -> object:
        """Tell what is under way."""
        return await self._lane.rows(
            "SELECT kind, queue, step, reason, tries FROM sagas WHERE payment_id = %s",
            self.payment_id,
        )

    async def judge(self) -> list[str]:
        """Gather what everybody says of the payment, and hold it against the invariants."""
        while True:
            try:
                trail = await self._lane.operator.trail(self.payment_id)
                break
            except (grpc.aio.AioRpcError, aiohttp.ClientError):
                await asyncio.sleep(_PAUSE_S)
        self.status = trail.payment["status"]
        self.recorded = tuple(record["kind"] for record in trail.psp_record)
        told = self._lane.tellings.told[self.payment_id]
        problems = judge(self._case, trail, told)
        if self._case.flow.name in ("other_amount", "kept"):
            heard = sorted(kind for kind in told.values() if kind.startswith("case."))
            problems += [] if heard == _OF_CASE else [f"the shop heard {heard} of a case"]
        return [*problems, *await self._judge_attention()]

    async def _judge_attention(self) -> list[str]:
        """A dead letter is told once, and what a person did about it is kept once."""
        deeds = _DEEDS.get(self._case.flow.name)
        if deeds is None:
            return []
        row = await self._lane.row(_ATTENTION, id=self.payment_id)
        assert row is not None
        dead = 0 if self._case.flow.name == "other_amount" else 1
        # What a PSP that was dark contradicted is proposed once more.
        seen = (row["events"], row["dead"], row["actions"][-len(deeds) :])
        right = (dead, dead, deeds)
        return [] if seen == right else [f"told, dead and done {seen}, and not {right}"]
