"""Letting a saga go on by hand: what it would do next, and under which ids. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.money import Money
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    PostKeptCharge,
    PostLateCharge,
    RefundCharge,
    ReleaseSuspense,
    ReverseCredits,
    ReversePosting,
    SettleCredits,
    VoidCharge,
)
from payment_svc.sagas.journey import Journey, Progress, Queue
from payment_svc.sagas.policy import RetryPolicy

_PLANNED = "NOT_DUE"
_RETRYABLE = (Queue.DEAD_LETTER, Queue.RETRY, Queue.WAITING)


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What a saga does next.

    Attributes:
        command: the command's name; empty: nothing is asked of the outside.
        keys: name and value of each id that makes it happen once.
        amount: None when the command has none of its own.
        policy: what the retry policy says, for a person.
        problem: the class of the error that keeps it from even being asked; empty when nothing
            does.
    """

    step: str
    action: str
    command: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    amount: Money | None = None
    policy: str = ""
    problem: str = ""


def may_be_retried(progress: Progress) -> bool:
    """Whether a person may let it go on now: not while a worker has it, not when it is done, and
    not before the day it was planned for.
    """
    is_early = progress.journal_length == 0 and progress.reason == _PLANNED
    return progress.queue in _RETRYABLE and not is_early


def plan_retry(journey: Journey, policy: RetryPolicy, now: datetime) -> RetryPlan:
    """Tell what a saga would do if it were let go on."""
    progress = journey.progress
    action = "undo" if progress.turned_round else "do"
    told = _policy(progress, policy, now)
    try:
        command = engine.command(SAGAS[progress.kind], journey)
    except Exception as error:  # noqa: BLE001 - a bug is what an operator wants to hear of
        return RetryPlan(progress.step, action, policy=told, problem=type(error).__name__)
    if command is None:
        return RetryPlan(progress.step, action, policy=told)
    return RetryPlan(
        progress.step,
        action,
        type(command).__name__,
        tuple(_keys(command)),
        getattr(command, "amount", None),
        told,
    )


def _keys(command: Command) -> Iterator[tuple[str, str]]:
    match command:
        case AssessPayment():
            yield "payment_id", command.payment.payment_id
        case ExecuteCharge():
            yield "attempt_id", command.attempt_id
        case CaptureCharge() | VoidCharge() | RefundCharge():
            yield "attempt_id", command.attempt_id
            yield "charge_attempt_id", command.charge_attempt_id
        case CreditWallets() | SettleCredits():
            yield from (("operation_id", o.operation_id) for o in command.operations)
        case ReverseCredits():
            yield from (("operation_id", name) for name in command.operation_ids)
        case (
            PostCapture()
            | PostLateCharge()
            | PostKeptCharge()
            | ReleaseSuspense()
            | ReversePosting()
        ):
            yield "reference", command.reference


def attempt_of(command: Command | None) -> str:
    """Name the attempt at a PSP that a command is about; empty when it is about none."""
    if isinstance(command, ExecuteCharge | CaptureCharge | VoidCharge | RefundCharge):
        return command.attempt_id
    return ""


def _policy(progress: Progress, policy: RetryPolicy, now: datetime) -> str:
    if progress.queue is Queue.DEAD_LETTER:
        return (
            f"The step, begun {_age(progress, now)} ago, begins anew: trouble of our own is waited"
            f" out for {_span(policy.budget)}, an unknown outcome for"
            f" {_span(policy.unknown_budget)}; then it is a dead letter again."
        )
    return f"It is due now instead of later; it was tried {progress.tries} times already."


def _age(progress: Progress, now: datetime) -> str:
    return _span(max(now - progress.step_since, timedelta(0)))


def _span(length: timedelta) -> str:
    hours = length >= timedelta(hours=1)
    return f"{length // timedelta(hours=1)} h" if hours else f"{int(length.total_seconds())} s"
