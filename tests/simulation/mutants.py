"""Planted mistakes: each exchanges one part of the honest product, and must be found by a check.

They are the mistakes that payment systems are known for. Every bug that the simulation ever found
in the product is one more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from payment_svc.ports import Services
from psp_gateway.ports import Provider
from tests.simulation.around import Around
from tests.simulation.attempts import Attempts
from tests.simulation.books import WalletBook
from tests.simulation.neighbour_mistakes import (
    AmountUnread,
    BelievesAlone,
    BelievesPersons,
    CheckThenAct,
    Forgetful,
    LateIntent,
    LimitIsDecline,
    NeverLooks,
    NewKeys,
    NoTombstone,
    PostsAnew,
    SilenceIsNo,
    Unversioned,
)
from tests.simulation.nemesis import LONG_EVERY, TREACHEROUS
from tests.simulation.parts import Parts
from tests.simulation.payment_mistakes import (
    AppliesAgain,
    BlocksItsBatch,
    BooksNothingKept,
    DeafToLateCharges,
    DoubtIsForgotten,
    DropsDeadLetters,
    ForgetsApproved,
    GivesUpAlone,
    KeyAfterwards,
    MovesBackwards,
    NoSweeper,
    OneSuffices,
    PagesByLast,
    PendingIsTheirWord,
    PutsPoisonOff,
    Unfenced,
    UnknownCaptureIsNo,
    UnknownIsDone,
    UnknownIsNo,
)
from tests.simulation.payment_place import PaymentPlace
from tests.simulation.resolutions import ResolutionPlace
from tests.unit.wallet_svc.memory_store import MemoryStore


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake.

    Attributes:
        says: what is wrong.
        plant: puts it in the place of an honest part.
        found_by: the checks that are meant to find it; another does not count.
        needs_hours: whether it shows only where a PSP is away for longer than it keeps keys.
    """

    name: str
    says: str
    plant: Callable[[Parts], Parts]
    found_by: frozenset[str]
    needs_hours: bool = False


def _client(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, client=kind)


def _provider(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, provider=lambda one: cast("Provider", kind(one)))


def _services(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, services=lambda one: cast("Services", kind(one)))


def _place(kind: type[PaymentPlace]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, place=kind)


def _attempts(kind: type[Attempts]) -> Callable[[Parts], Parts]:
    def plant(parts: Parts) -> Parts:
        there = parts.attempts
        return replace(parts, attempts=kind(there.loop, there.chance, there.disk))

    return plant


