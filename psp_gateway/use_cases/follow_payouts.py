"""Follows payouts by what PSPs tell: an event only says that there is news; the PSP is asked, and
its word counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psp_gateway.domain.answer import Answer, Verdict, class_of
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.payout import Payout, contradicts
from psp_gateway.domain.payout_walk import PayoutWalk, Seen, Step, advance
from psp_gateway.domain.psp_event import PspEvent
from psp_gateway.ports import Exchange
from psp_gateway.use_cases.execute_payouts import Paying


async def follow_payout(paying: Paying, told: Told) -> Told:
    """Take in an event about a payout; answer what became of the event.

    Raises:
        Unavailable: the store did not answer.
    """
    event, now = told.event, paying.clock()
    if event.psp not in paying.payers:
        return told.settled(State.KEPT, "The PSP pays nothing out for us.")
    found = await _concerned(paying, event)
    if not found and event.attempt_id:
        return told.put_off(State.PARKED, "No payout of ours is known by it.", now)
    for payout in found:
        note = await look_at_payout(paying, payout)
        if note is None:
            continue
        if note.state is State.CONTRADICTS:
            return told.settled(State.CONTRADICTS, note.text)
        return told.put_off(State.NEW, note.text, now)
    return told.settled(State.APPLIED) if found else told.settled(State.KEPT, "It is none of ours.")


@dataclass(frozen=True, slots=True)
class Note:
    """Why news is not done with: NEW to look again later, CONTRADICTS for a person."""

    state: State
    text: str


async def look_at_payout(paying: Paying, payout: Payout) -> Note | None:
    """Ask the PSP what became of a payout, and store it; None when all that it says is known."""
    payer = paying.payers[payout.psp]
    answer = await paying.guards[payout.psp].ask(
        "look_up_payout", lambda: payer.find_payout(payout)
    )
    return await keep_payout(paying, payout, answer, "LOOK_AGAIN")


async def keep_payout(
    paying: Paying, payout: Payout, answer: Answer, operation: str
) -> Note | None:
    """Store what was learned of a payout, without anything being sent."""
    if not isinstance(answer, Verdict) or answer.about_request or _is_silent(answer):
        return Note(State.NEW, "The PSP did not tell when it was asked.")
    if contradicts(payout.state, answer):
        text = f"{payout.attempt_id} is {payout.state}; the PSP now says {answer.outcome}."
        return Note(State.CONTRADICTS, text)
    begun, patience = PayoutWalk(payout, Seen.RESUMED, in_doubt=True), paying.patience(payout)
    after = advance(begun, Step.LOOK_UP, answer, paying.clock(), patience).payout
    if after.state is payout.state and after.psp_reference == payout.psp_reference:
        return None
    saved = await paying.book.save(after, Exchange(operation, class_of(answer), answer.trace))
    if saved.is_held or saved.payout.state is after.state:
        return None
    return Note(State.NEW, "Others wrote the payout at the same time.")


def _is_silent(verdict: Verdict) -> bool:
    unknown = verdict.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT)
    return unknown and not verdict.is_alarm


async def _concerned(paying: Paying, event: PspEvent) -> Sequence[Payout]:
    found = await paying.book.find([event.attempt_id]) if event.attempt_id else ()
    if not found and event.reference:
        found = await paying.book.of_reference(event.psp, event.reference)
    return [payout for payout in found if payout.psp == event.psp]
