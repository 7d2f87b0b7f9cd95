"""Where an attempt ends that nobody takes further, and where it begins again at another PSP: pure
functions.
"""

from datetime import datetime

from chassis.changed import changed
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.answered import with_verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome, Stage
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.reasons import Reason


def lapse(attempt: Attempt, now: datetime) -> Attempt | None:
    """End an attempt whose page should have closed before it was ever opened; None for others.
    Whatever the PSP made of the requests, nobody has the address.
    """
    if attempt.stage is not Stage.OPEN or attempt.page_expires_at is None:
        return None
    if attempt.outcome.is_final or now < attempt.page_expires_at:
        return None
    ended = Verdict(Outcome.DECLINED, attempt.delivery, reason=Reason.PAGE_EXPIRED)
    return changed(with_verdict(attempt, ended), updated_at=now)


def give_up(attempt: Attempt, now: datetime) -> Attempt | None:
    """End an attempt that came to nothing, since nobody will ask for it again; None for others."""
    if attempt.outcome is not Outcome.TRANSIENT:
        return None
    message = "The PSP could not take the charge; nothing was charged."
    return changed(attempt, outcome=Outcome.DECLINED, message=message, updated_at=now)


def rerouted(attempt: Attempt, psp: str, stage: Stage) -> Attempt:
    """Give an attempt that moved nothing at its PSP, by that PSP's own word or since nothing was
    sent, to another one.
    """
    return changed(
        attempt,
        psp=psp,
        psps_tried=(*attempt.psps_tried, attempt.psp),
        stage=stage,
        outcome=Outcome.PENDING,
        delivery=Delivery.SENT_NO_ANSWER,
        psp_reference="",
        reason="",
        psp_code="",
        message="",
        redirect_url="",
        expires_at=None,
        retry_at=None,
    )


def may_go_elsewhere(attempt: Attempt, answer: Reply) -> bool:
    """Whether another PSP may be asked instead: nothing can come of what this one was asked."""
    if not isinstance(answer, Verdict) or not attempt.kind.is_first:
        return False
    if attempt.outcome is Outcome.DECLINED:
        return answer.may_go_elsewhere
    never_sent = attempt.delivery is Delivery.NOT_SENT and not attempt.psp_reference
    return attempt.outcome is Outcome.TRANSIENT and never_sent
