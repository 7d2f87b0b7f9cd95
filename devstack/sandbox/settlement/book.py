"""Days as the PSPs settled them, one after the other: what a day leaves, the next begins with."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from devstack.sandbox.settlement.batch import Batch, Row, batches_of, row_of
from devstack.sandbox.settlement.mismatch import Plan, Planted, apply
from devstack.sandbox.settlement.movements import Movement, Movements
from devstack.sandbox.settlement.schedule import PSPS, SCHEDULES

_NEXT = timedelta(1)


@dataclass(frozen=True, slots=True)
class Day:
    """A PSP's day that is over.

    Args:
        number: 1 for the first with a file.
        late: rows that come with the next day's.
        left: what stayed on the balance, by currency.
    """

    day: date
    number: int
    batches: Sequence[Batch]
    planted: Sequence[Planted]
    late: Sequence[Row]
    left: Mapping[str, int]


class GivenAlready(ValueError):
    """A file that has been given is not changed any more."""


@dataclass(slots=True)
class Book:
    """The days of all PSPs, made when they are asked for.

    Invariants: the same record, plans and clock make the same days; a day that has been given, and
    all before it, stay as they are.

    Args:
        movements: of the record.
        plans: in the order they came.
        given_through: by PSP, the last day whose file is out.
    """

    movements: Movements
    plans: list[Plan] = field(default_factory=list)
    given_through: dict[str, date] = field(default_factory=dict)
    _days: dict[str, list[Day]] = field(default_factory=lambda: {psp: [] for psp in PSPS})

    def plant(self, plan: Plan) -> None:
        """Take a plan up.

        Raises:
            GivenAlready: the file of its day, or one after it, is out.
        """
        given = self.given_through.get(plan.psp)
        if given is not None and plan.day <= given:
            raise GivenAlready(f"the file of {plan.psp} of {given} has been given")
        self.plans.append(plan)
        days = self._days[plan.psp]
        while days and days[-1].day >= plan.day:
            days.pop()

    def give(self, psp: str, day: date) -> bool:
        """Note that a file is out; tell whether that is news."""
        if self.given_through.get(psp, date.min) >= day:
            return False
        self.given_through[psp] = day
        return True

    def days(self, psp: str, now: float) -> Sequence[Day]:
        """Give a PSP's days that are over and have a file, in order."""
        moved = self.movements.of(psp, now)
        days, ordered = self._days[psp], list(moved)
        while (day := _after(days, ordered)) and SCHEDULES[psp].is_closed(day, now):
            days.append(self._settle(psp, day, moved.get(day, ())))
        return days

    def _settle(self, psp: str, day: date, moved: Sequence[Movement]) -> Day:
        before = self._days[psp][-1] if self._days[psp] else None
        plans = [plan for plan in self.plans if (plan.psp, plan.day) == (psp, day)]
        outcome = apply([row_of(movement) for movement in moved], plans)
        rows = [*(before.late if before else ()), *outcome.rows]
        number = before.number + 1 if before else 1
        batches = batches_of(psp, day, number, rows, before.left if before else {})
        left = {batch.currency: batch.closing for batch in batches if batch.closing}
        return Day(day, number, batches, outcome.planted, outcome.late, left)

    def bank(self, now: float) -> Mapping[date, Sequence[Movement]]:
        """Give the bank's own movements by day."""
        return self.movements.of("bank", now)


def _after(days: Sequence[Day], ordered: Sequence[date]) -> date | None:
    """Tell the next day with a file.

    Args:
        days: those before it.
        ordered: all on which something moved.
    """
    if not days:
        return ordered[0] if ordered else None
    last = days[-1]
    place = bisect_right(ordered, last.day)
    later = ordered[place : place + 1]
    return min([*later, last.day + _NEXT]) if last.late else next(iter(later), None)
