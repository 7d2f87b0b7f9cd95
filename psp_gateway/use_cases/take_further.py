"""Takes one attempt as far as it goes now: decide, ask the PSP, store, and again."""

from dataclasses import dataclass, replace

from chassis.clock import Clock
from chassis.faults import FaultPoints
from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Stage
from psp_gateway.domain.walk import Patience, Seen, Step, Walk, advance, decide, is_due, resume
from psp_gateway.ports import AttemptWriter, Exchange, Provider, TakenUp

_SENT_AT_STAGE = {
    Stage.CREATE: "psp.created",
    Stage.CONFIRM: "psp.confirmed",
    Stage.CAPTURE: "psp.captured",
    Stage.VOID: "psp.voided",
    Stage.REFUND: "psp.refunded",
}


@dataclass(frozen=True, slots=True)
class Means:
    """What walking takes."""

    store: AttemptWriter
    provider: Provider
    clock: Clock
    faults: FaultPoints

    def patience(self, attempt: Attempt) -> Patience:
        """How long the keys of an attempt's requests are sent again."""
        return Patience(self.provider.capabilities.key_retention[attempt.stage] / 2)


async def take_further(means: Means, taken_up: TakenUp, token: str = "") -> Attempt:
    """Take a stored attempt as far as it goes now; answer it as it then stands, stored.

    `token` is what pays; it is needed only until the PSP's object is made.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    attempt = taken_up.attempt
    if taken_up.is_new:
        await means.faults.reach("psp.attempt_stored")
        return await _walk(means, Walk(attempt, Seen.STORED), token)
    now = means.clock()
    if not is_due(attempt, now, means.patience(attempt)):
        return attempt
    walk = resume(attempt, now)
    # Whoever resumes says so first: two processes that do so at once part here, and a TRANSIENT
    # row never lies about what is under way.
    claimed = await means.store.save(walk.attempt, Exchange("resume", "", ""))
    if not claimed.is_held:
        return claimed.attempt
    return await _walk(means, replace(walk, attempt=claimed.attempt), token)


async def _walk(means: Means, walk: Walk, token: str) -> Attempt:
    while True:
        before = walk.attempt
        step = decide(walk, means.clock(), means.patience(before))
        if step is Step.ANSWER:
            return before
        answer = await _ask(means.provider, before, step, token)
        if step is not Step.LOOK_UP:
            await means.faults.reach(_SENT_AT_STAGE[before.stage])
        walk = advance(walk, step, answer, means.clock(), means.patience(before))
        exchange = Exchange(f"{step.name}_{before.stage}", _class_of(answer), answer.trace)
        saved = await means.store.save(walk.attempt, exchange)
        await means.faults.reach("psp.outcome_stored")
        if not saved.is_held:
            return saved.attempt
        walk = replace(walk, attempt=saved.attempt)


async def _ask(provider: Provider, attempt: Attempt, step: Step, token: str) -> Answer:
    if step is Step.LOOK_UP:
        return await _look_up(provider, attempt)
    key = f"{attempt.attempt_id}:{attempt.stage.lower()}"
    if step is Step.SEND_FRESH:
        # Safe only because the look-up before it proved that the object is not there, or not
        # confirmed, and because an unconfirmed object moves no money and a confirmed one is not
        # confirmed again: the PSP would otherwise replay its stored error under the first key.
        key = f"{key}-{attempt.request_count}"
    match attempt.stage:
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


async def _look_up(provider: Provider, attempt: Attempt) -> Answer:
    match attempt.stage:
        case Stage.CREATE:
            return await provider.find_charge(attempt)
        case Stage.CONFIRM:
            return await provider.read_charge(attempt)
        case Stage.CAPTURE | Stage.VOID:
            return await provider.read_hold(attempt)
        case Stage.REFUND:
            return await provider.find_refund(attempt)


def _class_of(answer: Answer) -> str:
    match answer:
        case Created():
            return "CREATED"
        case Absent():
            return "ABSENT"
        case Verdict():
            return f"{answer.delivery}:{answer.outcome}"
