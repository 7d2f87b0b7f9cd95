"""Who is asked what: the same load for one contender after the other, so that they compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.scenarios import Scenario, Shape

# In flight at once, transactions per request.
LOADS = ((1, 1), (64, 1), (256, 1), (4, 100), (4, 1000))
# Each client of pgbench takes a connection, each of TigerBeetle's benchmark a session: more than 16
# made neither faster, and TigerBeetle takes no 64. 0: a load is left out.
_OWN_GENERATOR = {64: 16, 256: 0}


class Contender(StrEnum):
    """Who is measured."""

    PAYMESH = "paymesh"
    PGLEDGER_BARE = "pgledger_bare"
    PGLEDGER = "pgledger"
    FORMANCE = "formance"
    FORMANCE_MINIMAL = "formance_minimal"
    TIGERBEETLE = "tigerbeetle"

    @property
    def called(self) -> str:
        """Name it to a person."""
        return _TITLES[self]


_TITLES = {
    Contender.PAYMESH: "paymesh's ledger, gRPC",
    Contender.PGLEDGER_BARE: "pgledger, pgbench, no service",
    Contender.PGLEDGER: "pgledger, gRPC",
    Contender.FORMANCE: "Formance, HTTP",
    Contender.FORMANCE_MINIMAL: "Formance minimal, HTTP",
    Contender.TIGERBEETLE: "TigerBeetle, its own benchmark",
}


@dataclass(frozen=True, slots=True)
class Bout:
    """A contender under a load."""

    contender: Contender
    scenario: Scenario


def every_bout(contenders: Sequence[Contender], shapes: Sequence[Shape]) -> list[Bout]:
    """List what is measured: each load by all, one right after the other.

    The machine's own speed wanders, so that what is far apart in time compares badly.
    """
    return [
        Bout(contender, Scenario(shape, in_flight=at_once, batch=batch))
        for shape in shapes
        for in_flight, batch in LOADS
        for contender in contenders
        if (at_once := _at_once(contender, in_flight))
    ]


def _at_once(contender: Contender, in_flight: int) -> int:
    """Tell how many requests at once stand for a load's; 0: the load is left out."""
    has_own = contender in (Contender.PGLEDGER_BARE, Contender.TIGERBEETLE)
    return _OWN_GENERATOR.get(in_flight, in_flight) if has_own else in_flight
