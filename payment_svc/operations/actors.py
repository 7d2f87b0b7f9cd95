"""Who acts: the one place that knows where an operator's name comes from.

Operators' calls do not pass the edge. Nobody vouches for a name that comes with the call itself.
"""

from chassis.errors import InvalidRequest
from chassis.interceptors import request_context
from payment_svc.domain.actor import Actor

ACTOR = "x-paymesh-actor"
_SYSTEM = "system"
_CHARACTERS_MAX = 200


def current_actor() -> Actor:
    """Tell who makes the call under way: by his own word, or nobody in particular.

    Raises:
        InvalidRequest: it is no name.
    """
    name = (request_context().header(ACTOR) or _SYSTEM).strip()
    if not name or len(name) > _CHARACTERS_MAX or not name.isprintable():
        raise InvalidRequest.field(ACTOR, "must be a printable name of 1 to 200 characters")
    return Actor(name)
