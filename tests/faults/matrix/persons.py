"""Persons at a lane's dead letters: they let a saga go on, or say by two what became of it. Whose
answer is lost looks again, as their guide says.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc

from devstack.dead_letters import DeadLetters
from tests.faults.matrix.lane import Lane

POISON = "poison"
_PAUSE_S = 0.05
_WHY = "Seen in the dashboard"
_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,  # it has moved since
    grpc.StatusCode.FAILED_PRECONDITION,  # a worker has it just now, or it is proposed already
)
# What raised is claimed once more, and not after a rest; what a dead worker held rests as it must.
_HURRY = """
UPDATE sagas SET due_at = now() WHERE saga_id = %s AND queue = 'RETRY' AND lease_owner IS NULL
RETURNING 1
"""
# Taken from a worker that sleeps at the step, who finds out when it wants to write; or, on the way
# back, from nobody: it waits to be tried again.
_SPOIL = """
UPDATE sagas SET step = %(poison)s, unmoved = %(claims)s, queue = 'RETRY', due_at = now(),
    lease_owner = NULL, epoch = epoch + 1
WHERE payment_id = %(payment_id)s AND kind = 'pay_in' AND step = %(step)s
    AND turned_round = %(is_back)s AND (lease_owner IS NULL) = %(is_back)s
    AND queue = CASE WHEN turned_round THEN 'RETRY' ELSE 'PAYMENT' END
RETURNING saga_id
"""
_REPAIR = "UPDATE sagas SET step = %s WHERE saga_id = %s RETURNING 1"


class Persons:
    """Who works at a lane's queues."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._ann = DeadLetters(lane.operator.payments, "ann")
        self._bob = DeadLetters(lane.operator.payments, "bob")

    async def spoil(self, payment_id: str, step: str, claims: int, *, is_back: bool = False) -> str:
        """Make poison of a payment's saga that is at a step, or back at it: its step is one that no
        version knows. It is claimed `claims` times already. Answer the saga's id.
        """
        told = {"poison": POISON, "claims": claims, "payment_id": payment_id, "step": step}
        told["is_back"] = is_back
        while (found := await self._lane.row(_SPOIL, **told)) is None:
            await asyncio.sleep(_PAUSE_S)
        return str(found["saga_id"])

    async def until_dead(self, saga_id: str) -> None:
        """Wait until it is laid before a person."""
        while await self._queue(saga_id) != "DEAD_LETTER":
            await self._lane.rows(_HURRY, saga_id)
            await asyncio.sleep(_PAUSE_S)

    async def repair(self, saga_id: str, step: str) -> None:
        """Bring out the version that knows the step."""
        await self._lane.rows(_REPAIR, step, saga_id)

    async def let_on(self, saga_id: str) -> None:
        """Let a dead letter go on, unless it has been."""
        while await self._queue(saga_id) == "DEAD_LETTER":
            seen = await _tried(self._ann.plan(saga_id))
            if seen is not None:
                await _tried(self._ann.retry(seen, _WHY))
            await asyncio.sleep(_PAUSE_S)

    async def waiting(self, payment_id: str, reason: str) -> str:
        """Wait until a payment's saga waits for that reason; answer its id."""
        while True:
            found = await self._lane.rows(
                "SELECT saga_id FROM sagas WHERE payment_id = %s AND queue = 'WAITING'"
                " AND reason = %s",
                payment_id,
                reason,
            )
            if found:
                return str(found[0]["saga_id"])
            await asyncio.sleep(_PAUSE_S)

    async def resolve(self, saga_id: str, decision: str, **said: str) -> None:
        """Have one propose and the other approve, until it is applied; the PSP may be silent."""
        while True:
            found = await _tried(self._ann.resolutions("", saga_id))
            status = found[0]["status"] if found else ""
            if status == "APPLIED":
                return
            if found is not None and status in ("", "CONTRADICTED"):
                await _tried(self._ann.resolve(saga_id, decision, _WHY, evidence=_WHY, **said))
            elif found and status == "PROPOSED":
                resolution_id = found[0]["resolution_id"]
                await _tried(self._bob.approve(resolution_id, _WHY))
            await asyncio.sleep(_PAUSE_S)

    async def _queue(self, saga_id: str) -> str:
        (row,) = await self._lane.rows("SELECT queue FROM sagas WHERE saga_id = %s", saga_id)
        return str(row["queue"])


async def _tried(asked: Awaitable[Any]) -> Any:
    """Answer what is answered; None where nobody did, or it has moved."""
    try:
        return await asked
    except grpc.aio.AioRpcError as error:
        if error.code() not in _AGAIN:
            raise
        return None
