"""Takes one attempt as far as it goes now: decide, ask the PSP, store, and again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from chassis.changed import changed
from chassis.clock import Clock
from chassis.faults import FaultPoints
from privacy.masked import Secret
from psp_gateway.domain.answer import class_of
from psp_gateway.domain.answered import advance
from psp_gateway.domain.attempt import Attempt, Stage
from psp_gateway.domain.endings import lapse, may_go_elsewhere, rerouted
from psp_gateway.domain.hosted_page import PageRequest, Reply
from psp_gateway.domain.walk import (
    Patience,
    Seen,
    Step,
    Walk,
    decide,
    is_due,
    is_repetition,
    resume,
)
from psp_gateway.ports import AttemptWriter, Exchange, Guarding, HostedPage, Provider, TakenUp

_LOOK_UP = "look_up"
_SENT_AT_STAGE = {
    Stage.OPEN: "psp.opened",
    Stage.CREATE: "psp.created",
    Stage.CONFIRM: "psp.confirmed",
    Stage.CAPTURE: "psp.captured",
    Stage.VOID: "psp.voided",
    Stage.REFUND: "psp.refunded",
}


_NO_TOKEN = Secret("")


def _nobody_notes(attempt: Attempt) -> None:
    """Note nothing."""


@dataclass(frozen=True, slots=True)
class Means:
    """What walking takes.

    Attributes:
        noted: is told how an attempt stands in the store, whenever a walk has seen it.
    """

    store: AttemptWriter
    providers: Mapping[str, Provider]
    guards: Mapping[str, Guarding]
    clock: Clock
    faults: FaultPoints
    abandon_after: timedelta = timedelta(minutes=30)
    pages: Mapping[str, HostedPage] = field(default_factory=dict)
    noted: Callable[[Attempt], None] = _nobody_notes
    _patience: dict[tuple[str, Stage], Patience] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def knows(self, attempt: Attempt) -> bool:
        """Whether the attempt's PSP is configured."""
        on_page = attempt.stage in (Stage.OPEN, Stage.PAGE)
        return attempt.psp in (self.pages if on_page else self.providers)

    def patience(self, attempt: Attempt) -> Patience:
        """How long the keys of an attempt's requests are sent again."""
        known = self._patience.get((attempt.psp, attempt.stage))
        if known is None:
            capable = self.providers[attempt.psp].capabilities
            known = self._patience[attempt.psp, attempt.stage] = Patience(
                capable.key_retention.get(attempt.stage, timedelta(0)) / 2,
                can_look_up=capable.can_look_up,
                abandon_after=self.abandon_after,
            )
        return known


@dataclass(frozen=True, slots=True)
class Paying:
    """What a charge is paid by.

    Attributes:
        token: what pays, as the PSP knows it; never stored, so each call brings it again.
        psps: those that may take the charge, in the order to be tried.
        page: the page that the buyer pays on, in the place of a token.
        is_last_try: whether the charge ends when nothing comes of it now.
    """

    token: Secret[str] = _NO_TOKEN
    psps: Sequence[str] = ()
    page: PageRequest | None = None
    is_last_try: bool = False

    def next_psp(self, attempt: Attempt) -> str:
        """Name the PSP to be tried next; empty when there is none."""
        tried = {attempt.psp, *attempt.psps_tried}
        return next((psp for psp in self.psps if psp not in tried), "")


NOTHING = Paying()


