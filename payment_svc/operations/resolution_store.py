"""Resolutions in PostgreSQL. Locks are taken on the saga first, then on the resolution."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from audit_log.writing import add_alone
from chassis.database import Database, Transaction
from chassis.errors import Aborted
from chassis.faults import FaultPoints
from chassis.money import Money
from payment_svc import audited, rows, saga_store
from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionPending, SecondPersonNeeded, UnverifiedOperator
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.operations import attention
from payment_svc.operations.ports import Concluded
from payment_svc.operations.store import LOCK_SAGA, add_actions, write_let_on
from payment_svc.ports import LostLease, StalePayment
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas.journey import Journey, Move
from payment_svc.store import load_payments

_COLUMNS = (
    "resolution_id, saga_id, payment_id, saga_epoch, step, action, attempt_id, decision,"
    " psp_reference, amount, currency, evidence, evidence_link, reason, status, proposed_by,"
    " is_proposer_verified, proposed_at, expires_at, approved_by, decided_by, is_decider_verified,"
    " decided_at, note"
)
_ADD = f"INSERT INTO resolutions ({_COLUMNS}) VALUES ({', '.join(['%s'] * 24)})"
_CHANGE = """
UPDATE resolutions SET status = %s, approved_by = %s, decided_by = %s, is_decider_verified = %s,
    decided_at = %s, note = %s
WHERE resolution_id = %s
"""
_FIND = f"SELECT {_COLUMNS} FROM resolutions WHERE resolution_id = %s"
_LOCK = f"{_FIND} FOR UPDATE"
_EXPIRE = """
UPDATE resolutions SET status = 'EXPIRED'
WHERE saga_id = %s AND status = 'PROPOSED' AND expires_at <= %s
"""
_OPEN = """
SELECT resolution_id FROM resolutions WHERE saga_id = %s AND status IN ('PROPOSED', 'APPROVED')
"""
_STATUS_NOW = "CASE WHEN status = 'PROPOSED' AND expires_at <= now() THEN 'EXPIRED' ELSE status END"
_LIST = f"""
SELECT {_COLUMNS} FROM resolutions
WHERE (%(status)s = '' OR {_STATUS_NOW} = %(status)s)
    AND (%(saga_id)s = '' OR saga_id = %(saga_id)s)
    AND (%(before)s = '' OR resolution_id < %(before)s)
