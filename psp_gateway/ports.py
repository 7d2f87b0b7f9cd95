"""What the use cases need from outside: a place that keeps attempts, and PSPs by capability."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from chassis.money import Money
from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Attempt
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.hosted_page import PageRequest, Reply
from psp_gateway.domain.inbox import Raw, State, Told
from psp_gateway.domain.late_looks import LateLook
from psp_gateway.domain.psp_event import PspEvent

Heard = TypeVar("Heard")
# Told what was left for later, and the error of ours that was the cause.
Blame = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A stored attempt; `is_new` when this very call stored it."""

    attempt: Attempt
    is_new: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """An attempt as it stands; not `is_held` when another has written it meanwhile, whose turn it
    then is.
    """

    attempt: Attempt
    is_held: bool


BY_HAND = "RESOLVED_BY_HAND"  # the operation of an exchange that was none: persons said so


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the class of its answer, for the trail; holds no secret and no token."""

    operation: str
    answer: str
    trace: str


class AttemptWriter(Protocol):
    """Keeps attempts. Each call is durable when it answers, and safe to repeat."""

    async def take_up_charge(self, asked: Attempt) -> TakenUp:
        """Store a charge unless its id is there; answer the one that is."""
        ...

    async def take_up_hold(self, asked: Attempt) -> TakenUp | Refusal:
        """Store a capture or void unless its id is there, nothing is held, or what is held has been
        captured or let go by another.
        """
        ...

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """Store a refund unless its id is there, its charge has not succeeded, or the refunds of
        its charge would pass what was charged.
        """
        ...

    async def save(self, attempt: Attempt, exchange: Exchange) -> Saved:
        """Store an attempt that has moved on, and what moved it; answer it as it then stands.

        Success is stored over anything that is not final; anything else only when `version` is
        the newest. The exchange is stored in any case.
        """
        ...


class AttemptReader(Protocol):
    """Reads attempts."""

    async def of_payment(self, payment_id: str) -> Sequence[Attempt]:
        """List a payment's attempts, the oldest first."""
        ...

    async def of_payments(self, payment_ids: Sequence[str]) -> Sequence[Attempt]:
        """List the attempts of payments, by payment, the oldest first."""
        ...

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Attempt]:
        """Find attempts; those that are not there are left out."""
        ...


class Charge(Protocol):
    """A PSP that charges, in two requests where it can, so that each unknown outcome has an id to
    be read by (`Capabilities.first_stage`).
    """

    async def create_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """Make the PSP's object; no money moves."""
        ...

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """Move the money of the object `attempt.psp_reference`, or that of `token` at once where
        there is no such object.
        """
        ...


class Abandon(Protocol):
    """A PSP that takes back a charge whose buyer never came back."""

    async def cancel_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """End a charge that waits for its buyer; answer as `LookUp.read_charge` does. Only what
        the PSP confirms is an end: the buyer may act at this very moment.
        """
        ...


class Return(Protocol):
    """A PSP that must be told what a buyer brought back from its page."""

    async def complete_charge(
        self, attempt: Attempt, *, details: Mapping[str, str], key: str
    ) -> Answer:
        """Go on with a charge whose buyer has come back with `details`, the query of the return."""
        ...


class HostedPage(Protocol):
    """A PSP with a page of its own, on which the buyer pays."""

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """Open a page for the attempt; no money moves before its buyer acts."""
        ...

    async def read_page(self, attempt: Attempt) -> Reply:
        """Read the page `attempt.psp_reference`: Opened while it waits; Created with the reference
        to be confirmed, where the buyer has agreed and the PSP wants a word more; else what became
        of the money, with the reference that refunds and captures go by. A page that has expired
        is declined, PSP_CANCELLED.
        """
        ...

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """Close the page, and answer as `read_page` does; only what the PSP confirms is an end."""
        ...


class Hold(Protocol):
    """A PSP that holds money and takes it, or lets go of it, later."""

    async def capture_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """Take `attempt.amount` of what `attempt.charge_reference` holds; let go of the rest."""
        ...

    async def void_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """Let go of what `attempt.charge_reference` holds."""
        ...


class Refund(Protocol):
    """A PSP that gives money back."""

    async def refund_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """Give `attempt.amount` of `attempt.charge_reference` back."""
        ...


class LookUp(Protocol):
    """A PSP that can be asked, read-after-write, what came of a request."""

    async def find_charge(self, attempt: Attempt) -> Answer:
        """Find the object by our attempt id, when the PSP's id is not known."""
        ...

    async def read_charge(self, attempt: Attempt) -> Answer:
        """Read the object `attempt.psp_reference`; Created when it was not confirmed."""
        ...

    async def read_hold(self, attempt: Attempt) -> Answer:
        """Read what became of `attempt.charge_reference`; Absent when it is held still."""
        ...

    async def find_refund(self, attempt: Attempt) -> Answer:
        """Find a refund of `attempt.charge_reference` by our attempt id."""
        ...


