"""The nemesis: carries out the schedule, and counts how often each trouble took effect."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence

from redis.exceptions import RedisError

from tests.chaos.sandbox_control import Psps
from tests.chaos.schedule import EACH_SORT, VICTIMS, Strike
from tests.chaos.stage import LEASE_S, SECOND, Stage

_PAUSE_S = LEASE_S + 2.0
_LASTS_S = 2.0
_COORDINATORS = {"payment_svc", SECOND}
_IN_WORK_S = 1.5
_BACK_S = 5.0  # how long it is waited for who is dead, to pause it
_SEEN_S = 1.0  # how long it is waited until a killed process is gone
_AMBUSH_S = 8.0  # how long it is waited for who runs into it
_AMBUSHES = {"commit_lost", "cut"}
_MAKE_SURE_S = 60.0
# A kind of trouble, one of its sorts that always finds somebody, and what it is counted by.
_AT_LEAST = (
    ("kill", "payment_svc", "kill"),
    ("term", "payment_svc", "term"),
    ("pause", "payment_svc", "pause"),
    ("database", "lose_reset", "lost COMMIT answers"),
)


class Nemesis:
    """Troubles a stage.

    Attributes:
        struck: how often each kind took effect; and `kind who`, for the table.
        log: what was done when, for whoever looks for the cause of a failure.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._psps = Psps(stage.described)
        self._paused: set[str] = set()
        self._door_turn = asyncio.Lock()
        self._psp_turn = asyncio.Lock()
        self.struck: Counter[str] = Counter()
        self.log: list[str] = []

    async def run(self, schedule: Sequence[Strike]) -> None:
        """Strike on time, also while earlier trouble lasts; return when all is over."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for strike in schedule:
                await asyncio.sleep(max(0.0, began + strike.at_s - time.monotonic()))
                group.create_task(self._strike(strike))

    async def make_sure(self, schedule: Sequence[Strike]) -> None:
        """Strike once more, for some time, with what was drawn and has never taken effect: a busy
        machine may have had nobody there when it was due.
        """
        drawn = {(one.kind, one.who, one.sort) for one in schedule if one.kind in EACH_SORT}
        began = time.monotonic()
        while time.monotonic() - began < _MAKE_SURE_S:
            least = [*_AT_LEAST, *sorted(drawn)]
            never = [strike for strike in least if not self.struck[strike[2]]]
            if not never:
                return
            for kind, who, _ in never:
                await self._strike(Strike(time.monotonic() - began, kind, who))

    def wake(self) -> None:
        """Wake whoever is paused."""
        for name in list(self._paused):
            self._stage.send(name, signal.SIGCONT)

    async def heal(self) -> None:
        """Lift all that lasts.

        Raises:
            RuntimeError: the PSP sandbox does not answer.
        """
        await self._stage.door.order("mode ok")
        await self._psps.heal()

    async def _strike(self, strike: Strike) -> None:
        act = {
            "kill": self._kill,
            "term": self._term,
            "pause": self._pause,
            "postgres_crash": self._crash_postgres,
            "redis_loss": self._lose_redis,
            "database": self._trouble_database,
            "psp": self._trouble_psp,
        }[strike.kind]
        effect = await act(strike.who)
        self.struck[strike.kind] += effect
        self.struck[strike.sort] += effect
        self.log.append(f"{strike}: {effect or 'nobody there'}")

    async def _kill(self, who: str) -> int:
        """Kill; in the place of one that is paused, which must stay so, another."""
        others = [name for name in VICTIMS if name not in self._paused]
        place = VICTIMS.index(who) % len(others)
        return await self._end(who if who in others else others[place], signal.SIGKILL)

    async def _term(self, who: str) -> int:
        return 0 if who in self._paused else await self._end(who, signal.SIGTERM)

    async def _end(self, who: str, number: int) -> int:
        """Send a signal to a process of that name; 1 if there was one, and it is no more."""
        process = self._stage.send(who, number)
        if process is None:
            return 0
        deadline = time.monotonic() + _SEEN_S + (10.0 if number == signal.SIGTERM else 0.0)
        while self._stage.process(who) == process and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return int(self._stage.process(who) != process)

    async def _pause(self, who: str) -> int:
        """Stop a process for longer than a lease; it counts when the same one then goes on.

        A coordinator is stopped in the middle of work, so that what it writes late must be refused.
        """
        if who in self._paused:
            return 0
        self._paused.add(who)  # from now on nobody kills it
        if who in _COORDINATORS:
            async with self._psp_turn:
                await self._psps.slow_down(_IN_WORK_S)
        process, until = None, time.monotonic() + _BACK_S
        while process is None and time.monotonic() < until:
            process = self._stage.send(who, signal.SIGSTOP)
            await asyncio.sleep(0.05)
        await asyncio.sleep(_PAUSE_S if process else 0.0)
        self._paused.discard(who)
        return int(process is not None and self._stage.send(who, signal.SIGCONT) == process)

    async def _crash_postgres(self, how: str) -> int:
        number = signal.SIGQUIT if how == "immediate" else signal.SIGKILL
        return await self._end("postgres", number)

    async def _lose_redis(self, how: str) -> int:
        if how == "kill":
            return await self._end("redis", signal.SIGKILL)
        try:
            await self._stage.flush_redis()
        except (RedisError, OSError):
            return 0
        return 1

    async def _trouble_database(self, how: str) -> int:
        """Trouble what stands before PostgreSQL, one trouble at a time."""
        door = self._stage.door
        begin, name = {
            "lose_reset": ("lose 3 reset", "commit_lost"),
            "lose_half_open": ("lose 2 half_open", "commit_lost"),
            "blackhole": ("mode blackhole", "blackhole"),
            "half_open": ("mode half_open", "half_open"),
            "reset": ("reset", "reset"),
            "cut": ("cut 3 7", "cut"),
            "delay": ("mode delay 0.02", "delay"),
        }[how]
        async with self._door_turn:
            before = (await door.order("counts")).get(name, 0)
            await door.order(begin)
            until = time.monotonic() + (_AMBUSH_S if name in _AMBUSHES else _LASTS_S)
            effect = 0
            while time.monotonic() < until and not (effect and name in _AMBUSHES):
                await asyncio.sleep(0.1)
                effect = (await door.order("counts")).get(name, 0) - before
            await door.order("mode ok")
        if name == "commit_lost":
            self.struck["lost COMMIT answers"] += effect
        return int(effect > 0)

    async def _trouble_psp(self, kind: str) -> int:
        async with self._psp_turn:
            effect = await self._psps.trouble(kind, 2 * _LASTS_S)
        self.struck["PSP calls in trouble"] += effect
        return int(effect > 0)
