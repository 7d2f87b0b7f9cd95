"""Which status may follow which, from the published interface: not the services' own table, which
is what is checked.
"""

from collections.abc import Mapping

FINAL = frozenset(
    {
        *("COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "CANCELLED"),
        *("PARTIALLY_REFUNDED", "REFUNDED"),
    }
)
_REFUNDED = frozenset({"PARTIALLY_REFUNDED", "REFUNDED"})
PAYMENT: Mapping[str, frozenset[str]] = {
    "": frozenset({"PENDING"}),
    "PENDING": frozenset({"PROCESSING", "CANCELLED"}),
    "PROCESSING": frozenset(
        {
            *("REQUIRES_ACTION", "REQUIRES_CAPTURE", "COMPLETED", "PARTIALLY_COMPLETED"),
            *("FAILED", "CANCELLED"),
        }
    ),
    "REQUIRES_ACTION": frozenset({"PROCESSING"}),
    "REQUIRES_CAPTURE": frozenset({"PROCESSING", "CANCELLED"}),
    "COMPLETED": _REFUNDED,
    "PARTIALLY_COMPLETED": _REFUNDED,
    "PARTIALLY_REFUNDED": frozenset({"REFUNDED"}),
}
ORDER: Mapping[str, frozenset[str]] = {
    "": frozenset({"PENDING"}),
    "PENDING": frozenset({"EXECUTING", "FAILED", "CANCELLED"}),
    "EXECUTING": frozenset({"AUTHORIZED", "UNKNOWN", "SUCCESS", "FAILED", "CANCELLED"}),
    "AUTHORIZED": frozenset({"EXECUTING", "UNKNOWN", "FAILED", "CANCELLED"}),
    "UNKNOWN": frozenset({"EXECUTING", "AUTHORIZED", "FAILED"}),
    "SUCCESS": _REFUNDED,
    "PARTIALLY_REFUNDED": frozenset({"REFUNDED"}),
}


def reachable(status: str, moves: Mapping[str, frozenset[str]] = PAYMENT) -> frozenset[str]:
    """List what a payment, or by its `moves` an order, may become, however many moves it takes;
    what it is included.
    """
    found, rest = {status}, [status]
    while rest:
        for after in moves.get(rest.pop(), ()):
            if after not in found:
                found.add(after)
                rest.append(after)
    return frozenset(found)
