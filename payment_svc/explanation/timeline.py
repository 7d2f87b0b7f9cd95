"""The timeline: what every service told, in one sequence."""

from payment_svc.explanation import journal, operated, witnessed
from payment_svc.explanation.story import Story, TimelineEvent


def timeline(story: Story) -> list[TimelineEvent]:
    """Tell what happened, the oldest first.

    Events of one moment stand in the sequence of cause: what was begun, then risk, PSP, wallet and
    ledger, then what payment_svc concluded from them.
    """
    payment_id = story.payment.payment_id
    by_cause = [
        *journal.beginnings(story),
        *(witnessed.assessed(assessment, payment_id) for assessment in story.assessments),
        *(event for attempt in story.attempts for event in witnessed.attempted(attempt)),
        *(witnessed.told_unasked(notice) for notice in story.notices),
        *(witnessed.operated(operation) for operation in story.operations),
        *witnessed.booked(story.entries),
        *operated.actions(story),
        *journal.steps(story),
        *journal.statuses(story),
        *journal.cases(story),
    ]
    return sorted(by_cause, key=lambda event: event.at)
