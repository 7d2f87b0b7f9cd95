"""The invariants, one function each, over a world at rest; each tells what is wrong, if anything.

The numbers are those of the audit over real stacks. INV-16 (secrets) and INV-15's audit log need
real output, and have no counterpart here; the hash chain of the ledger has.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ledger_svc.domain.chain import Head
from ledger_svc.domain.errors import Unbalanced
from ledger_svc.domain.posting import require_balanced
from ledger_svc.domain.transaction import hashed
from payment_svc.domain.operator_action import OperatorActionKind
from payment_svc.domain.resolution import Decision, ResolutionStatus
from payment_svc.domain.statuses import FINAL, PAYMENT_MOVES, OrderStatus, PaymentStatus
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.quarantine import POISON
from psp_gateway.domain.attempt import Kind, Outcome
from tests.simulation.evidence import TAKEN, Evidence
from tests.simulation.parts import LEASE
from tests.simulation.psp import BY_HAND

Problems = Iterator[str]
Check = Callable[[Evidence], Problems]

_ENDED_BADLY = (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
_COMPLETED = (PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_COMPLETED)
# What an order may fail of, and what the PSP's record then holds.
_EVIDENCE: Mapping[str, frozenset[str]] = {
    "CARD_DECLINED": frozenset({"declined"}),
    # A buyer may agree at the last moment: what is held by then is let go.
    "AUTHENTICATION_ABANDONED": frozenset({"canceled", "voided"}),
    "PSP_CANCELLED": frozenset({"canceled", "voided"}),
    "AUTHORIZATION_EXPIRED": frozenset({"expired"}),
}
# The PSP said so often that nothing had happened that it counts as a no.
_NOTHING_HAPPENED = frozenset(
    {"PSP_RATE_LIMITED", "PSP_UNREACHABLE", "PSP_CIRCUIT_OPEN", "PSP_BUSY", "PSP_TRANSIENT"}
)
# What is failed of by the word of two persons, and which word that is.
_SAID = {
    "RESOLVED_BY_HAND": Decision.NOT_CHARGED,
    "AMOUNT_MISMATCH": Decision.OTHER_AMOUNT,
}
_OUR_OWN = frozenset({"RISK_REFUSED", "WALLET_FROZEN"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found."""

    check: str
    text: str


def books_balance(seen: Evidence) -> Problems:
    """INV-1: every transaction balances per currency."""
    for written in seen.parts.ledger.written:
        try:
            require_balanced(written.lines)
        except Unbalanced as error:
            yield f"{written.reference}: {error}"


def psp_equals_ledger(seen: Evidence) -> Problems:
    """INV-2: what the PSPs took and the sagas did not give back is in the ledger, one to one."""
    for payment in seen.payments:
        kept, booked = seen.kept(payment.payment_id), seen.booked(payment.payment_id)
        if booked > kept or (booked != kept and payment.payment_id not in seen.troubled):
            yield f"{payment.payment_id}: the PSP took {kept}, the ledger says {booked}"


def gateway_equals_psp(seen: Evidence) -> Problems:
    """INV-2b: an attempt succeeded if and only if the PSP did it, unless it is still not known."""
    done, captured, let_go = set[str](), set[str](), set[str]()
    for effect in (one for effects in seen.effects.values() for one in effects):
        if effect.kind in ("charged", "held", "refunded"):
            done.add(effect.attempt_id.removeprefix(BY_HAND))
        if effect.kind == "voided":
            let_go.add(effect.attempt_id)
        if effect.kind == "captured":
            captured.add(effect.reference)
    attempts = seen.parts.attempts.rows
    for attempt in attempts.values():
        if attempt.kind is Kind.VOID:
            continue
        is_done = attempt.attempt_id.removesuffix("l1") in done
        if attempt.kind is Kind.CAPTURE:
            is_done = attempt.charge_reference in captured
        if attempt.outcome is Outcome.SUCCEEDED and not is_done:
            yield f"{attempt.attempt_id} succeeded, and the PSP did nothing"
        is_undone = attempt.attempt_id in let_go or f"{attempt.attempt_id}l1" in attempts
        if attempt.outcome is Outcome.DECLINED and is_done and not is_undone:
            yield f"{attempt.attempt_id} was declined, and the PSP did it"


def once_only(seen: Evidence) -> Problems:
    """INV-3: money moves at most once per attempt, and is taken at most once per charge."""
    for payment_id, effects in seen.effects.items():
        counts = Counter((e.attempt_id, e.kind) for e in effects)
        for (attempt_id, kind), count in counts.items():
            if count > 1:
                yield f"{payment_id}: {kind} {count} times for {attempt_id}"


