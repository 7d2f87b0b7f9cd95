"""What operators did about a payment, and why."""

from collections.abc import Iterator

from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.explanation.journal import place
from payment_svc.explanation.story import Source, Story, TimelineEvent
from payment_svc.explanation.wording import told


def actions(story: Story) -> Iterator[TimelineEvent]:
    """Tell what operators did."""
    kinds = {view.progress.saga_id: view.progress.kind for view in story.sagas}
    for action in story.actions:
        yield TimelineEvent(
            action.at,
            Source.PAYMENT,
            "operator",
            action.resolution_id or action.saga_id,
            f"{_sentence(action, kinds.get(action.saga_id, ''))}: {action.reason.rstrip('.')}.",
            told(
                {
                    "actor": action.actor.name,
                    "is_verified": str(action.actor.is_verified).lower(),
                    "action": action.kind.value,
                    "saga_id": action.saga_id,
                    "resolution_id": action.resolution_id,
                    "reason": action.reason,
                    **{f"before_{name}": value for name, value in action.before.items()},
                    **{f"after_{name}": value for name, value in action.after.items()},
                }
            ),
        )


def _sentence(action: OperatorAction, kind: str) -> str:
    who, resolution = action.actor, action.resolution_id
    decision = action.after.get("decision", "")
    match action.kind:
        case OperatorActionKind.RETRY:
            step = place(action.before.get("step", ""), kind)
            return f"{who} let step {step} go on"
        case OperatorActionKind.PROPOSE:
            return f"{who} proposed {decision} as {resolution}"
        case OperatorActionKind.APPROVE:
            return f"{who} approved {decision} as {resolution}"
        case OperatorActionKind.REJECT:
            return f"{who} rejected {decision} as {resolution}"
        case OperatorActionKind.APPLY:
            return f"{resolution} ended {action.after.get('status', '')}"
