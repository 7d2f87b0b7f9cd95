"""Requests that must be refused and change nothing, sent to a stack at rest; and digests of all its
tables around them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import psycopg
import pytest
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub
from paymesh.payment.v1 import dead_letter_pb2 as noun
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.audit import Refusal
from devstack.audit.live import digest_tables
from devstack.reach import operator_channel
from devstack.trail import Operator
from tests.e2e.error_calls import Caller, at, spoiled, under
from tests.e2e.error_cases import (
    CASES,
    LIMITED,
    NO_SCOPE,
    NOT_HELD,
    REUSED,
    STRANGER,
    Case,
)

_TITLES = (
    "a card number as token",
    "a card number in the path",
    "a body cut off",
    "an unknown key",
    "amount `NaN` USD",
    "a key that is none of ours",
    "no Idempotency-Key",
    "a body over 64 KiB",
    "a payment that is not there",
)
_DEADLINE_S = 60.0
_AGAIN = 5  # a job of a service's own writes now and then; a refusal that writes does so each time
_OPERATOR_S = 30.0

Ask = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Known:
    """A payment that is COMPLETED, by its id, the key that made it, and a saga of it."""

    payment_id: str
    key: str
    saga_id: str


async def refusals(stack: Mapping[str, Any], *, apart: bool) -> list[Refusal]:
    """Send them to a stack at rest, on which a payment has completed; digest all tables around each
    of them, or, where that takes long, `apart` being False, around all together.

    Raises:
        AssertionError: one was not refused, or not as it should be.
    """
    known = await asyncio.to_thread(_known, stack["databases"]["payment"])
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http, Operator(stack) as operator:
        caller = Caller(stack, http)
        asked = {**await _of_clients(caller, known), **_of_operators(operator, known)}
        if apart:
            return [await _around(stack, what, [ask]) for what, ask in asked.items()]
        return [await _around(stack, f"one of {', '.join(asked)}", list(asked.values()))]


async def _around(stack: Mapping[str, Any], what: str, asks: Sequence[Ask]) -> Refusal:
    """Digest, ask, and digest again; once more, under new keys, where something has changed."""
    after = await asyncio.to_thread(digest_tables, stack["databases"])
    for _ in range(_AGAIN):
        before = after
        for ask in asks:
            await ask()
        after = await asyncio.to_thread(digest_tables, stack["databases"])
        if after == before:
            break
    return Refusal(what, before, after)


def _known(url: str) -> Known:
    query = (
        "SELECT payment_id, idempotency_key, saga_id FROM payments"
        " JOIN idempotency_records USING (payment_id) JOIN sagas USING (payment_id)"
        " WHERE payments.status = 'COMPLETED' AND method = 'CreatePayment' AND kind = 'pay_in'"
        " ORDER BY payment_id LIMIT 1"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None, "no payment has completed"
    return Known(*row)


async def _of_clients(caller: Caller, known: Known) -> dict[str, Ask]:
    """List what is asked of the edge, by title; two more clients are made for it."""
    reader, limited = f"reader-{uuid4()}", f"limited-{uuid4()}"
    async with operator_channel(caller.stack, "edge_auth") as channel:
        stub = ClientServiceStub(channel)
        bearer = {name: await _client(stub, name) for name in (reader, limited)}
        limit = edge.SetClientLimitRequest(
            client_id=limited, requests_per_second=1, burst=1, reason="to be refused"
        )
        await stub.SetClientLimit(limit, timeout=_OPERATOR_S)
    path = f"/v1/payments/{known.payment_id}"
    cases = [case for case in CASES if case.title in _TITLES]
    assert len(cases) == len(_TITLES)
    cases += [
        under(REUSED, known.key),
        *(at(c, "POST", f"{path}/{v}") for c, v in zip(NOT_HELD, _VERBS, strict=True)),
        at(STRANGER, "GET", path, Authorization=bearer[reader]),
        at(NO_SCOPE, "POST", "/v1/payments", Authorization=bearer[reader]),
    ]
    too_many = at(LIMITED, "GET", "/v1/payments/pay_0", Authorization=bearer[limited])
    asks = {case.title: _refused(caller, case) for case in cases}
    return {**asks, LIMITED.title: _limited(caller, too_many)}


_VERBS = ("capture", "cancel")


async def _client(stub: Any, client_id: str) -> str:
    request = edge.CreateClientRequest(client_id=client_id, scopes=["read"])
    created = await stub.CreateClient(request, timeout=_OPERATOR_S)
    return f"Bearer {created.api_key}"


def _refused(caller: Caller, case: Case) -> Ask:
    async def ask() -> None:
        status, body, _ = await caller.rest(case, spoiled(case))
        reason = body["details"][0]["reason"]
        assert (status, reason) == (case.status, case.reason), f"{case.title}: {status} {body}"

    return ask


def _limited(caller: Caller, case: Case) -> Ask:
    """Read what is not there until the client has asked too often."""

    async def ask() -> None:
        async with asyncio.timeout(_DEADLINE_S):
            while (await caller.rest(case, {}))[0] != case.status:
                pass

    return ask


def _of_operators(operator: Operator, known: Known) -> dict[str, Ask]:
    """List what is asked of payment_svc by a person."""
    unfit = operations.ResolveSagaRequest(
        saga_id=known.saga_id,
        decision=noun.Resolution.Decision.GIVE_UP,
        evidence="none",
        reason="it is done",
    )
    elsewhere = operations.RetrySagaRequest(
        saga_id=known.saga_id, expected_epoch=10**6, reason="it was seen elsewhere"
    )
    nobody = operations.RetrySagaRequest(saga_id="sga_0", expected_epoch=1, reason="nobody's")
    stub = operator.payments
    return {
        "a resolution that does not fit": _not_done(stub.ResolveSaga, unfit),
        "an epoch of another time": _not_done(stub.RetrySaga, elsewhere),
        "a saga that is not there": _not_done(stub.RetrySaga, nobody),
    }


_NOT_DONE = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.NOT_FOUND,
)


def _not_done(method: Any, request: Any) -> Ask:
    async def ask() -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(request, timeout=_OPERATOR_S)
        assert refused.value.code() in _NOT_DONE, refused.value.details()

    return ask
