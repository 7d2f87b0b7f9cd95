"""Keeps attempts in PostgreSQL: calls that arrive at once share a transaction, one coalescer per
operation.

An error from COMMIT leaves open whether it was stored. That is safe: an attempt that was stored and
not sent, or sent and not stored, is resumed by the next call from what its row says.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import LiteralString

import psycopg

from audit_log import writing as audit_log
from audit_log.origin import by_caller
from audit_log.record import Record
from chassis.changed import changed
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, columns
from chassis.encryption import Undecipherable
from chassis.money import Money
from chassis.telemetry import FENCED_WRITES
from psp_gateway import rows, statements
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.holds import Holds
from psp_gateway.domain.refunds import Refunds
from psp_gateway.ports import BY_HAND, Exchange, Saved, TakenUp

Saving = tuple[Attempt, Exchange, tuple[Record, ...]]

_BATCH_MAX = 256
# A PSP takes a few hundred milliseconds: outcomes may wait a few for larger groups.
_PATIENCE_S = 0.005
# Who is at fault is found by halves, and fails alone.
_AT_FAULT = (psycopg.Error, Undecipherable)
_NEW_WIDTH, _SAVED_WIDTH, _EVENT_WIDTH = 17, 18, 7


class AttemptStore:
    """The attempts.

    Args:
        database: opened as the app role.
        expresses: whether a PSP can express an amount.
        takes_parts: whether a PSP captures what it holds several times.
        batches_in_flight: transactions at once, per operation.
    """

    def __init__(
        self,
        database: Database,
        expresses: Callable[[str, Money], bool],
        takes_parts: Callable[[str], bool],
        *,
        batches_in_flight: int = 1,
    ) -> None:
        self._database = database
        self._expresses = expresses
        self._takes_parts = takes_parts
        # A batch that fails in SQL is split until the attempt at fault is alone.
        self._charges: Coalescer[Attempt, TakenUp] = Coalescer(
            self._take_up_charges,
            batch_max=_BATCH_MAX,
            in_flight_max=batches_in_flight,
            bisect_on=_AT_FAULT,
        )
        # One batch of refunds at a time: each locks the charges that it gives back.
        self._refunds: Coalescer[Attempt, TakenUp | Refusal] = Coalescer(
            self._take_up_refunds, batch_max=_BATCH_MAX, bisect_on=_AT_FAULT
        )
        self._holds: Coalescer[Attempt, TakenUp | Refusal] = Coalescer(
            self._take_up_holds, batch_max=_BATCH_MAX, bisect_on=_AT_FAULT
        )
        self._saves: Coalescer[Saving, Saved] = Coalescer(
            self._save,
            batch_max=_BATCH_MAX,
            in_flight_max=batches_in_flight,
            bisect_on=_AT_FAULT,
            patience_s=_PATIENCE_S,
        )

    async def take_up_charge(self, asked: Attempt) -> TakenUp:
        """See `ports.AttemptWriter.take_up_charge`."""
        return await self._charges.submit(asked)

    async def take_up_hold(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter.take_up_hold`."""
        return await self._holds.submit(asked)

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter.take_up_refund`."""
        return await self._refunds.submit(asked)

    async def save(self, attempt: Attempt, exchange: Exchange) -> Saved:
        """See `ports.AttemptWriter.save`."""
        told = (_by_hand(attempt, exchange),) if exchange.operation == BY_HAND else ()
        return await self._saves.submit((attempt, exchange, told))

    async def of_payment(self, payment_id: str) -> Sequence[Attempt]:
        """See `ports.AttemptReader.of_payment`."""
        found = await self._database.read(statements.OF_PAYMENT, [payment_id])
        return [rows.to_attempt(row, self._database.keyring) for row in found]

    async def of_payments(self, payment_ids: Sequence[str]) -> Sequence[Attempt]:
        """See `ports.AttemptReader.of_payments`."""
        found = await self._database.read(statements.OF_PAYMENTS, [list(payment_ids)])
        return [rows.to_attempt(row, self._database.keyring) for row in found]

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Attempt]:
        """See `ports.AttemptReader.find`."""
        found = await self._database.read(statements.BY_ID, [list(attempt_ids)])
        return [rows.to_attempt(row, self._database.keyring) for row in found]

    async def _take_up_charges(self, asked: Sequence[Attempt]) -> list[TakenUp]:
        """Insert what is not there.

        When the transaction runs again after a COMMIT of unknown outcome, its rows are there and
        count as found: they are resumed instead of begun, which is always safe.
        """
        inserted = await self._database.run(lambda tx: _insert(tx, asked), alone=True)
        there = [a.attempt_id for a in asked if a.attempt_id not in inserted]
        found = await self._found(there)
        return [TakenUp(found.get(a.attempt_id, a), is_new=a.attempt_id in inserted) for a in asked]

    async def _take_up_refunds(self, asked: Sequence[Attempt]) -> list[TakenUp | Refusal]:
        return await self._take_up_guarded(Refunds, asked)

    async def _take_up_holds(self, asked: Sequence[Attempt]) -> list[TakenUp | Refusal]:
        return await self._take_up_guarded(partial(Holds, takes_parts=self._takes_parts), asked)

    async def _take_up_guarded(
        self, guard_of: Callable[..., Refunds | Holds], asked: Sequence[Attempt]
    ) -> list[TakenUp | Refusal]:
        async def work(tx: Transaction) -> list[TakenUp | Refusal]:
            charge_ids = sorted({attempt.charge_attempt_id for attempt in asked})
            # Lock, then read: what another batch took up while this one waited is seen.
            charges = await _attempts(tx, statements.LOCK, charge_ids)
            about = await _attempts(tx, statements.ABOUT, charge_ids)
            known = await _attempts(tx, statements.BY_ID, [a.attempt_id for a in asked])
            guard = guard_of(charges.values(), about.values(), known.values(), self._expresses)
            answers = [guard.take_up(attempt) for attempt in asked]
            if guard.new:
                inserted = await _insert(tx, guard.new)
                if len(inserted) < len(guard.new):
                    raise psycopg.errors.SerializationFailure("an id was taken meanwhile")
            return [a if isinstance(a, Refusal) else TakenUp(a[0], is_new=a[1]) for a in answers]

        return await self._database.run(work)

    async def _save(self, savings: Sequence[Saving]) -> list[Saved]:
        parts = list(rows.apart([attempt.attempt_id for attempt, _, _ in savings]))

        async def work(tx: Transaction) -> list[Saved]:
            saved: dict[int, Saved] = {}
            for places in parts:
                answers = await _save_each_once(tx, [savings[place] for place in places])
                saved |= zip(places, answers, strict=True)
            return [saved[place] for place in range(len(savings))]

        # One statement needs no transaction around it; what it did not write is read after it.
        is_told = any(told for _, _, told in savings)
        answers = await self._database.run(work, alone=len(parts) == 1 and not is_told)
        FENCED_WRITES.labels("attempt").inc(sum(not saved.is_held for saved in answers))
        return answers

    async def _found(self, attempt_ids: Sequence[str]) -> dict[str, Attempt]:
        found = await self.find(attempt_ids) if attempt_ids else ()
        return {attempt.attempt_id: attempt for attempt in found}


def _by_hand(attempt: Attempt, exchange: Exchange) -> Record:
    """Tell what persons said of an attempt; taken while their call is under way."""
    after = {"outcome": attempt.outcome, "psp_reference": attempt.psp_reference}
    return by_caller(
        "psp_gateway/ResolveAttempts",
        "attempt",
        attempt.attempt_id,
        reason=exchange.trace,
        before={"outcome": Outcome.UNKNOWN},
        after=after,
    )


async def _save_each_once(tx: Transaction, savings: Sequence[Saving]) -> list[Saved]:
    values = columns([rows.saved_row(one, tx.keyring) for one, _, _ in savings], _SAVED_WIDTH)
    trail = [rows.event_row(attempt, exchange) for attempt, exchange, _ in savings]
    saved = await tx.tuples(statements.SAVE, [*values, *columns(trail, _EVENT_WIDTH)])
    versions: dict[str, int] = dict(saved)
    lost = [a.attempt_id for a, _, _ in savings if a.attempt_id not in versions]
    stored = await _attempts(tx, statements.BY_ID, lost) if lost else {}
    await audit_log.add_in(
        tx, [one for a, _, told in savings if a.attempt_id in versions for one in told]
    )
    return [
        Saved(stored[a.attempt_id], is_held=False)
        if a.attempt_id in stored
        else Saved(changed(a, version=versions[a.attempt_id]), is_held=True)
        for a, _, _ in savings
    ]


async def _insert(tx: Transaction, attempts: Sequence[Attempt]) -> set[str]:
    values = [rows.new_row(attempt) for attempt in attempts]
    inserted = await tx.tuples(statements.INSERT, columns(values, _NEW_WIDTH))
    return {attempt_id for (attempt_id,) in inserted}


async def _attempts(
    tx: Transaction, query: LiteralString, ids: Sequence[str]
) -> dict[str, Attempt]:
    found = await tx.all(query, [list(ids)])
    return {row["attempt_id"]: rows.to_attempt(row, tx.keyring) for row in found}
