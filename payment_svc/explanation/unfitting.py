"""What PSPs told that does not fit what is known: it is for a person, or looked at again."""

from collections.abc import Sequence
from dataclasses import replace

from payment_svc.domain.statuses import FINAL
from payment_svc.domain.testimony import Notice
from payment_svc.explanation import actions
from payment_svc.explanation.story import Outlook, Story, WaitsFor
from payment_svc.explanation.wording import count

_DENIES, _PARKED = "CONTRADICTS", "PARKED"
_THEN = "After three days it is for a person."


def with_notices(story: Story, ahead: Outlook) -> Outlook:
    """Add to an outlook what PSPs told that does not fit; what waits for a person comes first."""
    if not (found := _unfitting(story)):
        return ahead
    first = found[0]
    is_over = ahead.waits_for is WaitsFor.NOTHING and story.payment.status in FINAL
    said = _say(first, len(found) - 1, is_over=is_over)
    if _is_for_person(first):
        return _for_person(first, said, ahead, is_over=is_over)
    if is_over:
        again, wait = first.due_at, (actions.wait(story.payment),)
        return Outlook(WaitsFor.EVIDENCE, said, first.at, again, then=_THEN, actions=wait)
    return replace(ahead, sentence=f"{ahead.sentence} {said}")


def _for_person(notice: Notice, said: str, ahead: Outlook, *, is_over: bool) -> Outlook:
    look = actions.ask_psp(notice)
    if is_over:  # and nobody is told to pay again what may be charged
        return Outlook(WaitsFor.OPERATOR, said, notice.at, actions=(look,))
    if ahead.waits_for is WaitsFor.OPERATOR:
        sentence = f"{ahead.sentence} {said}"
        return replace(ahead, sentence=sentence, actions=(*ahead.actions, look))
    sentence = f"{said} {ahead.sentence}"
    return Outlook(WaitsFor.OPERATOR, sentence, notice.at, actions=(look, *ahead.actions))


def _unfitting(story: Story) -> Sequence[Notice]:
    """List what does not fit, the most urgent first: denials, what nobody looks at any more."""
    found = [
        notice
        for notice in story.notices
        if notice.state == _PARKED or (notice.state == _DENIES and not _has_case(story, notice))
    ]
    return sorted(found, key=lambda notice: (notice.state != _DENIES, not _is_for_person(notice)))


def _has_case(story: Story, notice: Notice) -> bool:
    """Tell whether a late charge that it tells of has a case, and so a saga that gives it back."""
    words = notice.note.replace(".", " ").split()
    return any(case.subject_id in words for case in story.cases)


def _is_for_person(notice: Notice) -> bool:
    return notice.state == _DENIES or notice.due_at is None


def _say(notice: Notice, others: int, *, is_over: bool) -> str:
    final = "It is final, and " if is_over else ""
    if notice.state == _DENIES:
        what = "it" if is_over else "what was final"
        said = f"{final}{notice.psp} denies {what} by {notice.event_type}"
    else:
        about = f" of {notice.reference}" if notice.reference else ""
        said = f"{final}{notice.psp} told {notice.event_type}{about}, which nobody here knows"
    why = f": {notice.note.removesuffix('.')}" if notice.note else ""
    verb = "does" if others == 1 else "do"
    also = f" {count(others, 'other event')} {verb} not fit either." if others else ""
    return f"{said}{why}.{also}"
