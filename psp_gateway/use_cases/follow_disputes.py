"""Follows disputes by what PSPs tell: where one can be asked it is, and its word counts; where not,
all its words are summed up, in whatever order they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock
from chassis.ids import new_id
from chassis.money import Money
from psp_gateway.dispute_ports import DisputeBook, ReadDisputes, TellDisputes
from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.dispute import Backwards, Dispute, News, Source, Standing, opened
from psp_gateway.domain.inbox import State, Told
from psp_gateway.ports import Guarding

_TRIES_MAX = 5
_UNHEARD = "The PSP did not tell when it was asked."


@dataclass(frozen=True, slots=True)
class Following:
    """What following takes.

    Attributes:
        readers, tellers: by PSP, each in one of the two.
    """

    book: DisputeBook
    readers: Mapping[str, ReadDisputes]
    tellers: Mapping[str, TellDisputes]
    guards: Mapping[str, Guarding]
    clock: Clock


async def follow_dispute(following: Following, told: Told, concerned: Sequence[Attempt]) -> Told:
    """Take in an event about a dispute of one of the attempts; answer what became of it.

    Raises:
        Unavailable: the store did not answer.
    """
    event, now = told.event, following.clock()
    is_followed = event.psp in following.readers or event.psp in following.tellers
    if not event.reference or not is_followed:
        return told.settled(State.KEPT, "It names no dispute that is followed.")
    if event.verdict is not None:
        return told.settled(State.CONTRADICTS, "The PSP says that a step of a dispute failed.")
    teller = following.tellers.get(event.psp)
    if teller is not None and teller.told(event, None) is None:
        return told.settled(State.KEPT, "It says nothing of how a dispute stands.")
    charge = charge_of(concerned)
    for _ in range(_TRIES_MAX):
        dispute = await following.book.of_reference(event.psp, event.reference)
        if dispute is None and charge is None:
            return told.put_off(State.PARKED, "No charge of ours is known by it.", now)
        if event.psp in following.readers:
            settled = await _read(following, told, dispute, charge)
        else:
            settled = await _sum_up(following, told, dispute, charge)
        if settled is not None:
            return settled
    return told.put_off(State.NEW, "Others wrote the dispute at the same time.", now)


def charge_of(concerned: Sequence[Attempt]) -> Attempt | None:
    """Choose the attempt that is disputed: the one that charged or held, and did so if any did."""
    firsts = [attempt for attempt in concerned if attempt.kind.is_first]
    done = [attempt for attempt in firsts if attempt.outcome is Outcome.SUCCEEDED]
    return next(iter([*done, *firsts]), None)


async def ask(following: Following, psp: str, reference: str) -> Standing | str:
    """Ask how a dispute stands; a note when the PSP does not tell."""
    reader = following.readers[psp]
    heard = await following.guards[psp].ask("dispute", lambda: reader.read_dispute(reference))
    match heard:
        case Standing() if heard.reference == reference:
            return heard
        case Absent():
            return "The PSP does not know the dispute."
        case Verdict() if heard.psp_code:
            return f"{_UNHEARD} ({heard.psp_code})"
    return _UNHEARD


async def _read(
    following: Following, told: Told, dispute: Dispute | None, charge: Attempt | None
) -> Told | None:
    """Ask the PSP; None when another wrote the dispute since it was read, so that ours may be the
    older word.
    """
    standing = await ask(following, told.event.psp, told.event.reference)
    now = following.clock()
    if isinstance(standing, str):
        return told.put_off(State.NEW, standing, now)
    if charge is not None and not _is_about(standing, charge):
        return told.settled(State.CONTRADICTS, f"It is not about {charge.attempt_id}.")
    news = News(now, Source.READ, told.event.event_type, psp_code=standing.psp_code)
    before = _first_or(dispute, charge, standing, now)
    try:
        after = before.taken(standing, news) if dispute else before.joined(standing, news)
    except Backwards as error:
        return told.settled(State.CONTRADICTS, str(error))
    if after == dispute or await following.book.save(after):
        return told.settled(State.APPLIED)
    return None


async def _sum_up(
    following: Following, told: Told, dispute: Dispute | None, charge: Attempt | None
) -> Told | None:
    """Add one word to those that are known; None when another wrote the dispute meanwhile."""
    event, now = told.event, following.clock()
    if dispute is not None and dispute.knows(Source.TOLD, event.event_type):
        return told.settled(State.APPLIED)
    standing = following.tellers[event.psp].told(event, dispute)
    if standing is None:
        return told.settled(State.KEPT, "It says nothing of how the dispute stands.")
    if isinstance(standing, str):
        return told.settled(State.CONTRADICTS, standing)
    disputed = standing.told_amount or standing.amount
    news = News(
        now,
        Source.TOLD,
        event.event_type,
        amount=disputed,
        psp_code=event.told_code,
        due_at=event.told_due_at,
    )
    before = _first_or(dispute, charge, standing, now)
    if not await following.book.save(before.joined(standing, news)):
        return None
    if charge is not None and not _is_within(disputed, charge.amount):
        note = f"{disputed} {disputed.currency} is not within the charge."
        return told.settled(State.CONTRADICTS, note)
    return told.settled(State.APPLIED)


def _first_or(
    dispute: Dispute | None, charge: Attempt | None, standing: Standing, now: datetime
) -> Dispute:
    if dispute is not None:
        return dispute
    if charge is None:
        raise AssertionError("a dispute begins with its charge")
    return opened(charge, standing, new_id("dsp", now), now)


def _is_about(standing: Standing, charge: Attempt) -> bool:
    return bool({charge.psp_reference, charge.attempt_id} & set(standing.charge_references))


def _is_within(disputed: Money, charged: Money) -> bool:
    return disputed.currency == charged.currency and disputed.amount <= charged.amount