def key_once(seen: Evidence) -> Problems:
    """INV-4: a key has one payment, and another body under it is refused."""
    owners = Counter(payment.checkout_id for payment in seen.payments)
    for key, count in owners.items():
        if count > 1:
            yield f"{key} has {count} payments"
    for key, payment_ids in seen.diary.accepted.items():
        if len(payment_ids) > 1:
            yield f"{key} was answered with {sorted(payment_ids)}"
    for key in seen.diary.misused_keys:
        yield f"{key} was accepted with another body"


def nothing_left_behind(seen: Evidence) -> Problems:
    """INV-5: a payment that failed or was cancelled has left nothing in books and wallets, but what
    two persons left with a PSP: suspense has that, of whatever payment.
    """
    for payment in seen.settled:
        name = payment.payment_id
        known, suspended = seen.left(name), seen.suspended(name)
        if known != suspended:
            yield f"{name}: {known} was left with the PSP, suspense has {suspended}"
        if payment.status in _ENDED_BADLY:
            money = seen.kept(name) - known, seen.booked(name) - known
            if any((*money, *seen.credited(name).values())):
                yield f"{name} is {payment.status}, and left {money} and what wallets have"


def wallets_equal_ledger(seen: Evidence) -> Problems:
    """INV-6: what the wallets have of a payment is what the ledger owes, and histories add up."""
    for payment in seen.settled:
        have, owed = seen.credited(payment.payment_id), seen.owed(payment.payment_id)
        if have != owed:
            yield f"{payment.payment_id}: wallets have {dict(have)}, the ledger owes {dict(owed)}"
    store = seen.parts.wallets.store
    for name, wallet in store.kept.items():
        total = sum(
            o.change.pending + o.change.available
            for o in store.operations.values()
            if o.wallet_id == name
        )
        if total != wallet.standing.pending + wallet.standing.available:
            yield f"{name}: its history adds up to {total}"


def nothing_lost(seen: Evidence) -> Problems:
    """INV-7: each accepted payment is final, or stands visibly for a person, with a reason."""
    stored = seen.parts.payments.rows
    for payment_ids in seen.diary.accepted.values():
        for payment_id in payment_ids:
            if payment_id not in stored:
                yield f"{payment_id} was accepted, and is not there"
    for payment in seen.settled:
        if payment.status not in FINAL:
            yield f"{payment.payment_id} is {payment.status}, and waits for nobody"
        for row in seen.sagas(payment.payment_id):
            if row.progress.queue is not Queue.DONE:
                yield f"{payment.payment_id}: {row.progress.kind} is still {row.progress.queue}"
    for attempt_id, end in seen.diary.refunds.items():
        attempt = seen.parts.attempts.rows.get(attempt_id)
        if not end and (attempt is None or attempt.outcome is not Outcome.UNKNOWN):
            yield f"{attempt_id} has no end, and waits for nobody"


def no_needless_question(seen: Evidence) -> Problems:
    """INV-7b: a person is asked only what nobody else can tell."""
    for payment_id, reason in seen.parts.payments.questions:
        is_poison = reason.startswith(POISON) and payment_id in seen.parts.payments.poison.ever
        if not is_poison and not _is_excused(seen, payment_id):
            yield f"{payment_id} is for a person without need: {reason}"


def nobody_waits_in_silence(seen: Evidence) -> Problems:
    """INV-7c: a minute after all is well again, who is not final is shown to a person, or waits
    for a client or a buyer.
    """
    yield from seen.silently_open


def _is_excused(seen: Evidence, payment_id: str) -> bool:
    """Whether something happened that a saga cannot wait out, or must not decide."""
    days = ("psp_dark_for_long", "psp_dark_at_once", "clock_skewed", "wallet_frozen")
    own = seen.attempts(payment_id)
    is_short = any(attempt.reason == "AMOUNT_MISMATCH" for attempt in own)
    # A refund is never sent under another key: what its key is spent on, a person has to decide.
    spoilt = {one for psp in seen.parts.psps.values() for one in psp.spoilt}
    by_hand = {r.attempt_id for r in seen.parts.resolutions.rows.values()}
    undecided = [a for a in own if a.outcome is Outcome.UNKNOWN or a.attempt_id in by_hand]
    is_spoilt = any(a.attempt_id in spoilt for a in undecided)
    return is_short or is_spoilt or any(seen.strikes[name] for name in days)


