"""`ports.Turnstile` on Redis, and in this process while Redis is away.

Limits are GCRA: of each subject one number is kept, the time at which its burst is whole again.
Times are Redis' own, so that the clocks of instances do not matter. All that a request asks, and
all that arrives while a script is under way, is one round trip.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.coalescer import Coalescer
from chassis.redis_client import AWAY
from edge_auth.domain.buckets import Buckets
from edge_auth.domain.limits import UNLIMITED, Limit, Nonce, Passage, in_force
from edge_auth.domain.signing import NONCE_REMEMBERED_S

_REST_S = 1.0  # after a failure Redis is not asked, so that requests do not wait for it
_MICROSECONDS = 1_000_000

# For each request: is there a nonce, how many limits; for each limit: microseconds between two
# requests, and of the whole burst. A request that one limit refuses takes nothing of the others,
# and leaves its nonce unused. Answers: the wait, the limit that refuses, whether the nonce was new,
# and how much of the limit that is told about is used, in microseconds.
_ENTER = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers, key, place = {}, 1, 2
while place <= #ARGV do
    local has_nonce, count = ARGV[place] == '1', tonumber(ARGV[place + 1])
    place = place + 2
    local wait, refusing, fresh, used, whole = 0, 0, -1, {}, {}
    for i = 1, count do
        local interval, burst = tonumber(ARGV[place]), tonumber(ARGV[place + 1])
        place = place + 2
        local since = tonumber(redis.call('GET', KEYS[key + i - 1]) or 0)
        used[i] = math.max(since - now, 0)
        whole[i] = used[i] + interval
        if whole[i] - burst > wait then
            wait, refusing = whole[i] - burst, i
        end
    end
    if wait == 0 then
        for i = 1, count do
            local until_whole = string.format('%.0f', now + whole[i])
            redis.call('SET', KEYS[key + i - 1], until_whole, 'PX', math.ceil(whole[i] / 1000))
        end
        used = whole
        if has_nonce then
            fresh = redis.call('SET', KEYS[key + count], '1', 'NX', 'EX', ARGV[1]) and 1 or 0
        end
    end
    key = key + count + (has_nonce and 1 or 0)
    answers[#answers + 1] = {wait, refusing, fresh, used[math.max(refusing, 1)] or 0}
end
return answers
"""


class LocalTurnstile:
    """Counts in this process alone, and knows no nonces."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._buckets = Buckets(seconds)

    async def enter(self, limits: Sequence[Limit], client_id: str = "", nonce: str = "") -> Passage:
        """See `ports.Turnstile.enter`."""
        passage = self._buckets.take(limits)
        return replace(passage, nonce=Nonce.UNKNOWN) if nonce else passage


@dataclass(frozen=True, slots=True)
class _Asked:
    limits: Sequence[Limit]
    nonce_place: str


class RedisTurnstile:
    """Counts for all instances together; what need not be asked costs nothing.

    Args:
        redis: one server, not a cluster. It must not try again by itself: a nonce that was used up
            by a lost answer would be taken for a replay.
        fallback: asked while Redis is away.
        seconds: tells the time, in seconds that only rise.
    """

    def __init__(
        self, redis: Redis, fallback: LocalTurnstile, seconds: Callable[[], float]
    ) -> None:
        self._script = redis.register_script(_ENTER)
        self._fallback = fallback
        self._seconds = seconds
        self._away_until = 0.0
        self._asking: Coalescer[_Asked, Passage] = Coalescer(self._ask, patience_s=0.0)

    async def enter(self, limits: Sequence[Limit], client_id: str = "", nonce: str = "") -> Passage:
        """See `ports.Turnstile.enter`."""
        wanted = in_force(limits)
        if not wanted and not nonce:
            return UNLIMITED
        if self._seconds() >= self._away_until:
            with suppress(*AWAY):
                return await self._asking.submit(_Asked(wanted, _nonce_place(client_id, nonce)))
        return await self._fallback.enter(limits, client_id, nonce)

    async def _ask(self, batch: Sequence[_Asked]) -> Sequence[Passage]:
        """Ask for a batch; what queued up behind one that failed is not asked at all."""
        if self._seconds() < self._away_until:
            raise RedisError("Redis was away a moment ago.")
        try:
            return await self._run(batch)
        except AWAY:
            self._away_until = self._seconds() + _REST_S
            raise

    async def _run(self, batch: Sequence[_Asked]) -> Sequence[Passage]:
        keys: list[str] = []
        arguments: list[str | int] = [NONCE_REMEMBERED_S]
        for asked in batch:
            keys += [_limit_place(limit) for limit in asked.limits]
            keys += [asked.nonce_place] if asked.nonce_place else []
            arguments += ["1" if asked.nonce_place else "0", len(asked.limits)]
            for limit in asked.limits:
                interval = _interval(limit)
                arguments += [interval, interval * limit.burst]
        answers = await self._script(keys=keys, args=arguments)
        return [_passage(asked, *answer) for asked, answer in zip(batch, answers, strict=True)]


def _passage(asked: _Asked, wait: int, refusing: int, fresh: int, used: int) -> Passage:
    nonce = Nonce.NONE if fresh < 0 else Nonce.FRESH if fresh else Nonce.USED
    if not asked.limits:
        return Passage(nonce=nonce)
    limit = asked.limits[max(refusing, 1) - 1]
    interval = _interval(limit)
    left = max(0, (interval * limit.burst - used) // interval)
    return Passage(wait / _MICROSECONDS, limit, left, used / _MICROSECONDS, nonce)


def _interval(limit: Limit) -> int:
    return max(1, math.ceil(_MICROSECONDS / limit.per_second))


def _limit_place(limit: Limit) -> str:
    return f"edge:limit:{limit.name}:{limit.subject}"


def _nonce_place(client_id: str, nonce: str) -> str:
    """Name a nonce by its hash: whatever a caller writes into it stands nowhere."""
    if not nonce:
        return ""
    digest = hashlib.sha256(f"{client_id}\n{nonce}".encode()).hexdigest()
    return f"edge:nonce:{digest[:32]}"
