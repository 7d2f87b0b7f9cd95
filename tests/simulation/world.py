"""One seed: a world of processes, clients and PSPs goes through faults, then heals and drains."""

from collections.abc import Callable
from datetime import timedelta

from paymesh.psp.v1.psp_gateway_service_pb2 import ExecuteChargesRequest
from paymesh.wallet.v1.wallet_service_pb2 import ApplyOperationsRequest

from chassis.errors import PaymeshError
from payment_svc.sagas.policy import RetryPolicy
from tests.simulation.attempts import Attempts
from tests.simulation.books import Assessments, Ledger, WalletBook, at_once
from tests.simulation.chance import Chance
from tests.simulation.clients import CLIENT, SELLERS, Clients
from tests.simulation.clockwork import Process, SimulatedLoop
from tests.simulation.disk import Disk
from tests.simulation.internet import Postman
from tests.simulation.liveness import SOON_S, silently_open
from tests.simulation.nemesis import Nemesis, wrong_clock
from tests.simulation.network import Machine, Network
from tests.simulation.operators import Operators
from tests.simulation.outbox import OutboxTable, Stream
from tests.simulation.parts import Parts
from tests.simulation.payments import Payments
from tests.simulation.poison import Poison
from tests.simulation.programs import PROGRAMS
from tests.simulation.psp import Psp
from tests.simulation.resolutions import Resolutions
from tests.unit.wallet_svc.memory_store import MemoryStore
from wallet_svc.domain.wallet import WalletStatus

PAYMENTS = 8
FAULTS_S = 180.0
# What is held is let go after seven days, and a saga begins then: beyond that nothing is to come.
END_S = 10 * 24 * 3600.0
_ARRIVALS_S = 60.0
_RESTART_S = 1.0
_HOPELESS_S = 300.0  # a PSP that is away for longer is away for hours

# How long the unknown is looked at before a person is asked: longer than any PSP is away.
_PATIENCE = timedelta(hours=3)
# What was looked at so often is looked at less often than in production, where it is cheap to wait.
_PATIENT_AFTER, _RARER = 9, 4

Plant = Callable[[Parts], Parts]


class Unhurried(RetryPolicy):
    """The policy, for hours in which nothing happens."""

    def look_again(
        self,
        tries: int,
        chance: float,
        after: timedelta | None = None,
        *,
        slow: bool = False,
    ) -> timedelta:
        """See `RetryPolicy.look_again`."""
        pause = super().look_again(tries, chance, after, slow=slow)
        return pause if tries < _PATIENT_AFTER else _RARER * pause


