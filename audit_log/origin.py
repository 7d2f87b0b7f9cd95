"""Who makes the call under way, and why: read off the request's context."""

from collections.abc import Mapping

from audit_log.record import ActorKind, Origin, Record, record
from chassis.interceptors import ACTOR, request_context

_SYSTEM = "system"
_ID_MAX = 200


def current_origin(otherwise: str = "") -> Origin:
    """Tell who changes something by the call under way.

    Args:
        otherwise: the action where no call is under way, such as "payment_svc/ApplyResolution".

    An operator is who his certificate says; a client whom the edge let in; else a service by its
    certificate. Without any of these it is a person by his own word. Verified is what the mesh
    vouches for.
    """
    context = request_context()
    action, request_id = context.method or otherwise, context.request_id
    if context.operator:
        kind, name, is_verified = ActorKind.OPERATOR, context.operator, True
    elif context.client_id:
        kind, name, is_verified = ActorKind.CLIENT, context.client_id, bool(context.caller)
    elif context.caller:
        kind, name, is_verified = ActorKind.SERVICE, context.caller, True
    elif not context.method:
        kind, name, is_verified = ActorKind.SERVICE, _SYSTEM, False
    else:
        said = (context.header(ACTOR) or _SYSTEM).strip()[:_ID_MAX]
        kind, name, is_verified = ActorKind.OPERATOR, said or _SYSTEM, False
    return Origin(kind, name, is_verified, action, request_id)


def by_caller(
    otherwise: str,
    object_kind: str,
    object_id: str,
    *,
    reason: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Record:
    """Make a record of what the call under way changes; without a reason, of the one that its
    request gives.
    """
    why = reason or request_context().reason
    origin = current_origin(otherwise)
    return record(origin, object_kind, object_id, reason=why, before=before, after=after)
