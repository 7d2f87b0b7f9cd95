"""PayPal behind the gateway's ports: an order is made, its id committed, then it is captured or
authorized by that id.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from chassis.money import Money
from psp_gateway.calls import is_401, told
from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Kind, Method, Stage
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.late_looks import asked_as
from psp_gateway.providers.paypal import mapping, units
from psp_gateway.providers.paypal.client import PayPalClient, Response, Result
from psp_gateway.providers.paypal.failures import (
    after_sending,
    before_sending,
    failure,
    is_of_our_account,
)
from psp_gateway.providers.paypal.objects import Order
from psp_gateway.providers.paypal.sources import APPROVAL, Pages, source_of, waits_for_buyer

NAME = "paypal"
# As published, of `PayPal-Request-Id`: of Orders v2, and of Payments v2.
ORDERS_RETENTION = timedelta(hours=6)
PAYMENTS_RETENTION = timedelta(days=45)
CAPABILITIES = Capabilities(
    psp=NAME,
    methods=frozenset({Method.CARD, Method.WALLET}),
    first_stage=Stage.CREATE,
    can_look_up=True,
    captures=Captures.SEVERAL,
    refunds=True,
    hosted_page=True,
    payouts=True,
    disputes=True,
    key_retention={
        Stage.OPEN: ORDERS_RETENTION,
        Stage.CREATE: ORDERS_RETENTION,
        Stage.CONFIRM: ORDERS_RETENTION,
        Stage.CAPTURE: PAYMENTS_RETENTION,
        Stage.VOID: PAYMENTS_RETENTION,
        Stage.REFUND: PAYMENTS_RETENTION,
    },
)

_ORDERS = "/v2/checkout/orders"
_PAYMENTS = "/v2/payments"
_REFUNDABLE = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})

Read = Callable[[Result, Attempt], Answer]


class PayPalProvider:
    """`ports.Provider` at PayPal.

    Args:
        client: open.
        return_url: where a buyer comes back to from PayPal; empty for none.
        cancel_url: where he comes back to when he did not agree; empty for the same.
    """

    def __init__(self, client: PayPalClient, *, return_url: str = "", cancel_url: str = "") -> None:
        self._client = client
        self._pages = Pages(return_url, cancel_url)

    @property
    def capabilities(self) -> Capabilities:
        """See `ports.Provider.capabilities`."""
        return CAPABILITIES

    def takes(self, currency: str) -> bool:
        """See `ports.Provider.takes`."""
        return units.takes(currency)

    def can_express(self, amount: Money) -> bool:
        """See `ports.Provider.can_express`."""
        try:
            units.to_wire(amount)
        except units.Inexpressible:
            return False
        return True

    async def create_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge.create_charge`; nothing pays the order yet."""
        unit = {
            "reference_id": "default",
            "custom_id": attempt.attempt_id,
            "invoice_id": attempt.attempt_id,
            "amount": units.to_wire(attempt.amount),
        }
        is_held = attempt.kind is Kind.AUTHORIZATION
        body = {
            "intent": "AUTHORIZE" if is_held else "CAPTURE",
            "purchase_units": [unit],
            **waits_for_buyer(token, self._pages, attempt),
        }
        call = self._client.post(_ORDERS, body, key=key)
        return await self._told("create", attempt, call, mapping.read_created)

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge.confirm_charge`.

        A token is `card:<vault id>`, the vault id of a PayPal wallet, the id of a billing agreement
        (`B-…`), or `approval`: the buyer then agrees on PayPal's page.
        """
        if token == APPROVAL or attempt.redirect_url:
            # Another request than the one that brings a source, so under a key of its own.
            return await self._pay_approved(attempt, key=f"{key}-approved")
        return await self._pay(attempt, source_of(token, self._pages, attempt), key=key)

    async def complete_charge(
        self, attempt: Attempt, *, details: Mapping[str, str], key: str
    ) -> Answer:
        """See `ports.Return.complete_charge`: what the buyer brings back is not needed, the order
        itself says whether he agreed.
        """
        return await self._pay_approved(attempt, key=key)

    async def cancel_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Abandon.cancel_charge`: no order can be taken back. PayPal drops one that is
        not approved in time, which is its end.
        """
        call = self._client.get(_order_path(attempt.psp_reference))
        return await self._told("read", attempt, call, mapping.look_at_approval)

    async def capture_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.capture_charge`."""
        order, answer = await self._look(attempt, mapping.read_hold)
        if order is None or not isinstance(answer, Absent):
            return answer
        body = {
            "amount": units.to_wire(attempt.amount),
            "invoice_id": attempt.attempt_id,
            "final_capture": attempt.is_final,
        }
        path = f"{_PAYMENTS}/authorizations/{order.authorizations[0].id}/capture"
        call = self._client.post(path, body, key=key)
        return await self._told("capture", attempt, call, mapping.read_capture)

    async def void_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold.void_charge`; what came of it is read, for PayPal may answer nothing."""
        order, answer = await self._look(attempt, mapping.read_hold)
        if order is None or not isinstance(answer, Absent):
            return answer
        path = f"{_PAYMENTS}/authorizations/{order.authorizations[0].id}/void"
        call = self._client.post(path, {}, key=key)
        answer = await self._told("void", attempt, call, _read_void)
        if not isinstance(answer, Absent):
            return answer
        return after_sending(await self.read_hold(attempt))

    async def refund_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Refund.refund_charge`."""
        order, answer = await self._look(attempt, mapping.find_refund)
        if order is None or not isinstance(answer, Absent):
            return answer
        captures = [each for each in order.captures if each.status in _REFUNDABLE]
        if len(captures) > 1:  # each of several has the id of its attempt
            ours = asked_as(attempt.charge_attempt_id)
            captures = [each for each in captures if each.invoice_id == ours]
        if len(captures) != 1:
            return mapping.nothing_to_refund(answer.trace)
        body = {
            "amount": units.to_wire(attempt.amount),
            "invoice_id": attempt.attempt_id,
            "custom_id": attempt.attempt_id,
        }
        call = self._client.post(f"{_PAYMENTS}/captures/{captures[0].id}/refund", body, key=key)
        return await self._told("refund", attempt, call, mapping.read_refund)

    async def find_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.find_charge`; PayPal lists no orders. Made again under its key it is
        the same, and an order moves no money.
        """
        return Absent()

    async def read_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.read_charge`."""
        call = self._client.get(_order_path(attempt.psp_reference))
        return await self._told("read", attempt, call, mapping.look_at_charge)

    async def read_hold(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.read_hold`."""
        call = self._client.get(_order_path(attempt.charge_reference))
        return await self._told("read", attempt, call, mapping.read_hold)

    async def find_refund(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp.find_refund`; by its order, which lists what was given back."""
        call = self._client.get(_order_path(attempt.charge_reference))
        return await self._told("read", attempt, call, mapping.find_refund)

    async def _pay(self, attempt: Attempt, body: Mapping[str, object], *, key: str) -> Answer:
        verb = "authorize" if attempt.kind is Kind.AUTHORIZATION else "capture"
        call = self._client.post(f"{_order_path(attempt.psp_reference)}/{verb}", body, key=key)
        return await self._told("confirm", attempt, call, mapping.read_charge)

    async def _pay_approved(self, attempt: Attempt, *, key: str) -> Answer:
        """Take the money once the buyer has agreed; until then answer where he does."""
        call = self._client.get(_order_path(attempt.psp_reference))
        answer = await self._told("read", attempt, call, mapping.look_at_approval)
        return await self._pay(attempt, {}, key=key) if isinstance(answer, Created) else answer

    async def _look(self, attempt: Attempt, read: Read) -> tuple[Order | None, Answer]:
        """Read the order before something is done to its payment; None when it cannot be."""
        seen: list[Result] = []

        def read_first(result: Result, attempt: Attempt) -> Answer:
            seen.append(result)
            is_order = mapping.order_of(result) is not None
            return read(result, attempt) if is_order else before_sending(result)

        call = self._client.get(_order_path(attempt.charge_reference))
        answer = await self._told("read", attempt, call, read_first)
        return mapping.order_of(seen[0]), answer

    async def _told(
        self, operation: str, attempt: Attempt, call: Awaitable[Result], read: Read
    ) -> Answer:
        return await told(NAME, operation, attempt, call, read, _is_refused)


def _is_refused(verdict: Verdict) -> bool:
    """Whether PayPal refuses our credentials, or what our account may do."""
    return is_401(verdict) or is_of_our_account(verdict)


def _order_path(reference: str) -> str:
    return f"{_ORDERS}/{reference}"


def _read_void(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to a void: Absent when it was taken, and is to be read what came of it."""
    is_taken = isinstance(result, Response) and result.status in (200, 204)
    return Absent(mapping.trace_of(result)) if is_taken else failure(result)