class World:
    """Everything that one seed consists of.

    Args:
        seed: decides all.
        plant: exchanges parts, to plant a mistake; None for the product as it is.
    """

    def __init__(self, seed: int, plant: Plant | None = None) -> None:
        self.loop = SimulatedLoop()
        self.chance = Chance(seed, self.loop)
        self.network = Network(self.loop, self.chance)
        self.postman = Postman(self.loop, self.chance, self.network)
        self.psps = {"stripe": self._psp("stripe")}
        self.postman.psps = self.psps
        self.clients = Clients(self.loop, self.chance, self.network, self.psps)
        self.disks = {name: Disk(self.loop, self.chance, name) for name in PROGRAMS}
        parts = self._parts()
        self.parts = plant(parts) if plant else parts
        for service, (_, count) in PROGRAMS.items():
            for number in range(1, count + 1):
                self.network.add(Machine(service, f"{service}-{number}"))
        machines = (m for some in self.network.machines.values() for m in some)
        self.machines = {machine.name: machine for machine in machines}
        self.frozen: set[str] = set()
        self.silently_open: list[str] = []
        self.operators = Operators(
            self.loop,
            self.chance,
            self.network,
            self.parts.resolutions,
            self.psps,
            self._kill_approving,
        )
        self._skews = wrong_clock(self.chance, list(self.machines))
        self.nemesis = Nemesis(
            self.loop,
            self.chance,
            self.network,
            list(self.disks.values()),
            list(self.psps.values()),
            self,
        )

    def run(self) -> None:
        """Go through the faults, heal, and drain."""
        for machine in self.machines.values():
            self._start(machine)
        for number in range(PAYMENTS):
            self.clients.begin(number, self.chance.between(0.0, _ARRIVALS_S))
        self.loop.later(0.0, lambda: self.loop.create_task(self.nemesis.strike()))
        self.loop.later(0.0, lambda: self.loop.create_task(self.operators.work(FAULTS_S)))
        self.network.told_late = self._make_it_dangerous
        if self.chance.happens(0.3):
            self.loop.later(self.chance.between(20.0, FAULTS_S), self._freeze)
        self.loop.run_until(FAULTS_S)
        well_at = self._heal()
        if well_at < FAULTS_S + _HOPELESS_S:
            self.loop.run_until(well_at + SOON_S)
            self.silently_open = silently_open(self.parts.payments)
        self.loop.run_until(END_S)
        self.loop.close()

    def kill(self, machine: Machine, down_s: float) -> None:
        """See `Keeper`."""
        if machine.process is not None:
            machine.process.kill()
            machine.process = None
        self.loop.later(down_s, self._start, machine)

    def _kill_approving(self) -> None:
        """Kill whoever may be about a resolution."""
        self.chance.struck("killed_approving")
        for machine in self.network.machines["payment"]:
            self.kill(machine, self.chance.between(0.2, 5.0))

    def _kill_process(self, process: Process) -> None:
        self.chance.note(f"{process.name} is killed by what it works at")
        self.kill(self.machines[process.name], self.chance.between(0.2, 2.0))

    def _heal(self) -> float:
        """End the faults; tell when the last process that sleeps, or PSP that is away, is back."""
        self.chance.note("the faults end")
        back = [m.process.paused_until for m in self.machines.values() if m.process is not None]
        back += [psp.dark_until for psp in self.psps.values()]
        self.chance.is_faulty = False
        self.network.cut_off.clear()
        self._skews = dict.fromkeys(self._skews, timedelta(0))
        for machine in self.machines.values():
            if machine.process is not None:
                machine.process.paused_until, machine.process.skew = 0.0, timedelta(0)
        return max(FAULTS_S, *back)

    def _start(self, machine: Machine) -> None:
        if machine.process is not None:
            return
        process = Process(self.loop, machine.name, self._skews[machine.name])
        program, _ = PROGRAMS[machine.service]
        machine.process = process
        machine.servicer, jobs = program(self.parts, process)
        for job in jobs:
            process.spawn(self._supervised(machine, process, job))

    async def _supervised(self, machine: Machine, process: Process, job: object) -> None:
        """Run a job; its end takes its process down, which is started again."""
        try:
            await job  # type: ignore[misc]
        except PaymeshError as error:
            self.chance.note(f"{process.name} ends: {error!r}")
        if machine.process is process:
            self.loop.later(0.0, self.kill, machine, _RESTART_S)

    def _make_it_dangerous(self, request: object, delay: float) -> None:
        """Have a credit or a charge refused, which is tried again while its first try is still on
        its way; the first try then finds nothing in its way.
        """
        if not self.chance.happens(0.7):
            return
        if isinstance(request, ApplyOperationsRequest):
            name = request.operations[0].wallet_id
            self._set_wallet(name, WalletStatus.FROZEN)
            self.loop.later(delay * 0.95, self._set_wallet, name, WalletStatus.OPEN)
        if isinstance(request, ExecuteChargesRequest):
            for psp in self.psps.values():
                psp.limited_until = self.loop.time() + delay * 0.95

    def _freeze(self) -> None:
        """Freeze a seller's wallet, for good."""
        name = f"seller:{CLIENT}:{self.chance.one_of(SELLERS)}:USD"
        if name in self.parts.wallets.store.kept:
            self._set_wallet(name, WalletStatus.FROZEN)
            self.frozen.add(name)
            self.chance.struck("wallet_frozen")

    def _set_wallet(self, name: str, status: WalletStatus) -> None:
        if name not in self.frozen:
            store = self.parts.wallets.store
            at_once(store.change_status(name, status, reason="", actor=""))

    def _psp(self, name: str) -> Psp:
        return Psp(
            name,
            self.loop,
            self.chance,
            lambda psp, event: self.postman.send(psp, event),
            lambda psp, reference: self.clients.challenge(psp, reference),
        )

    def _parts(self) -> Parts:
        payments = Payments(self.loop, self.chance, self.disks["payment"], Poison(self.chance))
        return Parts(
            loop=self.loop,
            chance=self.chance,
            network=self.network,
            psps=self.psps,
            payments=payments,
            attempts=Attempts(self.loop, self.chance, self.disks["psp"]),
            ledger=Ledger(self.loop, self.disks["ledger"]),
            wallets=WalletBook(self.disks["wallet"], MemoryStore(self.loop.now)),
            assessments=Assessments(self.disks["risk"]),
            policy=Unhurried(unknown_budget=_PATIENCE, action_budget=_PATIENCE),
            stream=Stream(),
            table=OutboxTable(payments),
            resolutions=Resolutions(payments),
            kill=self._kill_process,
        )
