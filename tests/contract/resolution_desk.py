"""Where operators resolve what sagas wait for, on a real database, and a gateway that is told."""

from dataclasses import dataclass, field
from datetime import timedelta

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.faults import FaultPoints
from payment_svc.domain.actor import Actor
from payment_svc.domain.resolution import Decision, Resolution
from payment_svc.domain.testimony import Attempt
from payment_svc.operations.ports import AttemptWord
from payment_svc.operations.resolution_store import PostgresResolutionStore
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.operations.wiring import Operations
from payment_svc.psp_events import PspEvents
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.reject_resolution import reject_resolution
from payment_svc.use_cases.resolve_saga import Said, resolve_saga
from tests.builders import NOW, make_id
from tests.dead_letters import ANN, POLICY, saga_store


@dataclass
class Gateway:
    """`operations.ports.Attempts`: keeps what it is told first; away, it does not answer."""

    outcome: str = ""
    reason: str = ""
    is_away: bool = False
    told: list[bool] = field(default_factory=list)
    late: list[Attempt] = field(default_factory=list)
    trouble: dict[str, Exception] = field(default_factory=dict)  # with which resolution

    async def resolve(self, resolution: Resolution, *, is_done: bool) -> AttemptWord:
        """Keep the first word."""
        if self.is_away:
            raise Unavailable("The gateway does not answer.")
        if resolution.resolution_id in self.trouble:
            raise self.trouble[resolution.resolution_id]
        self.told.append(is_done)
        self.outcome = self.outcome or ("SUCCEEDED" if is_done else "DECLINED")
        return AttemptWord(self.outcome, reason=self.reason)

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """See `ports.Witnesses`: what was taken of another amount is a charge of its own."""
        return tuple(self.late)


@dataclass
class Desk:
    """Where operators work."""

    database: Database
    gateway: Gateway = field(default_factory=Gateway)
    faults: FaultPoints = field(default_factory=FaultPoints)
    certified_only: bool = False  # as in production

    @property
    def store(self) -> PostgresResolutionStore:
        """The resolutions."""
        return PostgresResolutionStore(self.database, saga_store(self.database))

    @property
    def operations(self) -> Operations:
        """What approves and applies."""
        sagas = saga_store(self.database)
        late_charges = PspEvents(
            PostgresPaymentStore(self.database, utc_now), sagas, sagas,
            self.gateway, lambda: NOW,  # type: ignore[arg-type]
        )  # fmt: skip
        return Operations(
            PostgresOperatorStore(self.database), self.store, self.gateway, late_charges,
            clock=lambda: NOW, new_id=make_id, policy=POLICY, expires_after=timedelta(days=1),
            certified_only=self.certified_only, woken=lambda: None, faults=self.faults,
        )  # fmt: skip

    async def propose(
        self, journey: Journey, decision: Decision, actor: Actor = ANN, **more: object
    ) -> Resolution:
        """Let somebody propose."""
        is_charged = decision is Decision.CHARGED
        fields: dict[str, object] = {
            "saga_id": journey.progress.saga_id,
            "decision": decision,
            "evidence": "Seen in the dashboard",
            "reason": "The PSP does not tell",
            "psp_reference": "pi_1" if is_charged else "",
            "amount": journey.amount if is_charged else None,
        }
        return await resolve_saga(
            Said(**fields | more),  # type: ignore[arg-type]
            store=self.store, actor=actor, resolution_id=make_id("res"), now=NOW,
            expires_after=timedelta(days=1), certified_only=self.certified_only,
        )  # fmt: skip

    async def reject(self, proposal: Resolution) -> None:
        """Let Ann take one back."""
        await reject_resolution(
            proposal.resolution_id, "A slip", store=self.store, actor=ANN, now=NOW
        )

    async def queue(self, journey: Journey) -> Queue:
        """Tell where a saga stands."""
        found = await PostgresOperatorStore(self.database).find(journey.progress.saga_id)
        assert found is not None
        return found[1].progress.queue

    async def trail(self, journey: Journey) -> list[str]:
        """Tell who did what."""
        store = PostgresOperatorStore(self.database)
        found = await store.actions_of(journey.payment.payment_id)
        return [f"{action.actor.name} {action.kind}" for action in found]
