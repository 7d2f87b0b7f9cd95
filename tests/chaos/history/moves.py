"""The moves of the public interface, and which status can follow which by any number of them.

They are written down here once more: a check must not share the table that it checks.
"""

from collections.abc import Mapping

PAYMENT = {
    "": {"PENDING"},
    "PENDING": {"PROCESSING", "CANCELLED"},
    "PROCESSING": {
        *("REQUIRES_ACTION", "REQUIRES_CAPTURE", "COMPLETED", "PARTIALLY_COMPLETED"),
        *("FAILED", "CANCELLED"),
    },
    "REQUIRES_ACTION": {"PROCESSING"},
    "REQUIRES_CAPTURE": {"PROCESSING", "CANCELLED"},
    "COMPLETED": {"PARTIALLY_REFUNDED", "REFUNDED"},
    "PARTIALLY_COMPLETED": {"PARTIALLY_REFUNDED", "REFUNDED"},
    "PARTIALLY_REFUNDED": {"REFUNDED"},
    "FAILED": set(),
    "CANCELLED": set(),
    "REFUNDED": set(),
}
ORDER = {
    "": {"PENDING"},
    "PENDING": {"EXECUTING", "FAILED", "CANCELLED"},
    "EXECUTING": {"AUTHORIZED", "UNKNOWN", "SUCCESS", "FAILED", "CANCELLED"},
    "AUTHORIZED": {"EXECUTING", "UNKNOWN", "FAILED", "CANCELLED"},
    "UNKNOWN": {"EXECUTING", "AUTHORIZED", "SUCCESS", "FAILED", "CANCELLED"},
    "SUCCESS": {"PARTIALLY_REFUNDED", "REFUNDED"},
    "PARTIALLY_REFUNDED": {"REFUNDED"},
    "FAILED": set(),
    "CANCELLED": set(),
    "REFUNDED": set(),
}
# What is told of it stays so, but for a refund.
TERMINAL = frozenset({"COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "CANCELLED", "REFUNDED"})


def reachable(moves: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    """Name for each status all that it can become, itself among them."""
    found = {status: {status} | after for status, after in moves.items()}
    for _ in moves:
        for status, after in found.items():
            found[status] = after.union(*(found[other] for other in after))
    return {status: frozenset(after) for status, after in found.items()}


PAYMENT_REACHES = reachable(PAYMENT)
ORDER_REACHES = reachable(ORDER)
