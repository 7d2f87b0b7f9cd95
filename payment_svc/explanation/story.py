"""What a story is made of, and what is made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from payment_svc.domain.case import Case
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.payment import Payment
from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    Notice,
    WalletOperation,
)
from payment_svc.ports import SagaView, StatusChange


class Source(StrEnum):
    """Who tells an event."""

    PAYMENT = "PAYMENT"
    RISK = "RISK"
    PSP = "PSP"
    WALLET = "WALLET"
    LEDGER = "LEDGER"

    @property
    def service(self) -> str:
        """The service's name."""
        return "psp_gateway" if self is Source.PSP else f"{self.value.lower()}_svc"


class WaitsFor(StrEnum):
    """Whom or what a payment waits for."""

    NOTHING = "NOTHING"
    WORKER = "WORKER"
    RETRY = "RETRY"
    BUYER = "BUYER"
    CAPTURE = "CAPTURE"
    PSP_DECISION = "PSP_DECISION"
    EVIDENCE = "EVIDENCE"
    DATE = "DATE"
    OPERATOR = "OPERATOR"


class ActionKind(StrEnum):
    """What one can do."""

    NONE = "NONE"
    WAIT = "WAIT"
    SEND_BUYER = "SEND_BUYER"
    CAPTURE = "CAPTURE"
    CANCEL = "CANCEL"
    RETRY = "RETRY"
    INVESTIGATE = "INVESTIGATE"
    PAY_AGAIN = "PAY_AGAIN"
    RESOLVE = "RESOLVE"


@dataclass(frozen=True, slots=True)
class Gap:
    """A service whose part is missing, and why."""

    source: Source
    why: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a payment: our own part, and what the other services told.

    Sagas, journals, status changes and what operators did are the oldest first. `gaps` names who
    told nothing.
    """

    payment: Payment
    sagas: Sequence[SagaView]
    changes: Sequence[StatusChange]
    assessments: Sequence[Assessment] = ()
    attempts: Sequence[Attempt] = ()
    notices: Sequence[Notice] = ()
    operations: Sequence[WalletOperation] = ()
    entries: Sequence[LedgerEntry] = ()
    cases: Sequence[Case] = ()
    actions: Sequence[OperatorAction] = ()
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that happened. `summary` is for a person, `facts` are for a program."""

    at: datetime
    source: Source
    kind: str
    subject: str
    summary: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """What one can do, and the command, call or address to do it with."""

    kind: ActionKind
    sentence: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a payment waits for.

    Attributes:
        since: since when; None: not known.
        looked_at_again_at: None: nobody will.
        until: until when it waits at most; None: there is no such moment.
        then: what happens when it has waited as long as it does.
    """

    waits_for: WaitsFor
    sentence: str
    since: datetime | None = None
    looked_at_again_at: datetime | None = None
    until: datetime | None = None
    then: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A story, and what is made of it."""

    story: Story
    headline: str
    timeline: Sequence[TimelineEvent]
    outlook: Outlook
