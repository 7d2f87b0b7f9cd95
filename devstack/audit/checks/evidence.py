"""That an order failed only for what somebody else bears out: risk, the PSP, or two persons."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from devstack.audit.checks.taken import known_by
from devstack.audit.facts import REASONS, AttemptFact, Facts, OrderFact
from devstack.audit.told import Told
from devstack.audit.verdict import Offence

_TAKES = frozenset({"CHARGE", "AUTHORIZATION", "CAPTURE"})
# What a PSP's record says of what it did not do: it declined, would not, or was told to let go.
_REASONS = frozenset({"decline", "void", "capture_failed", *REASONS})


def failed_without_evidence(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell orders that failed without a reason, or for one that no service and no PSP bears out.

    That its saga turned round says only that somebody refused it. What was tried at a PSP meanwhile
    was taken, and is given back, which others check; or else it must be known that nothing came of
    it.
    """
    refused = {one.payment_id for one in facts.assessments if one.decision == "REFUSED"}
    refused |= {saga.order_id or saga.payment_id for saga in facts.sagas if saga.turned_round}
    said, tries = _borne_out(facts), _tries(facts)
    for order in facts.orders:
        if order.status != "FAILED" or order.payment_id not in facts.at_rest:
            continue
        made = _of_order(facts, order, tries.get(order.payment_id, ()))
        is_refused = bool(refused & {order.order_id, order.payment_id})
        is_refused |= any(one.outcome == "DECLINED" for one in made)
        if not order.failure_reason:
            yield Offence(order.order_id, f"of {order.payment_id} failed without a reason")
        elif not is_refused:
            told = f"failed for {order.failure_reason}, and neither risk, PSP nor saga refused it"
            yield Offence(order.order_id, told)
        for one in made:
            if one.outcome != "SUCCEEDED" and not said & {one.attempt_id, _held_by(one)}:
                told = f"is {one.outcome} here, and nobody bears out that nothing came of it"
                yield Offence(
                    f"{one.attempt_id} of {order.payment_id}", f"{told}: {order.failure_reason}"
                )


def _tries(facts: Facts) -> Mapping[str, Sequence[AttemptFact]]:
    """List by payment what was tried to take; what came late has evidence of its own."""
    found: dict[str, list[AttemptFact]] = defaultdict(list)
    for one in facts.attempts:
        if one.kind in _TAKES and known_by(one.attempt_id) == one.attempt_id:
            found[one.payment_id].append(one)
    return found


def _of_order(
    facts: Facts, order: OrderFact, tries: Sequence[AttemptFact]
) -> Sequence[AttemptFact]:
    """List what was tried for an order: all that is not named after another one."""
    siblings = facts.orders_of[order.payment_id]
    others = tuple(f"att_{o.order_id[4:]}" for o in siblings if o.order_id != order.order_id)
    return [one for one in tries if not one.attempt_id.startswith(others)]


def _held_by(attempt: AttemptFact) -> str:
    """Name the hold that a capture is of, by which its PSP may know it; of others themselves."""
    return attempt.charge_attempt_id if attempt.kind == "CAPTURE" else attempt.attempt_id


def _borne_out(facts: Facts) -> set[str]:
    """Tell the attempts of which it is known that they came to nothing: by the PSP's record, by two
    persons who had evidence, or since they were never sent and their PSP has never heard of them.
    Where nobody has that record, what the PSP answered to the gateway stands for it.
    """
    said = {one.attempt_id for one in facts.resolutions}
    if facts.record is None:
        said |= {one.attempt_id for one in facts.attempts if one.outcome == "DECLINED"}
    heard = set()
    for line in facts.record or ():
        names = {line.attempt_id, (line.key or "").partition(":")[0]} - {""}
        heard |= names
        if line.kind in _REASONS:
            said |= names
    unsent = (one for one in facts.attempts if one.delivery == "NOT_SENT" and not one.psp_reference)
    return said | {one.attempt_id for one in unsent if one.attempt_id not in heard}