class Guarding(Protocol):
    """What stands between the gateway and one PSP."""

    async def ask(
        self, operation: str, send: Callable[[], Awaitable[Heard]], *, is_repetition: bool = False
    ) -> Heard | Verdict:
        """Make a call, unless it is held back, which is answered as not sent."""
        ...

    def may_repeat(self, operation: str) -> bool:
        """Tell whether something may be asked again now, and count it; ask with `is_repetition`
        then.
        """
        ...

    def obstacle(self, operation: str) -> str:
        """Tell why an operation would not be sent now; empty when it would."""
        ...


class Webhooks(Protocol):
    """A PSP that says unasked what has happened."""

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Sequence[PspEvent]:
        """Check the signature over the raw body, and read the events.

        Args:
            headers: by lower-case name.
            body: as it came, byte for byte.
            now: bounds how old a signature may be.

        Raises:
            BadSignature: it is missing, wrong or too old; nothing is to be believed.
            CertificateNeeded: fetch it, and read again.
            UnreadableWebhook: it is right, and the body cannot be read.
        """
        ...


class CertificateSource(Protocol):
    """Where the certificates are that PSPs sign webhooks by."""

    async def fetch(self, url: str) -> None:
        """Have a certificate at hand from now on.

        Raises:
            BadSignature: there is none at the address.
            Unavailable: it could not be had; try again later.
        """
        ...


class Provider(Charge, Abandon, Hold, Refund, LookUp, Protocol):
    """A PSP that charges, holds, refunds and can be asked; each call answers and never raises for
    what the PSP or the network does.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def takes(self, currency: str) -> bool:
        """Whether it takes a currency."""
        ...

    def can_express(self, amount: Money) -> bool:
        """Whether the amount exists in its units."""
        ...


class Inbox(Protocol):
    """Keeps what PSPs told. Each call is durable when it answers, and safe to repeat."""

    async def put(self, raw: Raw, events: Sequence[PspEvent]) -> int:
        """Store a webhook and those of its events that are not there yet; tell how many are new."""
        ...

    async def claim(self, limit: int) -> Sequence[Told]:
        """Take the events that are due, the longest due first; nobody else gets them for a
        while.
        """
        ...

    async def settle(self, told: Sequence[Told]) -> None:
        """Store what became of events, but for those that somebody else has claimed since."""
        ...

    async def events(
        self, *, psp: str, state: State | None, before: int, limit: int, payment_id: str = ""
    ) -> Sequence[Told]:
        """List events before a number, the newest first; of one payment, unless it is empty."""
        ...


class AttemptFinder(Protocol):
    """Finds the attempts that events are about."""

    async def concerned(self, events: Sequence[PspEvent]) -> Sequence[Sequence[Attempt]]:
        """Find for each event the attempt by our id or by the PSP's, and those that are about it,
        the oldest first.
        """
        ...


class LateLooks(Protocol):
    """Keeps when attempts that were given up are looked at again."""

    async def given_up(self, since: datetime, until: datetime, limit: int) -> Sequence[Attempt]:
        """Find attempts that rest uncharged, or let go of, since then, and of which no look is
        planned yet; the longest ago first.
        """
        ...

    async def plan(self, looks: Sequence[LateLook]) -> None:
        """Keep new ones; of an attempt that has one, that one stays."""
        ...

    async def claim(self, limit: int) -> Sequence[LateLook]:
        """Take those that are due, the longest due first; nobody else gets them for a while."""
        ...

    async def settle(self, settled: Sequence[tuple[LateLook, LateLook]]) -> None:
        """Store how they stand, as they were claimed and as they are now, but for those that
        somebody else has claimed since.
        """
        ...


class Listener(Protocol):
    """Who waits for news of attempts."""

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """Say that something is known anew; answer those to be told of once more, later.

        Args:
            payment_ids: the payments that it is about.
            doubtful_ids: those of them of which an attempt was charged that had been refused, put
                off or unknown: who no longer waits for it must give it back.

        Raises:
            Unavailable: it was not heard; say it again.
        """
        ...


# Tells the audit log, before it is done, what the call under way does outside of one transaction:
# kind and id of the object, and what changes.
TellAudit = Callable[[str, str, Mapping[str, object]], Awaitable[None]]


async def tell_nobody(_: str, __: str, ___: Mapping[str, object]) -> None:
    """Stand in where no audit log is kept."""
