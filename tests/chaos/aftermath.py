"""After the trouble: who is still open, and what is there in the end."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.trail import Json, Operator, plain
from tests.chaos.api import Api
from tests.chaos.history.moves import TERMINAL

# A hold waits for its client, who may have given up: that is an end too.
AT_REST = TERMINAL | {"REQUIRES_CAPTURE"}
_LOOK_EVERY_S = 1.0
_MINUTE_S = 60.0
_LETTING_GO = ("void", "expire")
_QUEUES = ("PAYMENT", "RETRY", "WAITING")


@dataclass(frozen=True, slots=True)
class Rest:
    """How a run came to rest.

    Attributes:
        payments: all there are, as they are listed in the end.
        open_at_60_s: who was neither final nor shown to a person 60 seconds after healing.
        at_rest_s: when everybody was; None: somebody never was, see `left`.
        left: who was still open at the end of the settle window, with the status.
        dead: dead letters, by payment, with the reason.
        shown: who openly waits for a PSP's evidence, which may never come, with the reason.
    """

    payments: list[Json]
    open_at_60_s: list[str]
    at_rest_s: float | None
    left: dict[str, str]
    dead: dict[str, str]
    shown: dict[str, str] = field(default_factory=dict)


async def patient(ask: Any, deadline_s: float = 30.0) -> Any:
    """Await what `ask` makes until somebody answers."""
    async with asyncio.timeout(deadline_s):
        while True:
            try:
                return await ask()
            except grpc.aio.AioRpcError as error:
                if error.code() not in (
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                ):
                    raise
                await asyncio.sleep(0.2)


async def come_to_rest(api: Api, operator: Operator, healed: float, window_s: float) -> Rest:
    """Wait until every payment is final or visible and nothing else moves, for `window_s` after it
    was `healed` at most. Who waits for a PSP's evidence has a minute to get it.
    """
    open_at_60_s: list[str] | None = None
    while True:
        payments = await listed(api)
        queues = await patient(lambda: sagas(operator))
        passed_s = time.monotonic() - healed
        dead = {s["payment_id"]: s["reason"] for s in queues["DEAD_LETTER"]}
        shown = _shown(payments, queues["WAITING"])
        left = {
            payment["payment_id"]: payment["status"]
            for payment in payments
            if payment["status"] not in AT_REST and payment["payment_id"] not in {*dead, *shown}
        }
        moving = {
            saga["payment_id"]: f"{saga['kind']} {saga['queue']} {saga['reason']}"
            for name in _QUEUES
            for saga in queues[name]
            if saga["reason"] != "NOT_DUE" and saga["payment_id"] not in shown
        }
        if passed_s >= _MINUTE_S and open_at_60_s is None:
            open_at_60_s = list(left)
        is_calm = payments and not left and not moving and (not shown or passed_s >= _MINUTE_S)
        if is_calm or passed_s > window_s:
            at_rest_s = passed_s if is_calm else None
            late = list(left) if open_at_60_s is None else open_at_60_s
            return Rest(payments, late, at_rest_s, moving | left, dead, shown)
        await asyncio.sleep(_LOOK_EVERY_S)


def _shown(payments: list[Json], waiting: list[Json]) -> dict[str, str]:
    """Name who openly waits for a PSP's evidence: a queue says why, and an order is UNKNOWN, or, of
    what is let go, for which orders have no word, the list of operators says since when it is.
    """
    reasons = {s["payment_id"]: s["reason"] for s in waiting if s["reason"] not in ("", "NOT_DUE")}
    unknown = {
        payment["payment_id"]
        for payment in payments
        if any(order["status"] == "UNKNOWN" for order in payment["payment_orders"])
    }
    unknown |= {
        saga["payment_id"]
        for saga in waiting
        if saga["kind"] in _LETTING_GO and saga.get("unknown_since")
    }
    return {name: reason for name, reason in reasons.items() if name in unknown}


async def listed(api: Api) -> list[Json]:
    """List every payment of the client, page after page; a page that fails is asked for again.

    Raises:
        TimeoutError: it cannot be had whole within a minute.
    """
    found: dict[str, Json] = {}
    token = None
    deadline = time.monotonic() + _MINUTE_S
    while token != "":
        page = await api.page(token or "")
        if page.keys() & {"payments", "next_page_token"}:
            found |= {payment["payment_id"]: payment for payment in page.get("payments", ())}
            token = str(page.get("next_page_token", ""))
        elif time.monotonic() > deadline:
            raise TimeoutError("the list of payments is not answered")
        else:
            await asyncio.sleep(0.3)
    return list(found.values())


async def sagas(operator: Operator) -> dict[str, list[Json]]:
    """List the sagas of every queue that is not done."""
    found: dict[str, list[Json]] = {}
    for name in (*_QUEUES, "DEAD_LETTER"):
        found[name] = []
        request = operations.ListSagasRequest(queue=name, page_size=500)  # type: ignore[arg-type]
        while True:
            answer = plain(await operator.payments.ListSagas(request, timeout=10))
            found[name] += answer["sagas"]
            if not answer["next_page_token"]:
                break
            request.page_token = answer["next_page_token"]
    return found
