"""Applies what PSPs told: the PSP is asked about the attempt, or taken at its word where it cannot
be asked; then who waits is told.

Events come in any order, early, late and twice: none of them is believed over what is final, and
each says the same however often it is applied.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import PaymeshError
from chassis.money import Money
from psp_gateway.domain.answer import Verdict, alarm
from psp_gateway.domain.attempt import Attempt, Kind, Outcome, Stage
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.late_looks import is_accounted
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.domain.reasons import Reason
from psp_gateway.ports import AttemptFinder, Blame, Listener
from psp_gateway.use_cases.execute_payouts import Paying
from psp_gateway.use_cases.follow_disputes import Following, follow_dispute
from psp_gateway.use_cases.follow_payouts import follow_payout
from psp_gateway.use_cases.late_success import ask_if_late, keep_late, may_be_late
from psp_gateway.use_cases.look_again import News, keep, look_again
from psp_gateway.use_cases.take_further import Means

_STAGES = {
    Subject.CHARGE: (Stage.CREATE, Stage.CONFIRM, Stage.OPEN, Stage.PAGE),
    Subject.PAGE: (Stage.OPEN, Stage.PAGE),
    Subject.CAPTURE: (Stage.CAPTURE,),
    Subject.VOID: (Stage.VOID,),
    Subject.REFUND: (Stage.REFUND,),
}

_FAULT = "It could not be applied; the log says why."
_AT_IT = "A saga of payment_svc is at that attempt."
MinorUnits = Callable[[Money], int]


@dataclass(frozen=True, slots=True)
class Applying:
    """What applying takes.

    Attributes:
        minor_units: how a PSP counts an amount, for those that are taken at their word.
        following: what events about disputes take.
        blame: is told of what a fault of ours kept from being applied.
        paying: what events about payouts take; None where nothing is paid out.
    """

    means: Means
    finder: AttemptFinder
    listener: Listener
    minor_units: Mapping[str, MinorUnits]
    following: Following
    blame: Blame
    paying: Paying | None = None


async def apply_events(applying: Applying, batch: Sequence[Told]) -> Sequence[Told]:
    """Apply events, and wake who waits for their attempts, all at once; answer what became of
    each. One that the store did not answer for is left out: a later claim gets it.

    Raises:
        Unavailable: the store answered for none.
    """
    concerning = [told for told in batch if told.concerns_attempts]
    found = await applying.finder.concerned([told.event for told in concerning])
    concerned = dict(zip([told.number for told in concerning], found, strict=True))
    applied = await asyncio.gather(
        *(_left_alone(applying, told, concerned.get(told.number, ())) for told in batch)
    )
    done = [one for one in applied if one is not None]
    payment_ids = sorted({payment_id for one in done for payment_id in one.payment_ids})
    if not payment_ids:
        return [one.told for one in done]
    doubtful = sorted({payment_id for one in done for payment_id in one.doubtful_ids})
    try:
        undecided, note = set(await applying.listener.apply(payment_ids, doubtful)), _AT_IT
    except PaymeshError:
        undecided, note = set(payment_ids), "payment_svc did not hear of it yet."
    now = applying.means.clock()
    return [
        one.before.put_off(State.NEW, note, now) if one.payment_ids & undecided else one.told
        for one in done
    ]


@dataclass(frozen=True, slots=True)
class _Applied:
    """An event as it was and as it is, the payments that it concerns, and those of them of which an
    attempt was charged that had been refused, put off or unknown.
    """

    before: Told
    told: Told
    payment_ids: frozenset[str] = frozenset()
    doubtful_ids: frozenset[str] = frozenset()


async def _left_alone(
    applying: Applying, told: Told, concerned: Sequence[Attempt]
) -> _Applied | None:
    try:
        return await _apply_one(applying, told, concerned)
    except PaymeshError:
        return None
    except Exception as error:  # noqa: BLE001 - a fault of ours must not keep others back for ever
        applying.blame(f"event {told.number} of {told.event.psp}", error)
        return _Applied(told, told.put_off(State.NEW, _FAULT, applying.means.clock()))


async def _apply_one(applying: Applying, told: Told, concerned: Sequence[Attempt]) -> _Applied:
    now = applying.means.clock()
    if told.event.subject is Subject.PAYOUT and applying.paying is not None:
        return _Applied(told, await follow_payout(applying.paying, told))
    if not told.concerns_attempts:
        return _Applied(told, told.settled(State.KEPT))
    if told.event.subject is Subject.DISPUTE:
        own = [attempt for attempt in concerned if attempt.psp == told.event.psp]
        settled = await follow_dispute(applying.following, told, own)
        return _Applied(told, settled, frozenset(attempt.payment_id for attempt in own))
    if not concerned:
        note = "No attempt of ours is known by it."
        return _Applied(told, told.put_off(State.PARKED, note, now))
    meant = _meant(told.event, concerned)
    notes = [await _apply(applying, told.event, attempt, concerned) for attempt in meant]
    pairs = list(zip(meant, notes, strict=True))
    return _Applied(
        told,
        _summed_up(told, notes, now),
        frozenset(attempt.payment_id for attempt in concerned),
        frozenset(attempt.payment_id for attempt, note in pairs if note.is_doubtful),
    )


def _meant(event: PspEvent, concerned: Sequence[Attempt]) -> Sequence[Attempt]:
    """Leave out what a verdict is not about. A charge has many parts: the word of one refund says
    nothing of another, nor of anybody else's. Who is only to be asked about may all be asked.
    """
    if event.verdict is None:
        return concerned
    stages = _STAGES[event.subject]
    own = [a for a in concerned if a.stage in stages and _is_named(event, a)]
    return own or [a for a in concerned if a.stage not in stages]


def _is_named(event: PspEvent, attempt: Attempt) -> bool:
    is_by_reference = bool(event.reference) and event.reference == attempt.psp_reference
    return is_by_reference or event.attempt_id == attempt.attempt_id


def _summed_up(told: Told, notes: "Sequence[_Note]", now: datetime) -> Told:
    for note in notes:
        if note.state is State.NEW:
            return told.put_off(State.NEW, note.text, now)
    for note in notes:
        if note.state is State.CONTRADICTS:
            return told.settled(State.CONTRADICTS, note.text)
    return told.settled(State.APPLIED, "; ".join(note.text for note in notes if note.text))


@dataclass(frozen=True, slots=True)
class _Note:
    state: State
    text: str = ""
    is_doubtful: bool = False


async def _apply(
    applying: Applying, event: PspEvent, attempt: Attempt, others: Sequence[Attempt]
) -> _Note:
    if may_be_late(attempt, event):
        return await _apply_late(applying, event, attempt, others)
    if attempt.psp != event.psp:
        return _Note(State.APPLIED)  # it has gone to another PSP since
    note = await _apply_usual(applying, event, attempt)
    return replace(note, is_doubtful=note.state is State.APPLIED and _was_in_doubt(attempt))


def _was_in_doubt(attempt: Attempt) -> bool:
    """Whether somebody may have given it up, though it was not final."""
    is_taking = attempt.kind.is_first or attempt.kind is Kind.CAPTURE
    return is_taking and attempt.outcome in (Outcome.TRANSIENT, Outcome.UNKNOWN)


async def _apply_late(
    applying: Applying, event: PspEvent, attempt: Attempt, others: Sequence[Attempt]
) -> _Note:
    """Hold an event that may tell of a late charge against the PSP, or its word where that must do,
    and keep the charge.
    """
    means, verdict = applying.means, event.verdict
    if verdict is None:
        verdict = await ask_if_late(means, attempt, event.psp)
    elif attempt.stage not in _STAGES[event.subject] and attempt.kind is not Kind.VOID:
        return _Note(State.APPLIED)
    elif event.psp not in applying.minor_units or not _is_exact(applying, event, attempt):
        return _Note(State.CONTRADICTS, f"{attempt.attempt_id} is charged late, another amount.")
    if verdict is None:
        return _Note(State.APPLIED, "The PSP has not charged it.")
    if verdict.is_alarm and (is_accounted(attempt, others) or _is_known_as_other(attempt)):
        return _Note(State.APPLIED)
    if verdict.is_alarm:
        return _Note(State.CONTRADICTS, f"{attempt.attempt_id} is charged late, another amount.")
    if verdict.outcome is not Outcome.SUCCEEDED:
        return _Note(State.NEW, "The PSP did not tell when it was asked.")
    late = await keep_late(means, attempt, event.psp, verdict, means.clock())
    was = "let go" if attempt.kind is Kind.VOID else f"{attempt.outcome} at {attempt.psp}"
    text = f"{attempt.attempt_id} was {was}; {event.psp} has charged it, kept as {late.attempt_id}."
    return _Note(State.CONTRADICTS, text, is_doubtful=True)


def _is_known_as_other(attempt: Attempt) -> bool:
    """Whether two persons have said that another amount was taken, which was kept then."""
    return attempt.reason == Reason.AMOUNT_MISMATCH


def _is_exact(applying: Applying, event: PspEvent, attempt: Attempt) -> bool:
    """Whether an event is of what was asked; a void of the rest may be told by the whole hold."""
    is_void = attempt.stage is Stage.VOID
    amounts = [attempt.amount, attempt.amount + attempt.before] if is_void else [attempt.amount]
    minor = [applying.minor_units[event.psp](amount) for amount in amounts]
    return event.amount_minor in minor and event.currency == attempt.amount.currency


async def _apply_usual(applying: Applying, event: PspEvent, attempt: Attempt) -> _Note:
    provider = applying.means.providers.get(attempt.psp)
    if event.verdict is None and provider and not provider.capabilities.can_look_up:
        return _Note(State.APPLIED)  # it says nothing of the money, and there is nobody to ask
    if event.verdict is None:
        return _noted(await look_again(applying.means, attempt))
    if attempt.is_left_behind and event.subject is Subject.VOID:
        return await _taken_back(applying, event.verdict, attempt)
    if attempt.stage not in _STAGES[event.subject]:
        return _Note(State.APPLIED)  # about another part of the same charge
    if attempt.stage is Stage.PAGE and event.verdict.outcome is Outcome.DECLINED:
        return _Note(State.APPLIED, "The buyer may try again on the page.")
    return await _take_at_word(applying, event, event.verdict, attempt)


async def _taken_back(applying: Applying, verdict: Verdict, attempt: Attempt) -> _Note:
    """End a charge whose buyer never came back, if the PSP says that it has taken it back; that it
    could not says nothing of what the buyer does.
    """
    if verdict.outcome is not Outcome.SUCCEEDED:
        return _Note(State.APPLIED, "The PSP could not take it back.")
    reference = attempt.psp_reference or verdict.reference
    reason = Reason.AUTHENTICATION_ABANDONED
    ended = Verdict(Outcome.DECLINED, reference=reference, reason=reason, psp_code=verdict.psp_code)
    await keep(applying.means, attempt, ended, was_told=True)
    return _Note(State.APPLIED)


def _noted(news: News) -> _Note:
    match news:
        case News.NOT_YET:
            return _Note(State.APPLIED, "The PSP has not done it yet.")
        case News.SILENT:
            return _Note(State.NEW, "The PSP did not tell when it was asked.")
        case News.KNOWN:
            return _Note(State.APPLIED)


async def _take_at_word(
    applying: Applying, event: PspEvent, verdict: Verdict, attempt: Attempt
) -> _Note:
    if attempt.outcome.is_final:
        if verdict.outcome is attempt.outcome:
            return _Note(State.APPLIED)
        text = f"{attempt.attempt_id} is {attempt.outcome}; the PSP now says {verdict.outcome}."
        return _Note(State.CONTRADICTS, text)
    if verdict.outcome is Outcome.SUCCEEDED and not _is_exact(applying, event, attempt):
        verdict = alarm("webhook", Reason.AMOUNT_MISMATCH, reference=verdict.reference)
    if attempt.stage in (Stage.CAPTURE, Stage.VOID):
        # Known by the charge that it is about, which is what is refunded later.
        verdict = replace(verdict, reference=attempt.charge_reference)
    await keep(applying.means, attempt, verdict, was_told=True)
    return _Note(State.APPLIED)
