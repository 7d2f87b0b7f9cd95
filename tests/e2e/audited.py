"""A stack on which everything has happened once, and the client's log of what it was answered."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg

from devstack.audit import Answer, Facts, Notice, Told, gather, quiesce
from devstack.rest import RestClient, specification_request
from devstack.stack import Stack
from tests.refusals import refusals
from tests.unit.payment_svc.receiver import Receiver, ok, receiving

CANARY = "4929420573595709"  # a card number that nobody may ever keep


@dataclass
class Driver:
    """Makes payments and keeps what was answered."""

    rest: RestClient
    answers: list[Answer] = field(default_factory=list)

    async def create(self, request: Mapping[str, Any], key: str = "", wait_s: int = 20) -> str:
        """Create a payment; tell its id."""
        key = key or str(uuid4())
        return await self._keep("create", key, self.rest.create(request, key, wait_s))

    async def act(self, payment_id: str, verb: str, request: Mapping[str, Any]) -> str:
        """Act on a payment."""
        key = str(uuid4())
        return await self._keep(verb, key, self.rest.act(payment_id, verb, request, key, 20))

    async def read(self, payment_id: str) -> str:
        """Read a payment."""
        return await self._keep("get", "", self.rest.get(payment_id))

    async def _keep(self, verb: str, key: str, asked: Any) -> str:
        sent_at = asyncio.get_running_loop().time()
        answer = await asked
        told = (answer.body.get("payment_id", ""), answer.body.get("status", ""))
        now = asyncio.get_running_loop().time()
        self.answers.append(Answer(sent_at, now, verb, key, answer.status, *told))
        return str(told[0])


def request_of(*amounts: str, token: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    """Write a request of orders with these amounts in EUR, of sellers s0, s1, …"""
    orders = [
        {"seller_account": f"s{place}", "amount": amount, "currency": "EUR"}
        | {"payment_order_id": str(uuid4())}
        for place, amount in enumerate(amounts)
    ]
    paid = {"payment_orders": orders, "credit_card_info": {"token": token}}
    return specification_request() | paid | more


async def everything(stack: Stack) -> tuple[Facts, Told]:
    """Let everything happen once, and gather what is then."""
    async with receiving(ok) as receiver:
        async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
            registered = await rest.ask("POST", "/v1/webhook_endpoints", {"url": receiver.url})
            assert registered.status == 200, registered.body
            driver = Driver(rest)
            await happen(stack, driver)
            await quiesce(stack, 60, steady_s=0.5)
            for payment_id in {one.payment_id for one in driver.answers}:
                await driver.read(payment_id)
            endpoint = registered.body["endpoint_id"]
            await rest.ask("DELETE", f"/v1/webhook_endpoints/{endpoint}")
    refused = await refusals(stack, apart=True)
    facts = await gather(stack)
    return facts, Told(
        answers=driver.answers,
        notices=list(noticed(receiver)),
        canaries={"card number": CANARY},
        folders=[stack.state.logs],
        dumps=dict(stack["databases"]),
        refusals=refused,
    )


async def happen(stack: Stack, driver: Driver) -> None:
    """Pay at each PSP, be declined, hold and capture and let go, and turn round."""
    key = str(uuid4())
    repeated = request_of("10.00")
    await driver.create(repeated, key)
    await driver.create(repeated, key)
    await driver.create(request_of("1.00", "2.00", "3.00"))
    await driver.create(request_of("5.00", "6.00", partial_failure_policy="KEEP_SUCCESSFUL"))
    for token in ("pm_card_chargeDeclined", "adyen:shopper:card", "paypal:x"):
        await driver.create(request_of("7.00", token=token))
    for token in ("pm_card_visa", "adyen:shopper:card", "paypal:x"):
        for verb, wanted in (("capture", {}), ("capture", {"amount": "4.00"}), ("cancel", {})):
            held = await driver.create(request_of("8.00", token=token, capture_method="MANUAL"))
            await driver.act(held, verb, wanted)
    await driver.create(request_of("8.50", capture_method="MANUAL"))
    await driver.create(request_of("9.00", token=f"pm_{CANARY}"))  # refused: it is a card's number
    async with frozen(stack, "seller:demo:s2:EUR"):
        await driver.create(request_of("1.00", "2.00", "3.00"))


@asynccontextmanager
async def frozen(stack: Mapping[str, Any], wallet_id: str) -> Any:
    """Freeze a wallet that payment_svc knows as open."""
    statement = "UPDATE wallets SET status = %s, version = version + 1 WHERE wallet_id = %s"
    url = stack["databases"]["wallet"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute(statement, ["FROZEN", wallet_id])
        yield
        await database.execute(statement, ["OPEN", wallet_id])


def noticed(receiver: Receiver) -> Iterable[Notice]:
    """Read what a receiver took."""
    for _, body in receiver.taken:
        event = json.loads(body)
        data = event["data"]
        yield Notice(data["payment_id"], event["sequence"], event["type"], data["status"])
