"""A database: its transactions are whole or not at all, survive every process, and may succeed
while the process sees an error.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from chassis.errors import Unavailable
from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop

Result = TypeVar("Result")

_LATENCY_S = (0.0005, 0.003)
_LOST_S = 0.1


class Disk:
    """Runs transactions one after the other; what a transaction is made of belongs to its owner.

    Attributes:
        down_until: by the loop's time, until when nobody can connect.
    """

    def __init__(self, loop: SimulatedLoop, chance: Chance, name: str) -> None:
        self._loop = loop
        self._chance = chance
        self.name = name
        self.down_until = 0.0

    def run(self, work: Callable[[], Result]) -> Awaitable[Result]:
        """Run a transaction: `work` changes what it changes at once, and raises before it does.

        Raises:
            Unavailable: no answer; whether it was committed is not known.
        """
        answer = self._loop.create_future()
        self._loop.later(self._chance.between(*_LATENCY_S), self._commit, work, answer)
        return answer

    def _commit(self, work: Callable[[], Any], answer: Any) -> None:
        if self.down_until > self._loop.time() or self._chance.strikes_now("commit_refused"):
            self._loop.later(_LOST_S, _fail, answer)
            return
        try:
            result = work()
        except Exception as problem:  # noqa: BLE001 - what a transaction raises, its caller gets
            _settle(answer, problem=problem)
            return
        if self._chance.strikes_now("commit_unknown"):
            self._loop.later(_LOST_S, _fail, answer)
            return
        _settle(answer, result)


def _fail(answer: Any) -> None:
    _settle(answer, problem=Unavailable("The database did not answer."))


def _settle(answer: Any, result: Any = None, problem: Exception | None = None) -> None:
    """Answer, unless the caller has gone."""
    if answer.done():
        return
    if problem is None:
        answer.set_result(result)
    else:
        answer.set_exception(problem)
