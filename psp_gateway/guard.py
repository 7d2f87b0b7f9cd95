"""What stands between the gateway and one PSP: its circuits, a bulkhead, and a rate limit.

What is held back here was never sent, and says so; the walk then tries again later, or elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from chassis.clock import Clock
from chassis.telemetry import logger
from psp_gateway.domain.answer import Verdict, held_back
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.circuit import Circuit, Limits, State
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.retry_budget import RetryBudget, Shares
from psp_gateway.metrics import PSP_CIRCUIT, PSP_PUT_OFF

Heard = TypeVar("Heard")

_STATE_VALUES = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one PSP is asked.

    Attributes:
        in_flight_max: requests at once; the bulkhead that keeps one PSP from taking all.
        wait_s: how long a request may wait for its turn, in seconds.
        per_s: requests a second, in bursts of one second's; 0 for no limit.
        shares: how much of that may be asked again.
    """

    in_flight_max: int = 256
    wait_s: float = 1.0
    per_s: float = 0.0
    shares: Shares = field(default_factory=Shares)


@dataclass(slots=True)
class Guard:
    """Lets calls to one PSP through, or not; in memory, an instance of the gateway for itself."""

    psp: str
    clock: Clock
    bounds: Bounds = field(default_factory=Bounds)
    limits: Limits = field(default_factory=Limits)
    _circuits: dict[str, Circuit] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(init=False)
    _next_at: float = 0.0
    _budget: RetryBudget = field(init=False)
    _log: FilteringBoundLogger = field(default_factory=logger)

    def __post_init__(self) -> None:
        self._budget = RetryBudget.full(self.bounds.shares, self.clock())
        self._turns = asyncio.Semaphore(self.bounds.in_flight_max)

    async def ask(
        self, operation: str, send: Callable[[], Awaitable[Heard]], *, is_repetition: bool = False
    ) -> Heard | Verdict:
        """Make a call of an operation, unless its circuit is open or no turn comes in time.

        `is_repetition`: `may_repeat` has allowed it.
        """
        if self.obstacle(operation):
            return held_back(Reason.PSP_CIRCUIT_OPEN)
        if not await self._has_turn():
            return held_back(Reason.PSP_BUSY)
        try:
            return await self._ask(operation, send, is_repetition=is_repetition)
        finally:
            self._turns.release()

    def may_repeat(self, operation: str) -> bool:
        """Tell whether an operation may be asked again now, and count it; what the circuit will
        hold back anyway costs nothing.
        """
        if self.obstacle(operation):
            return True
        left = self._budget.again(self.clock())
        if left is None:
            PSP_PUT_OFF.labels(self.psp, operation).inc()
            return False
        self._budget = left
        return True

    async def _ask(
        self, operation: str, send: Callable[[], Awaitable[Heard]], *, is_repetition: bool
    ) -> Heard | Verdict:
        if self.bounds.per_s and not await self._paced():
            return held_back(Reason.PSP_BUSY)
        now = self.clock()
        allowed = self._circuit(operation).allow(now)
        if allowed is None:
            return held_back(Reason.PSP_CIRCUIT_OPEN)
        self._keep(operation, allowed)
        if not is_repetition:
            self._budget = self._budget.first(now)
        answer = await send()
        self._take_in(operation, answer, is_repetition=is_repetition)
        return answer

    def _take_in(self, operation: str, answer: object, *, is_repetition: bool) -> None:
        """Count what came of a call. An error that a PSP keeps under a key and repeats is an answer
        of a PSP that is there: whoever hears nothing else for days must not use up what others are
        asked again by, nor open the circuit before them.
        """
        now, failed = self.clock(), _is_failure(answer)
        is_repeated = is_repetition and isinstance(answer, Verdict) and answer.is_replay
        if is_repetition and (is_repeated or not failed):
            self._budget = self._budget.answered(now)
        circuit = self._circuit(operation)
        if not is_repeated or circuit.state is not State.CLOSED:
            self._keep(operation, circuit.took(failed=failed, now=now))

    def obstacle(self, operation: str) -> str:
        """Tell why an operation would not be sent now; empty when it would."""
        found = self._circuits.get(operation)
        if found is None or found.state is State.CLOSED or found.allow(self.clock()) is not None:
            return ""
        return f"its circuit for {operation} is open"

    @property
    def circuits(self) -> Mapping[str, Circuit]:
        """The circuits of the operations that were called so far."""
        return self._circuits

    def reset(self, operation: str = "") -> None:
        """Close the circuit of an operation by hand; of all when none is named."""
        for name in [operation] if operation else list(self._circuits):
            self._keep(name, Circuit(self.limits, self.clock()))

    async def _has_turn(self) -> bool:
        """Wait for a turn, if one comes in time."""
        if not self._turns.locked():
            return await self._turns.acquire()  # without waiting, and so without a timer
        try:
            async with asyncio.timeout(self.bounds.wait_s):
                return await self._turns.acquire()
        except TimeoutError:
            return False

    async def _paced(self) -> bool:
        """Wait for the next moment that the rate allows, if it comes in time."""
        now = asyncio.get_running_loop().time()
        # What was not used is saved up for one second.
        at = max(self._next_at, now - 1.0)
        if at - now > self.bounds.wait_s:
            return False
        self._next_at = at + 1.0 / self.bounds.per_s
        if at > now:
            await asyncio.sleep(at - now)
        return True

    def _circuit(self, operation: str) -> Circuit:
        found = self._circuits.get(operation)
        return found if found is not None else Circuit(self.limits, self.clock())

    def _keep(self, operation: str, circuit: Circuit) -> None:
        before = self._circuits.get(operation)
        if before is circuit:
            return
        self._circuits[operation] = circuit
        if before is None or before.state is not circuit.state:
            PSP_CIRCUIT.labels(self.psp, operation).set(_STATE_VALUES[circuit.state])
            self._log.info("circuit", psp=self.psp, operation=operation, state=circuit.state.value)


def _is_failure(answer: object) -> bool:
    """Whether the PSP is in trouble: it cannot be reached, is silent, or errs."""
    if not isinstance(answer, Verdict) or answer.is_alarm:
        return False
    if answer.reason is Reason.PSP_RATE_LIMITED:
        return False
    return answer.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT)
