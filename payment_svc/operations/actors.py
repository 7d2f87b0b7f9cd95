"""Who acts: the one place that knows where an operator's name comes from.

In the mesh operators come in with a certificate, and what it says is who they are. Without it
nobody vouches for a name that comes with the call itself.
"""

from chassis.interceptors import request_context
from payment_svc.domain.actor import Actor

_CHARACTERS_MAX = 200


def current_actor() -> Actor:
    """Tell who makes the call under way: by his certificate, by his own word, or nobody in
    particular.

    Raises:
        InvalidRequest: it is no name.
    """
    context = request_context()
    if context.operator:
        return Actor(context.operator, is_verified=True)
    return Actor(context.own_word(_CHARACTERS_MAX))
