"""An explanation as a message: one mapping per enum, total."""

from paymesh.payment.v1 import explanation_pb2
from paymesh.payment.v1 import operations_service_pb2 as operations

from payment_svc import case_presenter, presenter
from payment_svc.explanation.story import (
    Action,
    ActionKind,
    Explanation,
    Outlook,
    Source,
    TimelineEvent,
    WaitsFor,
)

SOURCES = {source: explanation_pb2.TimelineEvent.Source.Value(source.value) for source in Source}
WAITS_FOR = {word: explanation_pb2.Outlook.WaitsFor.Value(word.value) for word in WaitsFor}
ACTION_KINDS = {kind: explanation_pb2.Action.Kind.Value(kind.value) for kind in ActionKind}


def explanation(explained: Explanation) -> operations.ExplainPaymentResponse:
    """Write an explanation, the saga rows and journals that it was made of included."""
    story = explained.story
    return operations.ExplainPaymentResponse(
        payment=presenter.payment(story.payment),
        client_id=story.payment.client_id,
        sagas=[presenter.saga(view) for view in story.sagas],
        status_changes=[presenter.status_change(change) for change in story.changes],
        timeline=[_event(event) for event in explained.timeline],
        outlook=_outlook(explained.outlook),
        gaps=[explanation_pb2.Gap(source=SOURCES[g.source], why=g.why) for g in story.gaps],
        headline=explained.headline,
        cases=[case_presenter.case(case) for case in story.cases],
    )


def _event(event: TimelineEvent) -> explanation_pb2.TimelineEvent:
    return explanation_pb2.TimelineEvent(
        at=presenter.timestamp(event.at),
        source=SOURCES[event.source],
        kind=event.kind,
        subject=event.subject,
        summary=event.summary,
        facts=event.facts,
    )


def _outlook(outlook: Outlook) -> explanation_pb2.Outlook:
    message = explanation_pb2.Outlook(
        waits_for=WAITS_FOR[outlook.waits_for],
        sentence=outlook.sentence,
        then=outlook.then,
        actions=[_action(action) for action in outlook.actions],
    )
    for field in ("since", "looked_at_again_at", "until"):
        moment = getattr(outlook, field)
        if moment is not None:
            getattr(message, field).CopyFrom(presenter.timestamp(moment))
    return message


def _action(action: Action) -> explanation_pb2.Action:
    return explanation_pb2.Action(
        kind=ACTION_KINDS[action.kind], sentence=action.sentence, command=action.command
    )
