"""What is asked of the books: at once or at a pace, one by one or in batches, hot or uniform."""

from dataclasses import dataclass, replace
from enum import StrEnum

_USUAL_BATCHES = 4  # in flight at once


class Shape(StrEnum):
    """Which accounts are touched."""

    UNIFORM = "uniform"  # each as likely as any other
    HOT = "hot"  # every transaction touches one platform account


class Way(StrEnum):
    """By whom it is done."""

    SERVICE = "service"  # the service that is measured
    FUNCTION = "row_at_a_time"  # a server that calls one SQL function per transaction
    STATEMENTS = "row_by_statements"  # the same server, a statement at a time, the textbook's way
    BARE = "row_at_a_time_bare"  # pgbench calls the SQL function, no gRPC
    NOTHING = "nothing_behind"  # a server with answers made ahead, and no books

    @property
    def keeps_books(self) -> bool:
        """Whether what it has acknowledged is stored anywhere."""
        return self is not Way.NOTHING


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load.

    Attributes:
        in_flight: requests at once, in a closed loop.
        batch: transactions per request.
        per_s: requests per second in an open loop, whatever is in flight; 0: a closed loop.
    """

    shape: Shape
    way: Way = Way.SERVICE
    in_flight: int = 0
    batch: int = 1
    per_s: int = 0

    @property
    def name(self) -> str:
        """Name it as its figures are named in the results file, without the books' own name."""
        if self.way is Way.NOTHING:
            return f"{self.way}_{replace(self, way=Way.SERVICE).name}"
        if self.way is not Way.SERVICE:
            return f"{self.way}_{self.shape}"
        if self.per_s:
            return f"open_{self.per_s}_{self.shape}"
        if self.batch == 1:
            return f"single_{self.in_flight}_{self.shape}"
        at_once = "" if self.in_flight == _USUAL_BATCHES else f"x{self.in_flight}"
        return f"batch_{self.batch}{at_once}{'' if self.shape is Shape.UNIFORM else '_hot'}"

    @property
    def title(self) -> str:
        """Say it to a person."""
        if self.per_s:
            return f"single, {self.per_s:,}/s arrive"
        size = "single" if self.batch == 1 else f"batches of {self.batch:,}"
        return f"{size}, {self.in_flight} in flight"


def every_scenario() -> list[Scenario]:
    """List what is measured: each baseline right beside what is compared with it.

    The machine's own speed wanders, so that what is far apart in time compares badly. What has
    nothing behind it stands between both shapes: it does not look at accounts.
    """
    uniform = _of(Shape.UNIFORM, open_loop=(500, 1000, 1500, 2000))
    return [*uniform, *_nothing_behind(), *_of(Shape.HOT, (1000,))]


def _nothing_behind() -> list[Scenario]:
    loads = ((256, 1), (_USUAL_BATCHES, 100), (_USUAL_BATCHES, 1000))
    return [Scenario(Shape.UNIFORM, Way.NOTHING, in_flight, batch) for in_flight, batch in loads]


def _of(shape: Shape, open_loop: tuple[int, ...]) -> list[Scenario]:
    return [
        Scenario(shape, in_flight=1),
        Scenario(shape, in_flight=64),
        *(Scenario(shape, per_s=rate) for rate in open_loop),
        Scenario(shape, Way.STATEMENTS, in_flight=256),
        Scenario(shape, Way.BARE, in_flight=16),
        Scenario(shape, Way.FUNCTION, in_flight=256),
        Scenario(shape, in_flight=256),
        Scenario(shape, in_flight=_USUAL_BATCHES, batch=100),
        Scenario(shape, in_flight=2, batch=1000),
        Scenario(shape, in_flight=_USUAL_BATCHES, batch=1000),
    ]