async def take_further(means: Means, taken_up: TakenUp, paying: Paying = NOTHING) -> Attempt:
    """Take a stored attempt as far as it goes now; answer it as it then stands, stored.

    A charge that its PSP could not be asked for, or declined in a way that another may be asked
    about, goes on at the next of `paying.psps`.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    attempt = taken_up.attempt
    means.noted(attempt)
    if not means.knows(attempt):
        return attempt  # its PSP is not configured any more: a person must look
    if taken_up.is_new:
        await means.faults.reach("psp.attempt_stored")
        return await _walk(means, Walk(attempt, Seen.STORED), paying)
    now = means.clock()
    if not is_due(attempt, now, means.patience(attempt)):
        return attempt
    ended = lapse(attempt, now)
    if ended is not None:
        return (await means.store.save(ended, Exchange("LAPSE", "", ""))).attempt
    walk = resume(attempt, now)
    again = is_repetition(attempt)
    if again and not _may_repeat(means, walk, decide(walk, now, means.patience(attempt))):
        return changed(attempt, is_put_off=True)
    # Whoever resumes says so first: two processes that do so at once part here, and a TRANSIENT
    # row never lies about what is under way.
    claimed = await means.store.save(walk.attempt, Exchange("resume", "", ""))
    means.noted(claimed.attempt)
    if not claimed.is_held:
        return claimed.attempt
    return await _walk(means, changed(walk, attempt=claimed.attempt), paying, again=again)


def _may_repeat(means: Means, walk: Walk, step: Step) -> bool:
    """Tell whether a step may be taken that asks for something again."""
    if step in (Step.CANCEL, Step.ANSWER):
        return True
    operation = _LOOK_UP if step is Step.LOOK_UP else walk.attempt.stage.lower()
    return means.guards[walk.attempt.psp].may_repeat(operation)


async def _walk(means: Means, walk: Walk, paying: Paying, *, again: bool = False) -> Attempt:
    """Walk until there is an answer; `again`: the first request of it repeats one of before."""
    while True:
        before = walk.attempt
        patience = means.patience(before)
        step = decide(walk, means.clock(), patience)
        if step is Step.ANSWER:
            return before
        if walk.requests and not _may_repeat(means, walk, step):
            return changed(before, is_put_off=True)
        again = again or walk.requests > 0
        answer, again = await _ask(means, before, step, paying, is_repetition=again), False
        if step not in (Step.LOOK_UP, Step.CANCEL):
            await means.faults.reach(_SENT_AT_STAGE[before.stage])
        walk = advance(walk, step, answer, means.clock(), patience)
        exchange = Exchange(f"{step.name}_{before.stage}", class_of(answer), answer.trace)
        psp = paying.next_psp(walk.attempt)
        if psp and may_go_elsewhere(walk.attempt, answer):
            first = first_stage(means.providers[psp], is_hosted=paying.page is not None)
            walk = Walk(rerouted(walk.attempt, psp, first), Seen.STORED)
        saved = await means.store.save(walk.attempt, exchange)
        means.noted(saved.attempt)
        await means.faults.reach("psp.outcome_stored")
        if not saved.is_held:
            return saved.attempt
        walk = changed(walk, attempt=saved.attempt)


def first_stage(provider: Provider, *, is_hosted: bool) -> Stage:
    """Tell how a charge begins at a PSP."""
    return Stage.OPEN if is_hosted else provider.capabilities.first_stage


async def _ask(
    means: Means, attempt: Attempt, step: Step, paying: Paying, *, is_repetition: bool
) -> Reply:
    if step is Step.LOOK_UP:
        return await look_up(means, attempt, is_repetition=is_repetition)
    guard = means.guards[attempt.psp]
    if step is Step.CANCEL:
        return await guard.ask("cancel", lambda: _cancel(means, attempt))
    sending = partial(_send, means, attempt, step, paying)
    return await guard.ask(attempt.stage.lower(), sending, is_repetition=is_repetition)


async def look_up(means: Means, attempt: Attempt, *, is_repetition: bool = False) -> Reply:
    """Ask the attempt's PSP what became of it; nothing is stored."""
    guard = means.guards[attempt.psp]
    return await guard.ask(_LOOK_UP, lambda: _look_up(means, attempt), is_repetition=is_repetition)


async def _cancel(means: Means, attempt: Attempt) -> Reply:
    key = f"{attempt.attempt_id}:cancel"
    if attempt.stage is Stage.PAGE:
        return await means.pages[attempt.psp].close_page(attempt, key=key)
    return await means.providers[attempt.psp].cancel_charge(attempt, key=key)


async def _send(means: Means, attempt: Attempt, step: Step, paying: Paying) -> Reply:
    provider, token = means.providers[attempt.psp], paying.token.reveal()
    key = f"{attempt.attempt_id}:{attempt.stage.lower()}"
    if step is Step.SEND_FRESH:
        # Safe only because the look-up before it proved that the object is not there, or not
        # confirmed, and because an unconfirmed object moves no money and a confirmed one is not
        # confirmed again: the PSP would otherwise replay its stored error under the first key.
        # A page, because nobody has the address of the one before.
        key = f"{key}-{attempt.request_count}"
    match attempt.stage:
        case Stage.OPEN | Stage.PAGE:
            return await _open(means.pages[attempt.psp], attempt, paying, key)
        case Stage.CREATE:
            return await provider.create_charge(attempt, token=token, key=key)
        case Stage.CONFIRM:
            return await provider.confirm_charge(attempt, token=token, key=key)
        case Stage.CAPTURE:
            return await provider.capture_charge(attempt, key=key)
        case Stage.VOID:
            return await provider.void_charge(attempt, key=key)
        case Stage.REFUND:
            return await provider.refund_charge(attempt, key=key)


async def _open(pages: HostedPage, attempt: Attempt, paying: Paying, key: str) -> Reply:
    if paying.page is None:
        raise AssertionError(f"{attempt.attempt_id} has a page, and nobody said what page")
    return await pages.open_page(attempt, page=paying.page, key=key)


async def _look_up(means: Means, attempt: Attempt) -> Reply:
    provider = means.providers[attempt.psp]
    match attempt.stage:
        case Stage.OPEN | Stage.PAGE:
            return await means.pages[attempt.psp].read_page(attempt)
        case Stage.CREATE:
            return await provider.find_charge(attempt)
        case Stage.CONFIRM:
            return await provider.read_charge(attempt)
        case Stage.CAPTURE | Stage.VOID:
            return await provider.read_hold(attempt)
        case Stage.REFUND:
            return await provider.find_refund(attempt)
