"""When the PSPs settle: each has its own days, and pays out so many days after the sale."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Schedule:
    """A PSP's calendar. Weekends and holidays are days like others: the sandbox's own choice.

    Args:
        zone: in which its days begin, and its files' times are written.
        delay_days: from the day of a movement to the day whose file and payout it is in.
    """

    zone: tzinfo
    delay_days: int

    def local(self, at: float) -> datetime:
        """Give a moment, in Unix seconds, as the PSP writes it."""
        return datetime.fromtimestamp(at, self.zone)

    def settled_on(self, at: float) -> date:
        """Tell whose day's file a movement is in."""
        return self.local(at).date() + timedelta(self.delay_days)

    def start_of(self, day: date) -> datetime:
        """Give the first moment of a day."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def is_closed(self, day: date, now: float) -> bool:
        """Whether a day is over, so that its file is there and final."""
        return self.start_of(day + timedelta(1)).timestamp() <= now


# Stripe pays out on a rolling T+2, and reports in UTC unless asked otherwise. Adyen's files have
# local time and name the zone. PayPal's balance is the shop's at once; its window "A" is of the US.
SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "stripe": Schedule(UTC, 2),
        "adyen": Schedule(ZoneInfo("Europe/Amsterdam"), 2),
        "paypal": Schedule(ZoneInfo("America/Los_Angeles"), 0),
        "bank": Schedule(UTC, 0),
    }
)
PSPS = ("stripe", "adyen", "paypal")
# A payout of a day is on the bank account on the next one.
ARRIVES = timedelta(1)
