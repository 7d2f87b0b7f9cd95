"""The network between processes: calls take time, get lost, arrive late, twice, or not at all."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from chassis.errors import DeadlineExceeded, PaymeshError, Unavailable
from tests.simulation.chance import Chance
from tests.simulation.clockwork import Process, SimulatedLoop

_LATENCY_S = (0.0005, 0.004)
_LATE_S = (5.0, 40.0)

Serve = Callable[[], Coroutine[Any, Any, Any]]


class Machine:
    """Where a program runs, one process after the other."""

    def __init__(self, service: str, name: str) -> None:
        self.service = service
        self.name = name
        self.process: Process | None = None
        self.servicer: Any = None


class Network:
    """Carries calls to services; each may run on several machines.

    Attributes:
        cut_off: names of machines that nothing reaches, and whose answers reach nobody.
        told_late: called with a request that will arrive late, and in how many seconds.
    """

    def __init__(self, loop: SimulatedLoop, chance: Chance) -> None:
        self._loop = loop
        self._chance = chance
        self.machines: dict[str, list[Machine]] = {}
        self.cut_off: set[str] = set()
        self.told_late: Callable[[Any, float], None] = lambda request, delay: None

    def add(self, machine: Machine) -> None:
        """Put a machine on the network."""
        self.machines.setdefault(machine.service, []).append(machine)

    def stub(self, service: str, of: str) -> "Stub":
        """Make what calls a service from a machine."""
        return Stub(self, service, of)

    async def call(self, service: str, method: str, request: Any, timeout_s: float, of: str) -> Any:
        """Call a method of a service on one of its machines.

        Raises:
            DeadlineExceeded: no answer came in time.
            Unavailable: nobody listens there.
            PaymeshError: what the servicer raised.
        """
        reply = self._loop.create_future()
        deadline = self._loop.later(timeout_s, _expire, reply)
        machine = self._chance.one_of(self.machines[service])
        for _ in range(2 if self._chance.strikes_now("request_twice") else 1):
            if self._chance.strikes_now("request_lost"):
                continue
            delay = self._chance.between(*_LATENCY_S)
            fault = "credit_late" if method == "ApplyOperations" else "request_late"
            if self._chance.strikes_now(fault):
                delay += self._chance.between(*_LATE_S)
                self.told_late(request, delay)
            self._loop.later(delay, self._arrive, machine, method, request, reply, of)
        try:
            return await reply
        finally:
            deadline.cancel()

    def _arrive(self, machine: Machine, method: str, request: Any, reply: Any, of: str) -> None:
        if {machine.name, of} & self.cut_off:
            return
        process = machine.process
        if process is None:
            self._answer(reply, None, Unavailable(f"{machine.name} does not listen."))
            return
        process.spawn(self._serve(machine, method, request, reply, of))

    async def _serve(
        self, machine: Machine, method: str, request: Any, reply: Any, of: str
    ) -> None:
        answer, problem = None, None
        try:
            answer = await getattr(machine.servicer, method)(request, None)
        except PaymeshError as error:
            problem = error
        if {machine.name, of} & self.cut_off or self._chance.strikes_now("answer_lost"):
            return
        self._loop.later(self._chance.between(*_LATENCY_S), self._answer, reply, answer, problem)

    def _answer(self, reply: Any, answer: Any, problem: Exception | None) -> None:
        if reply.done():
            return
        if problem is None:
            reply.set_result(answer)
        else:
            reply.set_exception(problem)


class Stub:
    """What a generated stub is to a process: its methods call the service."""

    def __init__(self, network: Network, service: str, of: str) -> None:
        self._network = network
        self._service = service
        self._of = of

    def __getattr__(self, method: str) -> Any:
        def call(request: Any, *, timeout: float, metadata: Any = None) -> Awaitable[Any]:
            return self._network.call(self._service, method, request, timeout, self._of)

        setattr(self, method, call)  # so that it is made once
        return call


def _expire(reply: Any) -> None:
    if not reply.done():
        reply.set_exception(DeadlineExceeded("No answer came in time."))
