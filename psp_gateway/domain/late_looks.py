"""When an attempt that was given up is looked at again, in case its PSP has charged it after all:
pure functions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.reasons import Reason

_LATE = re.compile(r"(att_[0-9a-z]+)l[0-9]", re.ASCII)
_TROUBLE_PAUSE = timedelta(minutes=10)
_TROUBLE_MAX = timedelta(days=4)  # after the last look was due; then only the PSP's word tells
# What an issuer or a PSP has said of itself. All else was ended by us, or by time.
_EVIDENCE = frozenset(
    {
        *(Reason.CARD_DECLINED, Reason.INSUFFICIENT_FUNDS, Reason.CARD_EXPIRED),
        *(Reason.CARD_LOST_OR_STOLEN, Reason.INCORRECT_SECURITY_CODE, Reason.SUSPECTED_FRAUD),
        *(Reason.PAYMENT_METHOD_INVALID, Reason.AUTHENTICATION_REQUIRED, Reason.DO_NOT_RETRY),
        *(Reason.PROCESSING_ERROR, Reason.PSP_REQUEST_INVALID, Reason.DEBIT_RETURNED),
    }
)


@dataclass(frozen=True, slots=True)
class LateLook:
    """An attempt that is looked at again.

    Attributes:
        given_up_at: from when the looks count.
        made: how many were made.
        due_at: the next one; None: there is none. While it is being made, when the lease ends.
    """

    attempt_id: str
    given_up_at: datetime
    made: int = 0
    due_at: datetime | None = None

    def after(self, looks: Sequence[timedelta], now: datetime, *, told: bool) -> "LateLook":
        """Tell how it stands after a look; one at which the PSP did not tell is made again soon,
        but not for ever.
        """
        if told:
            made = self.made + 1
            due_at = self.given_up_at + looks[made] if made < len(looks) else None
            return replace(self, made=made, due_at=due_at)
        is_over = not looks or now > self.given_up_at + looks[-1] + _TROUBLE_MAX
        return replace(self, due_at=None if is_over else now + _TROUBLE_PAUSE)


def looks_at(attempt: Attempt, schedule: Sequence[timedelta]) -> Sequence[timedelta]:
    """Tell when after it was given up an attempt is looked at: at each time of the schedule, or
    once, halfway, where the PSP has said no of itself and no other PSP was left for it.
    """
    has_evidence = (
        attempt.outcome is Outcome.DECLINED
        and attempt.kind is not Kind.VOID
        and attempt.reason in _EVIDENCE
        and not attempt.psps_tried
    )
    middle = len(schedule) // 2
    return schedule[middle : middle + 1] if has_evidence else schedule


def is_accounted(attempt: Attempt, others: Sequence[Attempt]) -> bool:
    """Whether there is nothing to be found out: it was charged, or what is held was captured by
    another attempt, which the PSP's object would tell of it.
    """
    if attempt.kind.is_first:
        return attempt.outcome is Outcome.SUCCEEDED
    if attempt.kind is Kind.CAPTURE and attempt.outcome is Outcome.SUCCEEDED:
        return True
    return attempt.is_one_of_several or any(
        other.kind is Kind.CAPTURE
        and other.outcome is Outcome.SUCCEEDED
        and other.charge_attempt_id == attempt.charge_attempt_id
        for other in others
    )


def late_id(given_up: Attempt, psp: str) -> str:
    """Name what a PSP has charged late of an attempt that was at it: one for each PSP, since their
    places in it never change. Callers may give no such names.
    """
    place = (*given_up.psps_tried, given_up.psp).index(psp) + 1
    return f"{given_up.attempt_id}l{place}"


def asked_as(attempt_id: str) -> str:
    """Name what the PSP was asked for: of a late charge, the attempt that was given up."""
    found = _LATE.fullmatch(attempt_id)
    return found[1] if found else attempt_id
