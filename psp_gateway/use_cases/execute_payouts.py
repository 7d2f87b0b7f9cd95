"""ExecutePayouts: read each command, store it, and take it as far as it goes now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.clock import Clock
from chassis.faults import FaultPoints
from chassis.money import Money
from psp_gateway.domain.answer import Answer, class_of
from psp_gateway.domain.errors import AttemptReused, NoRoute, Refusal
from psp_gateway.domain.payout import Destination, Payout, PspAccount
from psp_gateway.domain.payout_walk import (
    Patience,
    PayoutWalk,
    Seen,
    Step,
    advance,
    decide,
    is_due,
    resume,
)
from psp_gateway.payout_ports import PayOut, PayoutBook, PayoutTaken
from psp_gateway.ports import Exchange, Guarding
from psp_gateway.use_cases.route_charge import parse_amount

BANK = "bank"


def _nobody_notes(payout: Payout) -> None:
    """Note nothing."""


@dataclass(frozen=True, slots=True)
class Paying:
    """What paying out takes.

    Attributes:
        payers, guards: by PSP.
        noted: is told how a payout stands in the book, whenever a walk has seen it.
    """

    book: PayoutBook
    payers: Mapping[str, PayOut]
    guards: Mapping[str, Guarding]
    clock: Clock
    faults: FaultPoints
    noted: Callable[[Payout], None] = _nobody_notes

    def patience(self, payout: Payout) -> Patience:
        """How long the key of a payout is sent again."""
        terms = self.payers[payout.psp].terms
        return Patience(terms.key_retention / 2, can_find=terms.can_find)


@dataclass(frozen=True, slots=True)
class PayoutCommand:
    """A payout that a caller asks for.

    Attributes:
        fingerprint: keyed hash of the destination's content.
    """

    attempt_id: str
    payout_id: str
    client_id: str
    amount: str
    currency: str
    destination: Destination
    fingerprint: str


def begin_payout(paying: Paying, command: PayoutCommand, now: datetime) -> Payout:
    """Make a payout, not stored yet.

    Raises:
        Refusal: it cannot be taken up.
    """
    amount = parse_amount(command.amount, command.currency)
    to = command.destination.to
    psp = to.psp if isinstance(to, PspAccount) else BANK
    _check(paying, psp, amount, command.destination)
    return Payout(
        attempt_id=command.attempt_id,
        payout_id=command.payout_id,
        client_id=command.client_id,
        psp=psp,
        amount=amount,
        fingerprint=command.fingerprint,
        created_at=now,
        updated_at=now,
        key_since=now,
    )


def _check(paying: Paying, psp: str, amount: Money, destination: Destination) -> None:
    payer = paying.payers.get(psp)
    if payer is None:
        raise NoRoute(amount.currency, hindered={psp: "it is not configured to pay out"})
    refusal = payer.refusal(amount, destination)
    if refusal is not None:
        raise refusal


async def execute_payout(
    paying: Paying, asked: Payout, destination: Destination
) -> Payout | Refusal:
    """Pay out once: store, then call; or answer, look up or repeat what is stored.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    taken = await paying.book.take_up(asked)
    if isinstance(taken, Refusal):
        return taken
    differs = taken.payout.differs_from(asked)
    if differs:
        return AttemptReused(asked.attempt_id, differs)
    return await _take_further(paying, taken, destination)


async def _take_further(paying: Paying, taken: PayoutTaken, destination: Destination) -> Payout:
    payout = taken.payout
    paying.noted(payout)
    if taken.is_new:
        await paying.faults.reach("psp.payout_stored")
        return await _walk(paying, PayoutWalk(payout, Seen.STORED), destination)
    now, patience = paying.clock(), paying.patience(payout)
    if not is_due(payout, now, patience):
        return payout
    walk = resume(payout, now, patience)
    # Whoever resumes says so first: two processes that do so at once part here, and a TRANSIENT
    # row never lies about what is under way.
    claimed = await paying.book.save(walk.payout, Exchange("resume", "", ""))
    paying.noted(claimed.payout)
    if not claimed.is_held:
        return claimed.payout
    return await _walk(paying, replace(walk, payout=claimed.payout), destination)


async def _walk(paying: Paying, walk: PayoutWalk, destination: Destination) -> Payout:
    while True:
        before = walk.payout
        patience = paying.patience(before)
        step = decide(walk, paying.clock(), patience)
        if step is Step.ANSWER:
            return before
        answer = await _ask(paying, before, step, destination)
        if step is Step.SEND:
            await paying.faults.reach("psp.paid_out")
        walk = advance(walk, step, answer, paying.clock(), patience)
        exchange = Exchange(step.name, class_of(answer), answer.trace)
        saved = await paying.book.save(walk.payout, exchange)
        paying.noted(saved.payout)
        await paying.faults.reach("psp.outcome_stored")
        if not saved.is_held:
            return saved.payout
        walk = replace(walk, payout=saved.payout)


async def _ask(paying: Paying, payout: Payout, step: Step, destination: Destination) -> Answer:
    payer, guard = paying.payers[payout.psp], paying.guards[payout.psp]
    if step is Step.LOOK_UP:
        return await guard.ask("look_up_payout", lambda: payer.find_payout(payout))
    return await guard.ask("payout", lambda: payer.send_payout(payout, destination, key=payout.key))
