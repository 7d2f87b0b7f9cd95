"""One clock for all instances: the database's."""

from datetime import timedelta

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from payment_svc.database_clock import DatabaseClock

_NEARLY = timedelta(minutes=1)


@pytest.mark.parametrize("hours", [26, -26])
async def test_a_clock_that_is_wrong_is_put_right(payment_db: Database, hours: int) -> None:
    """And again when it changes while the process runs."""
    off = timedelta(hours=hours)
    clock = DatabaseClock(payment_db, lambda: utc_now() + off)
    assert abs(clock() - utc_now()) > _NEARLY

    await clock.compare()
    assert abs(clock() - utc_now()) < _NEARLY

    off = timedelta(0)
    assert abs(clock() - utc_now()) > _NEARLY
    await clock.compare()
    assert abs(clock() - utc_now()) < _NEARLY


async def test_a_clock_that_is_right_is_left_alone(payment_db: Database) -> None:
    """No comparison makes it jump, for what it finds may be the time that asking takes."""
    told = utc_now()
    clock = DatabaseClock(payment_db, lambda: told)
    told = utc_now()  # the database's clock is this machine's

    await clock.compare()

    assert clock() == told