def _wallets(kind: type[WalletBook]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(
        parts, wallets=kind(parts.wallets.disk, MemoryStore(parts.loop.now))
    )


def _resolutions(kind: type[ResolutionPlace]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, resolution_place=kind)


def _resolving(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, resolving=kind)


def _mutant(
    name: str, says: str, plant: Callable[[Parts], Parts], *found_by: str, needs_hours: bool = False
) -> Mutant:
    return Mutant(name, says, plant, frozenset(found_by), needs_hours)


MUTANTS: Sequence[Mutant] = (
    _mutant("new key on retry", "each request to a PSP has a new key",
            _client(NewKeys), "INV-3", "INV-9"),
    _mutant("unknown charge fails", "a charge without an answer is taken for a no",
            _services(UnknownIsNo), "INV-8", "INV-12"),
    _mutant("unknown capture compensated", "a capture without an answer is undone",
            _services(UnknownCaptureIsNo), "INV-7b", "INV-8", "INV-12"),
    _mutant("unknown charge counts", "a charge without an answer is taken for done",
            _services(UnknownIsDone), "INV-2", "INV-8"),
    _mutant("doubt is forgotten", "a charge that is not known is said to be under way",
            _services(DoubtIsForgotten), "INV-8b"),
    _mutant("pending is their word", "what is only under way is waited for ever longer",
            _services(PendingIsTheirWord), "INV-7c"),
    _mutant("silence is a no", "a request without an answer is taken for never sent",
            _client(SilenceIsNo), "INV-8", "INV-12"),
    _mutant("429 is a decline", "a request that was limited is taken for declined",
            _client(LimitIsDecline), "INV-12"),
    _mutant("amount unread", "the amount of a PSP's answer is not compared",
            _client(AmountUnread), "INV-2", "INV-8"),
    _mutant("key lifetime forgotten", "a refund is sent again under a key that is kept no longer",
            _provider(Forgetful), "INV-3", "INV-9", needs_hours=True),
    _mutant("never looks up", "the same is sent again under its key, and nobody is asked",
            _provider(NeverLooks), "INV-7b"),
    _mutant("kept and not booked", "what two persons leave with a PSP is in no book",
            _services(BooksNothingKept), "INV-2", "INV-5"),
    _mutant("no fencing", "whoever held a saga once may write it",
            _place(Unfenced), "INV-7", "INV-10", "INV-11", "INV-11b", "INV-14"),
    _mutant("short lease", "a lease ends while its holder waits for an answer",
            lambda parts: replace(parts, lease=timedelta(seconds=2)), "INV-11b"),
    _mutant("no sweeper", "what a killed process held is taken up by nobody",
            _place(NoSweeper), "INV-7"),
    _mutant("dead letter dropped", "what cannot go on is marked as done",
            _place(DropsDeadLetters), "INV-7"),
    _mutant("key after the effect", "a client's key is kept after its payment",
            _place(KeyAfterwards), "INV-4"),
    _mutant("news moves back", "a late webhook moves a payment back",
            _place(MovesBackwards), "INV-10", "INV-11"),
    _mutant("gives up alone", "a saga fails a charge that its own late call still makes",
            _services(GivesUpAlone), "INV-2", "INV-5", "INV-8"),
    _mutant("intent after the call", "a refund is stored after it was sent",
            _attempts(LateIntent), "INV-3", "INV-9"),
    _mutant("refund check-then-act", "two refunds are checked before either is stored",
            _attempts(CheckThenAct), "INV-9"),
    _mutant("last write wins", "an attempt is written by whoever comes last",
            _attempts(Unversioned), "INV-2b", "INV-7b", "INV-8", "INV-10"),
    _mutant("posting not unique", "the ledger posts a reference again",
            lambda parts: replace(parts, ledger=PostsAnew(parts.loop, parts.ledger.disk)),
            "INV-2", "INV-6", "INV-13"),
    _mutant("no tombstone", "an undo overtakes its do, which then comes",
            _wallets(NoTombstone), "INV-5", "INV-6"),
    _mutant("outbox by last id", "the outbox is paged by id > last",
            lambda parts: replace(parts, table=PagesByLast(parts.payments)), "INV-14"),
    _mutant("poison blocks its batch", "a saga that cannot be taken up fails all that are due",
            _place(BlocksItsBatch), "INV-7"),
    _mutant("poison for ever", "a saga that always raises is put off, and laid before nobody",
            _place(PutsPoisonOff), "INV-7"),
    _mutant("late charge unheard", "what is charged after all is given back by nobody",
            _place(DeafToLateCharges), "INV-2", "INV-5", "INV-8"),
    _mutant("approved alone", "a resolution is approved by who has proposed it",
            _resolutions(OneSuffices), "INV-18"),
    _mutant("applied again", "a resolution is applied by each who finds it",
            _resolutions(AppliesAgain), "INV-18"),
    _mutant("approved and forgotten", "an approval dies with its process",
            lambda parts: replace(parts, operations=ForgetsApproved), "INV-18"),
    _mutant("resolved, still charged", "what was resolved is not kept where the charge is made",
            _resolving(BelievesAlone), "INV-18"),
    _mutant("believed over the PSP", "persons are believed without asking the PSP once more",
            _resolving(BelievesPersons), "INV-2", "INV-5", "INV-8"),
)  # fmt: skip

_SEEDS_MAX = 200


def seeds_for(mutant: Mutant) -> Sequence[int]:
    """Tell in which seeds a mistake is looked for."""
    return (
        range(TREACHEROUS, 100 * LONG_EVERY, LONG_EVERY)
        if mutant.needs_hours
        else range(_SEEDS_MAX)
    )
