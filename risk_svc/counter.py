"""`ports.AttemptCounter` on Redis: a sorted set per subject, a member per payment.

A payment keeps the place it got at first, so asking again, even after a crash between counting and
storing, sees the same count. Subjects stand there as keyed hashes.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from chassis.errors import Unavailable
from chassis.redis_client import AWAY
from risk_svc.domain.assessment import PaymentFacts, Subject

_WINDOW = timedelta(hours=1)
_EXPIRY = timedelta(hours=2)  # longer than the window by what two clocks may differ
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# One script for the whole batch: one round trip, and no other instance counts in between. Scores
# are microseconds and always rise within a set, even where the clocks of two instances differ, so
# that a payment's rank is its place in the order of counting.
_COUNT = """
local now, since, expiry_s, kept_max = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local counts = {}
for i, place in ipairs(KEYS) do
    local payment = ARGV[4 + i]
    redis.call('ZREMRANGEBYSCORE', place, '-inf', since)
    if not redis.call('ZSCORE', place, payment) then
        local newest = redis.call('ZREVRANGE', place, 0, 0, 'WITHSCORES')[2]
        local at = newest and math.max(now, tonumber(newest) + 1) or now
        redis.call('ZADD', place, string.format('%.0f', at), payment)
        redis.call('ZREMRANGEBYRANK', place, 0, -(kept_max + 1))
        redis.call('EXPIRE', place, expiry_s)
    end
    -- A full set has lost its oldest, and with them everybody's place: all are at its end.
    counts[i] = redis.call('ZCARD', place)
    if counts[i] < kept_max then
        counts[i] = redis.call('ZRANK', place, payment) + 1
    end
end
return counts
"""


class RedisAttemptCounter:
    """Counts with one round trip a batch.

    Args:
        redis: one server, not a cluster: a script touches the keys of many subjects.
        key: hashes the subjects; secret.
        kept_max: attempts kept of one subject; a count stops there. Above every limit.
    """

    def __init__(self, redis: Redis, key: bytes, *, kept_max: int = 1_000) -> None:
        self._script = redis.register_script(_COUNT)
        self._key = key
        self._kept_max = kept_max

    async def count(
        self, payments: Sequence[PaymentFacts], now: datetime
    ) -> Sequence[Mapping[Subject, int]]:
        """See `ports.AttemptCounter.count`."""
        asked = [
            (self._place(payment.client_id, subject, name), payment.payment_id)
            for payment in payments
            for subject, name in payment.subjects.items()
        ]
        counts = iter(await self._run(asked, now) if asked else ())
        return [{subject: next(counts) for subject in payment.subjects} for payment in payments]

    async def _run(self, asked: Sequence[tuple[str, str]], now: datetime) -> Sequence[int]:
        at, since = _microseconds(now), _microseconds(now - _WINDOW)
        limits = [at, since, int(_EXPIRY.total_seconds()), self._kept_max]
        places, payment_ids = zip(*asked, strict=True)
        try:
            counts: list[int] = await self._script(keys=places, args=[*limits, *payment_ids])
        except AWAY as error:
            raise Unavailable("Attempts cannot be counted now.") from error
        return counts

    def _place(self, client_id: str, subject: Subject, name: str) -> str:
        text = f"{client_id}\n{subject.value}\n{name}".encode()
        return f"velocity:{hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]}"


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
