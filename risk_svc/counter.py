"""`ports.AttemptCounter` on Redis: a sorted set per subject, a member per payment, scored by time.

Adding a payment again changes nothing, so a repeated question counts once. Subjects stand there as
keyed hashes.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.errors import Unavailable
from risk_svc.domain.assessment import PaymentFacts, Subject

_WINDOW = timedelta(hours=1)
_KEPT = timedelta(hours=2)


class RedisAttemptCounter:
    """Counts with one round trip a batch.

    Args:
        key: hashes the subjects; secret.
    """

    def __init__(self, redis: Redis, key: bytes) -> None:
        self._redis = redis
        self._key = key

    async def count(
        self, payments: Sequence[PaymentFacts], now: datetime
    ) -> Sequence[Mapping[Subject, int]]:
        """See `ports.AttemptCounter.count`."""
        at = now.timestamp()
        since = (now - _WINDOW).timestamp()
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for payment in payments:
                    for subject, name in payment.subjects.items():
                        place = self._place(payment.client_id, subject, name)
                        pipe.zadd(place, {payment.payment_id: at}, nx=True)
                        pipe.zremrangebyscore(place, "-inf", since)
                        pipe.zcard(place)
                        pipe.expire(place, _KEPT)
                answers = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("Attempts cannot be counted now.") from error
        cards = iter(answers[2::4])
        return [{subject: next(cards) for subject in payment.subjects} for payment in payments]

    def _place(self, client_id: str, subject: Subject, name: str) -> str:
        text = f"{client_id}\n{subject.value}\n{name}".encode()
        return f"velocity:{hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]}"