def status_equals_psp(seen: Evidence) -> Problems:
    """INV-8: completed means taken, else neither taken nor held, but for what was left there."""
    for payment in seen.settled:
        kept = seen.kept(payment.payment_id) - seen.left(payment.payment_id)
        taken = sum(int(o.taken.amount * 100) for o in payment.orders if _is_kept(o.status))
        if kept != taken:
            yield f"{payment.payment_id} is {payment.status} over {taken}, and the PSP took {kept}"
        if payment.status in _ENDED_BADLY and _holds(seen, payment.payment_id):
            yield f"{payment.payment_id} is {payment.status}, and the PSP still holds money"


def doubt_stands(seen: Evidence) -> Problems:
    """INV-8b: what is not known is called so until the PSP or a person has said more. The PSP here
    never keeps anybody waiting but a buyer; that what it was asked for is there says that nothing
    was charged yet, and whoever asks before it is confirmed is told so.
    """
    for order_id, payment_id, since, until in seen.parts.payments.forgotten:
        created = seen.parts.attempts.created
        if any(whose == payment_id and since < at <= until for whose, at in created):
            continue
        yield f"{order_id} was UNKNOWN, and is EXECUTING though nobody has said anything"


def _is_kept(status: OrderStatus) -> bool:
    return status is OrderStatus.SUCCESS


def _holds(seen: Evidence, payment_id: str) -> bool:
    kinds = Counter(effect.kind for effect in seen.effects[payment_id])
    return kinds["held"] > kinds["captured"] + kinds["voided"] + kinds["expired"]


def never_too_much(seen: Evidence) -> Problems:
    """INV-9: refunds never pass what was taken, captures never what was held."""
    for payment_id, effects in seen.effects.items():
        for reference in {effect.reference for effect in effects}:
            own = [effect for effect in effects if effect.reference == reference]
            taken = sum(e.minor for e in own if e.kind in TAKEN)
            back = sum(e.minor for e in own if e.kind == "refunded")
            held = sum(e.minor for e in own if e.kind == "held")
            if back > taken or (held and taken > held):
                yield f"{payment_id}: held {held}, took {taken}, gave back {back}"


def answers_stand(seen: Evidence) -> Problems:
    """INV-10: what a client was once told as final is never taken back."""
    for payment_id, statuses in seen.diary.seen.items():
        final = [status for status in statuses if status in FINAL]
        now = seen.parts.payments.rows[payment_id].status
        if final and any(status is not now for status in [*final, statuses[-1]]):
            yield f"{payment_id} was told as {[*statuses[-3:]]}, and is {now}"


def history_is_legal(seen: Evidence) -> Problems:
    """INV-11: each status followed from the one before, and was counted."""
    for payment_id, statuses in seen.parts.payments.history.items():
        for before, after in pairwise(statuses):
            if PaymentStatus(after) not in PAYMENT_MOVES[PaymentStatus(before)]:
                yield f"{payment_id} went from {before} to {after}"
        version = seen.parts.payments.rows[payment_id].version
        if version != len(statuses):
            yield f"{payment_id} took {len(statuses)} statuses, and counts {version}"


def leases_are_kept(seen: Evidence) -> Problems:
    """INV-11b: nobody takes a saga from one who gave a sign of life within the lease, and no step
    is in the journal twice.
    """
    for claim in seen.parts.payments.claims:
        if claim.after < LEASE:
            yield f"{claim.saga_id} was taken from {claim.former} after {claim.after}"
    for saga_id, entries in seen.parts.payments.journal.items():
        numbers = [entry.sequence for entry in entries]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{saga_id} has the steps {numbers}"


def failure_has_evidence(seen: Evidence) -> Problems:
    """INV-12: who failed was refused by somebody, and the record says so."""
    for payment in seen.payments:
        for order in payment.orders:
            if order.status is OrderStatus.FAILED and order.failure is not None:
                reason = order.failure.reason
                kinds = {effect.kind for effect in seen.effects[payment.payment_id]}
                is_told = bool(kinds & _EVIDENCE.get(reason, frozenset()))
                said = _SAID.get(reason)
                is_told |= said is not None and _was_resolved(seen, payment.payment_id, said)
                if not (is_told or reason in _NOTHING_HAPPENED or reason in _OUR_OWN):
                    yield f"{payment.payment_id} failed of {reason}; the PSP did {sorted(kinds)}"


