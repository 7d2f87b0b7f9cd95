"""Looks at an attempt again because somebody said that there is news: nothing is sent but a
look-up, and what is learned is stored.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from psp_gateway.domain import walk
from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.answered import advance
from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.hosted_page import Opened, Reply
from psp_gateway.domain.walk import Step, Walk
from psp_gateway.ports import Exchange
from psp_gateway.use_cases.take_further import Means, look_up


class News(Enum):
    """What looking again came to."""

    KNOWN = auto()  # what there is to know is stored
    NOT_YET = auto()  # the PSP has not done it
    SILENT = auto()  # the PSP did not tell: look once more, later


async def look_again(means: Means, attempt: Attempt) -> News:
    """Ask the PSP what became of an attempt, and store it; one that is final asks nobody.

    Raises:
        Unavailable: the store did not answer.
    """
    if attempt.outcome.is_final or attempt.stage is Stage.OPEN or not means.knows(attempt):
        return News.KNOWN
    answer = await look_up(means, attempt)
    match answer:
        case Opened():
            return News.NOT_YET
        case Created() if attempt.stage in (Stage.CREATE, Stage.PAGE):
            pass
        case Created() | Absent():
            return News.NOT_YET
        case Verdict() if answer.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT):
            if not answer.is_alarm:
                return News.SILENT
    await keep(means, attempt, answer, was_told=False)
    return News.KNOWN


async def keep(means: Means, attempt: Attempt, answer: Reply, *, was_told: bool) -> None:
    """Store what was learned; who is under way with the attempt yields to success alone.

    Args:
        means: what walking takes.
        attempt: as it was read.
        answer: the PSP's.
        was_told: whether it came unasked, so that no request is counted.
    """
    begun = Walk(attempt, walk.Seen.RESUMED)
    after = advance(begun, Step.LOOK_UP, answer, means.clock(), means.patience(attempt)).attempt
    if was_told:
        after = replace(after, request_count=attempt.request_count, sent_at=attempt.sent_at)
    if after.outcome is Outcome.SUCCEEDED or _state(attempt) != _state(after):
        operation = "TOLD" if was_told else "LOOK_AGAIN"
        await means.store.save(after, Exchange(operation, after.outcome.value, answer.trace))


def _state(attempt: Attempt) -> Sequence[object]:
    return attempt.outcome, attempt.stage, attempt.psp_reference, attempt.redirect_url
