"""All objects of Stripe's face, in memory, in the order they were made."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from devstack.sandbox.stripe.changes import Change
from devstack.sandbox.stripe.errors import missing
from devstack.sandbox.stripe.objects import (
    Charge,
    Dispute,
    Intent,
    Refund,
    Session,
    StoredFile,
    Thing,
    Transfer,
)
from devstack.sandbox.stripe.parameters import Window


class Collection(Generic[Thing]):
    """Objects of one kind, newest last.

    Args:
        kind: what Stripe calls one of them.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._things: dict[str, Thing] = {}
        self._order: list[str] = []
        self._place: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._things.values())

    def put(self, thing: Thing) -> bool:
        """Keep an object's present state; tell whether it is new."""
        new = thing.id not in self._things
        self._things[thing.id] = thing
        if new:
            self._place[thing.id] = len(self._order)
            self._order.append(thing.id)
        return new

    def find(self, reference: str | None) -> Thing | None:
        """Look an object up."""
        return None if reference is None else self._things.get(reference)

    def get(self, reference: str, param: str, status: int = 404) -> Thing:
        """Look an object up that must be there.

        Raises:
            StripeError: it is not.
        """
        thing = self._things.get(reference)
        if thing is None:
            raise missing(self._kind, reference, param, status)
        return thing

    def page(
        self, window: Window, accept: Callable[[Thing], bool], among: Sequence[str] | None = None
    ) -> tuple[tuple[Thing, ...], bool]:
        """Give a part of the list, newest first, and tell whether there is more beyond it.

        Args:
            window: which part.
            accept: which objects belong to the list.
            among: the ids it is made of, oldest first; None for all.

        Raises:
            StripeError: the window begins or ends at an object that is not there.
        """
        ids = self._order if among is None else among
        if window.ending_before is not None:
            start = bisect_right(ids, self._at(window.ending_before, "ending_before"), key=self._of)
            newer = self._take(range(start, len(ids)), ids, window, accept)
            return tuple(reversed(newer[: window.limit])), len(newer) > window.limit
        end = len(ids)
        if window.starting_after is not None:
            end = bisect_left(ids, self._at(window.starting_after, "starting_after"), key=self._of)
        older = self._take(range(end - 1, -1, -1), ids, window, accept)
        return tuple(older[: window.limit]), len(older) > window.limit

    def _take(
        self,
        places: Iterable[int],
        ids: Sequence[str],
        window: Window,
        accept: Callable[[Thing], bool],
    ) -> list[Thing]:
        found: list[Thing] = []
        for place in places:
            thing = self._things[ids[place]]
            if window.covers(thing.created) and accept(thing):
                found.append(thing)
                if len(found) > window.limit:
                    break
        return found

    def _at(self, reference: str, param: str) -> int:
        self.get(reference, param, 400)
        return self._place[reference]

    def _of(self, reference: str) -> int:
        return self._place[reference]


@dataclass(slots=True)
class Shelf:
    """Intents, charges, refunds, pages, disputes, files and transfers, and what of them waits."""

    intents: Collection[Intent] = field(default_factory=lambda: Collection("payment_intent"))
    charges: Collection[Charge] = field(default_factory=lambda: Collection("charge"))
    refunds: Collection[Refund] = field(default_factory=lambda: Collection("refund"))
    disputes: Collection[Dispute] = field(default_factory=lambda: Collection("dispute"))
    files: Collection[StoredFile] = field(default_factory=lambda: Collection("file"))
    sessions: Collection[Session] = field(default_factory=lambda: Collection("checkout.session"))
    transfers: Collection[Transfer] = field(default_factory=lambda: Collection("transfer"))
    _session_of: dict[str, str] = field(default_factory=dict)
    _charges_of: dict[str, list[str]] = field(default_factory=dict)
    _refunds_of: dict[str, list[str]] = field(default_factory=dict)
    _due: list[tuple[float, str]] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Make a change's objects the present ones."""
        self.put(change.intent, change.charge, change.refund, change.session)
        self.put_aside(change.dispute, change.file, change.transfer)

    def put_aside(
        self, dispute: Dispute | None, file: StoredFile | None, transfer: Transfer | None = None
    ) -> None:
        """Make these the present ones; None leaves its kind alone."""
        if dispute is not None:
            self.disputes.put(dispute)
        if file is not None:
            self.files.put(file)
        if transfer is not None:
            self.transfers.put(transfer)
            if transfer.settles_at is not None:
                heapq.heappush(self._due, (transfer.settles_at, transfer.id))

    def dispute_of(self, reference: str) -> Dispute | None:
        """Find the newest dispute by its own id, or by that of its charge or PaymentIntent."""
        found = [
            one for one in self.disputes if reference in (one.id, one.charge, one.payment_intent)
        ]
        return found[-1] if found else None

    def put(
        self,
        intent: Intent | None,
        charge: Charge | None,
        refund: Refund | None,
        session: Session | None = None,
    ) -> None:
        """Make these the present ones; None leaves its kind alone."""
        if session is not None:
            self.sessions.put(session)
            if session.payment_intent is not None:
                self._session_of[session.payment_intent] = session.id
            if session.settles_at is not None:
                heapq.heappush(self._due, (session.settles_at, session.id))
        if intent is not None:
            self.intents.put(intent)
            if intent.settles_at is not None:
                heapq.heappush(self._due, (intent.settles_at, intent.id))
        if charge is not None and self.charges.put(charge):
            self._charges_of.setdefault(charge.payment_intent, []).append(charge.id)
        if refund is not None:
            if self.refunds.put(refund):
                self._refunds_of.setdefault(refund.charge, []).append(refund.id)
            if refund.settles_at is not None:
                heapq.heappush(self._due, (refund.settles_at, refund.id))

    def session_of(self, intent_id: str) -> Session | None:
        """Find the page that an intent is paid on."""
        return self.sessions.find(self._session_of.get(intent_id))

    def charges_of(self, intent_id: str) -> list[str]:
        """List the charges of an intent, oldest first."""
        return self._charges_of.get(intent_id, [])

    def refunds_of(self, charge_id: str | None) -> list[str]:
        """List the refunds of a charge, oldest first."""
        return self._refunds_of.get(charge_id or "", [])

    def pop_due(self, now: float) -> Intent | Refund | Session | Transfer | None:
        """Take out one object whose time has come; None when there is no more."""
        while self._due and self._due[0][0] <= now:
            due, reference = heapq.heappop(self._due)
            thing = (
                self.intents.find(reference)
                or self.refunds.find(reference)
                or self.sessions.find(reference)
                or self.transfers.find(reference)
            )
            if thing is not None and thing.settles_at == due:
                return thing
        return None