def _was_resolved(seen: Evidence, payment_id: str, said: Decision) -> bool:
    """Whether two persons said so of one of a payment's charges."""
    return any(
        one.payment_id == payment_id and one.decision is said
        for one in seen.resolutions(ResolutionStatus.APPLIED)
    )


def nothing_posted_twice(seen: Evidence) -> Problems:
    """INV-13: a reference is written once."""
    counts = Counter(written.reference for written in seen.parts.ledger.written)
    for reference, count in counts.items():
        if count > 1:
            yield f"{reference} was posted {count} times"


def world_was_told(seen: Evidence) -> Problems:
    """INV-14: each status of each payment was published at least once, the final one as it is."""
    heard = {(e["object_id"], e["sequence"]): e["type"] for e in seen.parts.stream.heard}
    for payment in seen.payments:
        statuses = seen.parts.payments.history[payment.payment_id]
        for sequence, status in enumerate(statuses, 1):
            told = heard.get((payment.payment_id, sequence))
            if told != f"payment.{status.lower()}":
                yield f"{payment.payment_id} is {status}; the world was told {told}"


def chain_holds(seen: Evidence) -> Problems:
    """INV-15: the ledger's chain of hashes verifies from its beginning."""
    hash_ = Head(1).hash
    for written in seen.parts.ledger.written:
        hash_ = hashed(
            hash_,
            written.transaction_id,
            written.heading,
            written.created_at,
            written.entries,
            written.pending,
        )
        if hash_ != written.hash:
            yield f"{written.transaction_id} does not follow from what is before it"
            return


def refused_is_nothing(seen: Evidence) -> Problems:
    """INV-17: a request that was refused for its key has stored nothing."""
    for payment in seen.payments:
        if payment.checkout_id == "another":
            yield f"{payment.payment_id} was stored for a request that was refused"


def words_stand(seen: Evidence) -> Problems:
    """INV-18: what two persons said is made true once, never by one alone, and stays true."""
    for resolution_id in sorted(seen.approved_alone):
        yield f"{resolution_id} was approved by who had proposed it"
    for one in seen.resolutions(ResolutionStatus.APPROVED):
        yield f"{one.resolution_id} was approved, and is not applied"
    trail = seen.parts.resolutions.trail
    applied = Counter(a.resolution_id for a in trail if a.kind is OperatorActionKind.APPLY)
    for resolution_id, count in applied.items():
        if count > 1:
            yield f"{resolution_id} was applied {count} times"
    for one in seen.resolutions(ResolutionStatus.CONTRADICTED):
        # The operators give back what they say that they have given back.
        if one.decision is Decision.DONE_BY_HAND and one.psp_reference:
            yield f"{one.resolution_id} is the truth, and is {one.status}: {one.note}"
    for one in seen.resolutions(ResolutionStatus.APPLIED):
        attempt = seen.parts.attempts.rows.get(one.attempt_id)
        expected = _WORDS.get(one.decision)
        if expected and (attempt is None or attempt.outcome is not expected):
            now = attempt.outcome if attempt else "nowhere"
            yield f"{one.attempt_id} was resolved as {one.decision}, and is {now}"


_WORDS = {
    Decision.CHARGED: Outcome.SUCCEEDED,
    Decision.NOT_CHARGED: Outcome.DECLINED,
    Decision.OTHER_AMOUNT: Outcome.DECLINED,
}

CHECKS: Mapping[str, Check] = {
    "INV-1": books_balance,
    "INV-2": psp_equals_ledger,
    "INV-2b": gateway_equals_psp,
    "INV-3": once_only,
    "INV-4": key_once,
    "INV-5": nothing_left_behind,
    "INV-6": wallets_equal_ledger,
    "INV-7": nothing_lost,
    "INV-7b": no_needless_question,
    "INV-7c": nobody_waits_in_silence,
    "INV-8": status_equals_psp,
    "INV-8b": doubt_stands,
    "INV-9": never_too_much,
    "INV-10": answers_stand,
    "INV-11": history_is_legal,
    "INV-11b": leases_are_kept,
    "INV-12": failure_has_evidence,
    "INV-13": nothing_posted_twice,
    "INV-14": world_was_told,
    "INV-15": chain_holds,
    "INV-17": refused_is_nothing,
    "INV-18": words_stand,
}


def check(seen: Evidence) -> list[Finding]:
    """Run every check."""
    return [Finding(name, text) for name, one in CHECKS.items() for text in one(seen)]
