"""Looks by itself, on a schedule, at attempts that were given up: what a PSP has charged after all
is kept as a late charge and told, as when the PSP tells of it.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from chassis.errors import PaymeshError, Unavailable
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.late_looks import LateLook, is_accounted, looks_at
from psp_gateway.ports import AttemptReader, Blame, LateLooks, Listener
from psp_gateway.use_cases.late_success import ask_if_late, keep_late
from psp_gateway.use_cases.look_again import News, look_again
from psp_gateway.use_cases.take_further import Means

_PLANNED_AT_ONCE, _LOOKED_AT_ONCE = 500, 16
_MENDED = timedelta(hours=1)  # when a row is looked at again that cannot be read
_MISSED = timedelta(days=1)  # a gateway may have been away for as long


class Found(Enum):
    """What a look came to."""

    NOTHING = auto()
    CHARGED = auto()
    SILENT = auto()  # the PSP, or who has to hear of it, did not answer


@dataclass(frozen=True, slots=True)
class Looking:
    """What looking takes.

    Attributes:
        schedule: how long after an attempt was given up it is looked at, ascending; empty: never.
        blame: is told of a look that a fault of ours kept from being made.
    """

    means: Means
    looks: LateLooks
    reader: AttemptReader
    listener: Listener
    schedule: Sequence[timedelta]
    blame: Blame


async def plan_looks(looking: Looking) -> int:
    """Plan the looks at what was given up since; tell how many attempts are new.

    Raises:
        Unavailable: the store did not answer.
    """
    if not looking.schedule:
        return 0
    now = looking.means.clock()
    first, last = looking.schedule[0], looking.schedule[-1]
    since, until = now - last - _MISSED, now - first
    found = await looking.looks.given_up(since, until, _PLANNED_AT_ONCE)
    await looking.looks.plan([_planned(looking, attempt) for attempt in found])
    return len(found)


async def look_late(looking: Looking) -> Mapping[Found, int]:
    """Make the looks that are due; tell what they came to.

    Raises:
        Unavailable: the store did not answer; a look that was not kept is made again.
    """
    every = await looking.looks.claim(_LOOKED_AT_ONCE)
    ids = [look.attempt_id for look in every]
    attempts = {a.attempt_id: a for a in await _readable(looking.reader, ids)}
    claimed = [look for look in every if look.attempt_id in attempts]
    found = await asyncio.gather(*(_left_alone(looking, attempts[c.attempt_id]) for c in claimed))
    now = looking.means.clock()
    settled = [
        (look, _after(looking, look, attempts[look.attempt_id], what, now))
        for look, what in zip(claimed, found, strict=True)
    ]
    unreadable = [look for look in every if look.attempt_id not in attempts]
    settled += [(look, replace(look, due_at=now + _MENDED)) for look in unreadable]
    await looking.looks.settle(settled)
    return {what: found.count(what) for what in Found}


async def _readable(reader: AttemptReader, ids: Sequence[str]) -> Sequence[Attempt]:
    """Find attempts; where one cannot be read, each by itself, so that the others are looked at."""
    try:
        return await reader.find(ids)
    except Unavailable:
        raise
    except PaymeshError:
        if len(ids) == 1:
            return ()
        return [one for id_ in ids for one in await _readable(reader, [id_])]


def _planned(looking: Looking, attempt: Attempt) -> LateLook:
    times = looks_at(attempt, looking.schedule)
    return LateLook(attempt.attempt_id, attempt.updated_at, 0, attempt.updated_at + times[0])


def _after(
    looking: Looking, look: LateLook, attempt: Attempt, found: Found, now: datetime
) -> LateLook:
    times = looks_at(attempt, looking.schedule)
    return look.after(times, now, told=found is not Found.SILENT)


async def _left_alone(looking: Looking, attempt: Attempt) -> Found:
    try:
        return await _look(looking, attempt)
    except PaymeshError:
        return Found.SILENT
    except Exception as error:  # noqa: BLE001 - a fault of ours must not keep others back for ever
        looking.blame(f"late look at {attempt.attempt_id}", error)
        return Found.SILENT


async def _look(looking: Looking, attempt: Attempt) -> Found:
    """Look at one attempt at each PSP that it was at; tell who has to hear of a charge."""
    others = await looking.reader.of_payment(attempt.payment_id)
    if is_accounted(attempt, others):
        return Found.NOTHING
    found = [await _look_at(looking, attempt, psp) for psp in _psps(attempt)]
    if Found.CHARGED in found:
        payment_ids = [attempt.payment_id]
        undecided = await looking.listener.apply(payment_ids, payment_ids)
        return Found.SILENT if undecided else Found.CHARGED
    return Found.SILENT if Found.SILENT in found else Found.NOTHING


def _psps(attempt: Attempt) -> Iterator[str]:
    if attempt.kind.is_first:
        yield from attempt.psps_tried
    yield attempt.psp


async def _look_at(looking: Looking, attempt: Attempt, psp: str) -> Found:
    means = looking.means
    if psp == attempt.psp and not attempt.outcome.is_final:
        return await _look_at_open(looking, attempt)
    verdict = await ask_if_late(means, attempt, psp)
    if verdict is None or verdict.is_alarm:
        return Found.NOTHING  # of another amount a person is told by whoever asked
    if verdict.outcome is not Outcome.SUCCEEDED:
        return Found.SILENT
    await keep_late(means, attempt, psp, verdict, means.clock())
    return Found.CHARGED


async def _look_at_open(looking: Looking, attempt: Attempt) -> Found:
    """Look at one that never ended: nobody may ask for it any more."""
    if attempt.kind is Kind.VOID:
        return Found.NOTHING
    if await look_again(looking.means, attempt) is News.SILENT:
        return Found.SILENT
    (after,) = await looking.reader.find([attempt.attempt_id])
    return Found.CHARGED if after.outcome is Outcome.SUCCEEDED else Found.NOTHING
