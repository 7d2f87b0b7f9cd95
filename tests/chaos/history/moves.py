"""Which status can follow which by any number of moves of the public interface, as the audit has
them: a table of its own, since a check must not share the one that it checks.
"""

from collections.abc import Mapping

from devstack.audit.checks.moves import ORDER as ORDER
from devstack.audit.checks.moves import PAYMENT as PAYMENT
from devstack.audit.checks.moves import reachable

# What is told of it stays so, but for a refund.
TERMINAL = frozenset({"COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "CANCELLED", "REFUNDED"})


def _closure(moves: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    statuses = frozenset(moves).union(*moves.values())
    return {status: reachable(status, moves) for status in statuses}


PAYMENT_REACHES = _closure(PAYMENT)
ORDER_REACHES = _closure(ORDER)