ORDER BY resolution_id DESC LIMIT %(limit)s
"""
_APPROVED = f"""
SELECT {_COLUMNS} FROM resolutions
WHERE status = 'APPROVED' AND (decided_at, resolution_id) > (%s, %s)
ORDER BY decided_at, resolution_id LIMIT %s
"""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NEXT_EPOCH = "UPDATE sagas SET epoch = epoch + 1 WHERE saga_id = %s"


Moves = list[Move]


class PostgresResolutionStore:
    """`operations.ports.ResolutionStore` on PostgreSQL.

    Args:
        sagas: records the steps that resolutions take.
    """

    def __init__(
        self, database: Database, sagas: PostgresSagaStore, faults: FaultPoints | None = None
    ) -> None:
        self._database = database
        self._sagas = sagas
        self._faults = faults or FaultPoints()

    async def propose(
        self, saga_id: str, decide: Callable[[Journey], tuple[Resolution, OperatorAction]]
    ) -> Resolution | None:
        """See `ports.ResolutionStore.propose`."""

        async def work(tx: Transaction) -> Resolution | None:
            journey = await _lock_saga(tx, saga_id)
            if journey is None:
                return None
            proposal, action = decide(journey)
            await tx.execute(_EXPIRE, [saga_id, proposal.proposed_at])
            for row in await tx.all(_OPEN, [saga_id]):
                raise ResolutionPending(saga_id, row["resolution_id"])
            await tx.execute(_ADD, _row(proposal))
            await tx.together(add_actions([action]))
            await self._faults.reach("proposal.written")
            return proposal

        proposal = await self._database.run(work)
        await self._faults.reach("proposal.committed")
        return proposal

    async def decide(
        self,
        resolution_id: str,
        decide: Callable[[Resolution], tuple[Resolution, OperatorAction | None]],
    ) -> Resolution | None:
        """See `ports.ResolutionStore.decide`."""

        async def work(tx: Transaction) -> Resolution | None:
            found = await tx.all(_LOCK, [resolution_id])
            if not found:
                return None
            after, action = decide(_to_resolution(found[0]))
            await _change(tx, after, action)
            await self._faults.reach("decision.written")
            return after

        try:
            return await self._database.run(work)
        except (SecondPersonNeeded, UnverifiedOperator) as refusal:
            # It changed nothing, and is an attempt all the same to do what takes two.
            await add_alone(self._database, [audited.refused(resolution_id, refusal.reason)])
            raise

    async def conclude(
        self, resolution_id: str, decide: Callable[[Resolution, Journey], Concluded]
    ) -> Resolution | None:
        """See `ports.ResolutionStore.conclude`."""
        told: list[Move] = []

        async def work(tx: Transaction) -> Resolution | None:
            told.clear()
            for row in await tx.all(_FIND, [resolution_id]):
                journey = await _lock_saga(tx, row["saga_id"])
                (locked,) = await tx.all(_LOCK, [resolution_id])
                if journey is None:
                    raise AssertionError(f"{resolution_id} is about no saga")
                concluded = decide(_to_resolution(locked), journey)
                await self._write(tx, concluded, told)
                await self._faults.reach("conclusion.written")
                return concluded.resolution
            return None

        try:
            resolution = await self._database.run(work)
        except (LostLease, StalePayment) as error:
            raise Aborted("The payment was changed meanwhile; try again.") from error
        await self._faults.reach("conclusion.committed")
        attention.tell(told)
        return resolution

    async def find(self, resolution_id: str) -> Resolution | None:
        """See `ports.ResolutionStore.find`."""
        found = await self._database.read(_FIND, [resolution_id])
        return _to_resolution(found[0]) if found else None

    async def list(
        self, status: ResolutionStatus | None, saga_id: str, before: str, limit: int
    ) -> Sequence[Resolution]:
        """See `ports.ResolutionStore.list`."""
        parameters = {
            "status": status.value if status else "",
            "saga_id": saga_id,
            "before": before,
            "limit": limit,
        }
        return [_to_resolution(row) for row in await self._database.read(_LIST, parameters)]

    async def approved(self, limit: int, after: Resolution | None = None) -> Sequence[Resolution]:
        """See `ports.ResolutionStore.approved`."""
        place = (_BEGINNING, "") if after is None else (after.decided_at, after.resolution_id)
        found = await self._database.read(_APPROVED, [*place, limit])
        return [_to_resolution(row) for row in found]

    async def _write(self, tx: Transaction, concluded: Concluded, told: Moves) -> None:
        if concluded.action is None:
            return
        if concluded.let_on is not None:
            # One line of the trail tells both, that it was applied and that the saga was let on.
            await write_let_on(tx, [replace(concluded.let_on, action=concluded.action)])
            await _update(tx, concluded.resolution)
            return
        if concluded.move is not None:
            await self._sagas.record_in(tx, concluded.move)
            await tx.execute(_NEXT_EPOCH, [concluded.resolution.saga_id])
            told.append(concluded.move)
        await _change(tx, concluded.resolution, concluded.action)


async def _lock_saga(tx: Transaction, saga_id: str) -> Journey | None:
    found = await tx.all(LOCK_SAGA, [saga_id])
    if not found:
        return None
    progress = saga_store.view(found[0]).progress
    payments = await load_payments(tx, [progress.payment_id])
    return Journey(progress, payments[progress.payment_id])


async def _change(tx: Transaction, resolution: Resolution, action: OperatorAction | None) -> None:
    if action is None:
        return
    await _update(tx, resolution)
    await tx.together(add_actions([action]))


async def _update(tx: Transaction, resolution: Resolution) -> None:
    decided = resolution.decided_by
    parameters = (
        resolution.status.value,
        resolution.approved_by,
        decided and decided.name,
        decided and decided.is_verified,
        resolution.decided_at,
        resolution.note,
        resolution.resolution_id,
    )
    await tx.execute(_CHANGE, parameters)


def _row(proposal: Resolution) -> tuple[Any, ...]:
    amount = proposal.amount
    return (
        proposal.resolution_id,
        proposal.saga_id,
        proposal.payment_id,
        proposal.saga_epoch,
        proposal.step,
        proposal.action,
        proposal.attempt_id,
        proposal.decision.value,
        proposal.psp_reference,
        amount and amount.amount,
        amount and amount.currency,
        proposal.evidence,
        proposal.evidence_link,
        proposal.reason,
        proposal.status.value,
        proposal.proposed_by.name,
        proposal.proposed_by.is_verified,
        proposal.proposed_at,
        proposal.expires_at,
        *(None, None, None, None),
        proposal.note,
    )


def _to_resolution(row: rows.Row) -> Resolution:
    decided, amount = row["decided_by"], row["amount"]
    return Resolution(
        resolution_id=row["resolution_id"],
        saga_id=row["saga_id"],
        payment_id=row["payment_id"],
        saga_epoch=row["saga_epoch"],
        step=row["step"],
        action=row["action"],
        attempt_id=row["attempt_id"],
        decision=Decision(row["decision"]),
        evidence=row["evidence"],
        reason=row["reason"],
        proposed_by=Actor(row["proposed_by"], row["is_proposer_verified"]),
        proposed_at=row["proposed_at"],
        expires_at=row["expires_at"],
        psp_reference=row["psp_reference"],
        amount=None if amount is None else Money.of_stored(amount, row["currency"]),
        evidence_link=row["evidence_link"],
        status=ResolutionStatus(row["status"]),
        approved_by=row["approved_by"],
        decided_by=None if decided is None else Actor(decided, row["is_decider_verified"]),
        decided_at=row["decided_at"],
        note=row["note"],
    )
