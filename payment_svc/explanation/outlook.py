"""The outlook: what a payment waits for, until when, and what one can do."""

from collections.abc import Callable, Mapping
from datetime import datetime

from payment_svc.domain.payment import Payment
from payment_svc.domain.resolution import Decision
from payment_svc.domain.statuses import FINAL, PaymentStatus
from payment_svc.explanation import actions
from payment_svc.explanation.journal import place
from payment_svc.explanation.story import Action, Outlook, Story, WaitsFor
from payment_svc.explanation.unfitting import with_notices
from payment_svc.explanation.wording import count, span
from payment_svc.ports import SagaView
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Journey, Progress, Queue
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.resolving import fitting
from payment_svc.sagas.void import EXPIRE

_TO_PERSON = "The saga is laid before a person (queue DEAD_LETTER)."
_NOT_DUE = "NOT_DUE"
_DEBIT = "DEBIT_PENDING"
_OTHER_AMOUNT = "AMOUNT_MISMATCH"
# What is waited for, by the word with which a step waits; any other word asks for evidence.
_WAITS = {
    "ACTION_REQUIRED": WaitsFor.BUYER,
    "PSP_PENDING": WaitsFor.PSP_DECISION,
    _DEBIT: WaitsFor.PSP_DECISION,
    _NOT_DUE: WaitsFor.DATE,
}


def outlook(story: Story, now: datetime, policy: RetryPolicy) -> Outlook:
    """Tell what a payment waits for; of several sagas, what the most urgent one waits for.

    What one can do is told for all of them. What a PSP told that does not fit is told, too.
    """
    return with_notices(story, _awaited(story, now, policy))


def _awaited(story: Story, now: datetime, policy: RetryPolicy) -> Outlook:
    views = [view for view in story.sagas if not _is_over(story.payment, view)]
    if not views:
        return _nobody_moves(story)
    told = [_tell(story.payment, view, now, policy) for view in views]
    urgency = list(_TELLERS)
    told.sort(key=lambda one: urgency.index(one.waits_for))
    first = told[0]
    others = len(told) - 1
    verb = "is" if others == 1 else "are"
    also = f" {count(others, 'other saga')} {verb} not done either." if others else ""
    doable = dict.fromkeys(action for one in told for action in one.actions)
    return Outlook(
        waits_for=first.waits_for,
        sentence=first.sentence + also,
        since=first.since,
        looked_at_again_at=first.looked_at_again_at,
        until=first.until,
        then=first.then,
        actions=tuple(doable),
    )


def _is_over(payment: Payment, view: SagaView) -> bool:
    """Tell whether nothing more comes of a saga: an expiry has no business with what is no longer
    held, though it is looked at when its day comes.
    """
    progress = view.progress
    is_expiry = progress.kind == EXPIRE.kind and progress.reason == _NOT_DUE
    idle = is_expiry and payment.status is not PaymentStatus.REQUIRES_CAPTURE
    return idle or progress.queue is Queue.DONE


def _tell(payment: Payment, view: SagaView, now: datetime, policy: RetryPolicy) -> Outlook:
    return _TELLERS[_waits_for(view)](payment, view, now, policy)


def _waits_for(view: SagaView) -> WaitsFor:
    progress = view.progress
    if progress.queue is Queue.DEAD_LETTER:
        return WaitsFor.OPERATOR
    if progress.queue is Queue.PAYMENT:
        return WaitsFor.WORKER
    if progress.queue is Queue.RETRY:
        return WaitsFor.RETRY
    waits = _WAITS.get(progress.reason, WaitsFor.EVIDENCE)
    is_expiry = waits is WaitsFor.DATE and progress.kind == EXPIRE.kind
    return WaitsFor.CAPTURE if is_expiry else waits


def _nobody_moves(story: Story) -> Outlook:
    """Tell of a payment of which no saga is left: it is final, or it waits for its client."""
    payment = story.payment
    since = max((c.changed_at for c in story.changes), default=payment.created_at)
    if payment.status is PaymentStatus.REQUIRES_CAPTURE:
        return Outlook(
            WaitsFor.CAPTURE,
            "The client has to capture or cancel what is held.",
            since,
            until=payment.capture_before,
            then="The PSP lets go of it.",
            actions=(actions.capture(payment), actions.cancel(payment)),
        )
    if payment.status not in FINAL:
        return Outlook(
            WaitsFor.OPERATOR,
            f"It is {payment.status} and no saga moves it: this must not be.",
            since,
            actions=(actions.investigate("payment_svc"),),
        )
    failed = payment.status is PaymentStatus.FAILED
    again = (actions.PAY_AGAIN,) if failed else ()
    sentence = "It is final: nothing is left to do."
    return Outlook(WaitsFor.NOTHING, sentence, since, actions=(actions.FINAL, *again))


def _worker(payment: Payment, view: SagaView, now: datetime, _: RetryPolicy) -> Outlook:
    progress = view.progress
    if progress.epoch == 0:
        sentence = f"{_who(progress)} waits for a worker to take it up."
        waits, since = (actions.wait(payment),), progress.created_at
        return Outlook(WaitsFor.WORKER, sentence, since, view.due_at, actions=waits)
    lost = view.due_at is not None and view.due_at < now
    return Outlook(
        WaitsFor.WORKER,
        f"The worker of {_at(progress)} is not heard of any more."
        if lost
        else f"A worker is at {_at(progress)}.",
        progress.step_since,
        until=view.due_at,
        then="Another worker takes over, unless this one is heard of again.",
        actions=(actions.wait(payment),),
    )


