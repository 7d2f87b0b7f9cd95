"""The files there are, by who writes them and the day they are of."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from devstack.sandbox.settlement import adyen_csv, camt053, paypal_stl, stripe_csv
from devstack.sandbox.settlement.bank import AccountDay, statements_of
from devstack.sandbox.settlement.book import Book, Day
from devstack.sandbox.settlement.schedule import ARRIVES, PSPS, SCHEDULES

BANK = "bank"
WRITERS = (*PSPS, BANK)


@dataclass(frozen=True, slots=True)
class Format:
    """How a PSP writes.

    Args:
        name: makes a file's own name from its day and number.
        write: makes its lines.
    """

    name: Callable[[date, int], str]
    write: Callable[[Day], Iterator[bytes]]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "stripe": Format(stripe_csv.file_name, lambda day: stripe_csv.lines(day.batches)),
        "adyen": Format(adyen_csv.file_name, lambda day: adyen_csv.lines(day.batches)),
        "paypal": Format(paypal_stl.file_name, lambda day: paypal_stl.lines(day.batches, day.day)),
    }
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a day that is over.

    Args:
        name: as its writer names it.
    """

    writer: str
    day: date
    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file that was given has been, and will be."""

    name: str
    size: int
    sha256: str


@dataclass(slots=True)
class Files:
    """The files, made anew each time from the book: they are the same each time.

    Args:
        book: the days.
    """

    book: Book
    _seals: dict[tuple[str, date], Seal] = field(default_factory=dict)

    def listed(self, now: float) -> Iterator[tuple[str, date, Seal]]:
        """Go through all there are; each counts as given."""
        statements = self._statements(now)
        for writer in PSPS:
            for day in self.book.days(writer, now):
                seal = self._seals.get((writer, day.day)) or self._seal(_of_psp(writer, day))
                yield writer, day.day, seal
        for on, accounts in statements.items():
            yield BANK, on, self._seals.get((BANK, on)) or self._seal(_of_bank(on, accounts))

    def find(self, writer: str, day: date, now: float) -> File | None:
        """Find one; it counts as given. None when there is none, or its day is not over."""
        if writer == BANK:
            accounts = self._statements(now).get(day)
            found = _of_bank(day, accounts) if accounts else None
        else:
            days = self.book.days(writer, now)
            found = next((_of_psp(writer, each) for each in days if each.day == day), None)
        if found is not None:
            self._seal(found)
        return found

    def _seal(self, file: File) -> Seal:
        seal = Seal(file.name, len(file.content), hashlib.sha256(file.content).hexdigest())
        self._seals[file.writer, file.day] = seal
        if file.writer in PSPS:
            self.book.give(file.writer, file.day)
        else:
            # What arrived that day, and what each balance was, is told by it too.
            for psp in PSPS:
                self.book.give(psp, file.day - ARRIVES)
        return seal

    def _statements(self, now: float) -> Mapping[date, list[AccountDay]]:
        payouts = (
            batch for psp in PSPS for day in self.book.days(psp, now) for batch in day.batches
        )
        statements = statements_of(payouts, self.book.bank(now))
        closed = SCHEDULES[BANK].is_closed
        return {day: accounts for day, accounts in statements.items() if closed(day, now)}


def _of_psp(psp: str, day: Day) -> File:
    own = FORMATS[psp]
    content = b"".join(own.write(day))
    return File(psp, day.day, own.name(day.day, day.number), "text/csv", content)


def _of_bank(day: date, accounts: list[AccountDay]) -> File:
    content = camt053.document(day, accounts)
    return File(BANK, day, camt053.file_name(day), "application/xml", content)
