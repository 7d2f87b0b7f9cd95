"""How soon a database that was away is found again."""

from psycopg_pool.base import AttemptWithBackoff

from chassis.database import Database

_PAUSE_MAX_S = 5.0


async def test_a_database_that_is_back_is_found_within_seconds() -> None:
    """However long it was away: by the pool's own schedule, no two tries are far apart."""
    database = Database("postgresql://127.0.0.1:1/nobody")
    attempt, now, pauses = AttemptWithBackoff(timeout=database._pool.reconnect_timeout), 0.0, []
    while not attempt.time_to_give_up(now):  # then the next who asks begins anew
        attempt.update_delay(now)
        pauses.append(attempt.delay)
        now += attempt.delay

    assert len(pauses) > 1
    assert max(pauses) <= _PAUSE_MAX_S