def _retry(payment: Payment, view: SagaView, now: datetime, policy: RetryPolicy) -> Outlook:
    progress = view.progress
    tried = f"tried {count(progress.tries, 'time')} in {span(now - progress.step_since)}"
    gives_up = _gives_up(progress)
    then = (
        f"After {count(policy.psp_tries_max, 'try')} the PSP's trouble counts as a no:"
        " what was done is undone, and its orders fail."
    )
    return Outlook(
        WaitsFor.RETRY,
        f"Trouble at {_at(progress)}, {tried}: {progress.reason}.",
        progress.step_since,
        view.due_at,
        None if gives_up else progress.step_since + policy.budget,
        then if gives_up else _TO_PERSON,
        (actions.wait(payment), actions.investigate(actions.worker_of(progress))),
    )


def _gives_up(progress: Progress) -> bool:
    """Tell whether a few tries more end it, as the engine has it.

    The trouble of our own services is named by the command; the PSP's is a word of its own.
    """
    saga = SAGAS.get(progress.kind)
    if saga is None or saga.fail is None or progress.turned_round or ":" in progress.reason:
        return False
    if progress.is_unknown:
        return False
    return not any(step.is_patient for step in saga.steps if step.name == progress.step)


def _buyer(payment: Payment, view: SagaView, _: datetime, policy: RetryPolicy) -> Outlook:
    progress = view.progress
    orders = (o for o in payment.orders if progress.order_id in (None, o.order_id))
    urls = [o.redirect_url for o in orders if o.redirect_url is not None]
    url = urls[0] if urls else payment.redirect_url
    return Outlook(
        WaitsFor.BUYER,
        "The buyer has to act before the PSP goes on.",
        progress.step_since,
        view.due_at,
        progress.step_since + policy.action_budget,
        _TO_PERSON,
        (actions.send_buyer(url), actions.wait(payment)),
    )


def _psp_decision(payment: Payment, view: SagaView, _: datetime, policy: RetryPolicy) -> Outlook:
    progress = view.progress
    is_debit = progress.reason == _DEBIT
    who = "The buyer's bank" if is_debit else "The PSP"
    return Outlook(
        WaitsFor.PSP_DECISION,
        f"{who} has not decided, at {_at(progress)}.",
        progress.step_since,
        view.due_at,
        progress.step_since + (policy.debit_budget if is_debit else policy.action_budget),
        _TO_PERSON,
        (actions.wait(payment),),
    )


def _evidence(payment: Payment, view: SagaView, now: datetime, policy: RetryPolicy) -> Outlook:
    progress = view.progress
    looked = f"looked up {count(progress.tries, 'time')} in {span(now - progress.step_since)}"
    return Outlook(
        WaitsFor.EVIDENCE,
        f"Whether money moved at {_at(progress)} is not known ({progress.reason}); {looked}.",
        progress.step_since,
        view.due_at,
        progress.step_since + policy.unknown_budget,
        _TO_PERSON,
        (
            actions.wait_for_evidence(payment),
            actions.investigate(actions.worker_of(progress)),
            *_give_back(payment, view),
        ),
    )


def _give_back(payment: Payment, view: SagaView) -> tuple[Action, ...]:
    """Tell how what the PSP took of another amount is given back; it may say so for ever."""
    fits = fitting(Journey(view.progress, payment))
    is_other = view.progress.reason == _OTHER_AMOUNT and Decision.OTHER_AMOUNT in fits
    return (actions.give_back(view),) if is_other else ()


def _capture(payment: Payment, view: SagaView, _: datetime, __: RetryPolicy) -> Outlook:
    return Outlook(
        WaitsFor.CAPTURE,
        f"{payment.amount} {payment.currency} are held; the client has to capture or cancel.",
        view.progress.created_at,
        view.due_at,
        view.due_at,
        "What is held is let go of, and the payment ends CANCELLED.",
        (actions.capture(payment), actions.cancel(payment)),
    )


def _date(payment: Payment, view: SagaView, _: datetime, __: RetryPolicy) -> Outlook:
    return Outlook(
        WaitsFor.DATE,
        f"{_who(view.progress)} waits for its day.",
        view.progress.created_at,
        view.due_at,
        view.due_at,
        f"{_who(view.progress)} goes on.",
        (actions.wait(payment),),
    )


def _operator(payment: Payment, view: SagaView, _: datetime, __: RetryPolicy) -> Outlook:
    progress = view.progress
    fits = fitting(Journey(progress, payment))
    resolve = _give_back(payment, view) or ((actions.resolve(view, fits),) if fits else ())
    return Outlook(
        WaitsFor.OPERATOR,
        f"A person has to look: stuck at {_at(progress)}: {progress.reason}.",
        view.entries[-1].finished_at if view.entries else progress.step_since,
        actions=(
            actions.investigate(actions.worker_of(progress)),
            actions.retry(view),
            *resolve,
        ),
    )


def _who(progress: Progress) -> str:
    return f"Saga {progress.kind}"


def _at(progress: Progress) -> str:
    back = ", going back" if progress.turned_round else ""
    return f"step {place(progress.step, progress.kind)}{back}"


# Of several sagas, the one that needs somebody most comes first.
_TELLERS: Mapping[WaitsFor, Callable[[Payment, SagaView, datetime, RetryPolicy], Outlook]] = {
    WaitsFor.OPERATOR: _operator,
    WaitsFor.BUYER: _buyer,
    WaitsFor.EVIDENCE: _evidence,
    WaitsFor.PSP_DECISION: _psp_decision,
    WaitsFor.RETRY: _retry,
    WaitsFor.WORKER: _worker,
    WaitsFor.CAPTURE: _capture,
    WaitsFor.DATE: _date,
}
