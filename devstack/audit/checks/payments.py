"""What must be true of payments, their histories, their sagas and what is told of them."""

from collections import Counter
from collections.abc import Iterator

from devstack.audit.checks import moves
from devstack.audit.facts import Facts
from devstack.audit.told import Told
from devstack.audit.verdict import Offence

_QUEUES = frozenset({"PAYMENT", "RETRY", "WAITING", "DEAD_LETTER", "DONE"})
_BEGINS = frozenset({"CreatePayment", "CreateCheckoutSession"})


def forgotten(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell sagas that nothing will ever move, and payments that no saga moves although they are
    not final.
    """
    for saga in facts.sagas:
        name = f"{saga.saga_id} ({saga.kind} of {saga.payment_id})"
        if saga.queue not in _QUEUES:
            yield Offence(name, f"stands in {saga.queue}, which is no queue")
        elif saga.queue == "DEAD_LETTER" and not saga.reason:
            yield Offence(name, "is a dead letter without a reason")
        elif saga.queue in ("PAYMENT", "RETRY", "WAITING") and saga.due_at is None:
            yield Offence(name, f"stands in {saga.queue} and is never due")
        elif saga.is_overdue:
            yield Offence(name, f"was due at {saga.due_at} and nobody has taken it up")
    waits = {saga.payment_id for saga in facts.sagas if saga.queue != "DONE"}
    for payment_id, payment in facts.at_rest.items():
        if payment.status not in moves.FINAL and payment_id not in waits:
            yield Offence(payment_id, f"is {payment.status}, and no saga moves it")


def lost(facts: Facts, told: Told) -> Iterator[Offence]:
    """Tell accepted payments that are gone, and what `forgotten` tells."""
    for answer in told.answers or ():
        if answer.payment_id and answer.payment_id not in facts.payments:
            yield Offence(
                answer.payment_id, f"was answered to a client ({answer.verb}), and is gone"
            )
    yield from forgotten(facts, told)


def keys_shared(facts: Facts, told: Told) -> Iterator[Offence]:
    """Tell keys with two payments, payments that no key made, and PSP keys with two effects."""
    kept = Counter((key.client_id, key.method, key.key) for key in facts.keys)
    for (client_id, method, key), count in kept.items():
        if count > 1:
            yield Offence(f"{client_id} {method} {key}", f"is kept {count} times")
    made = Counter(key.payment_id for key in facts.keys if key.method in _BEGINS)
    for payment_id in facts.payments:
        if made[payment_id] != 1:
            yield Offence(payment_id, f"was made under {made[payment_id]} keys")
    for one in facts.keys:
        is_payment = one.payment_id.startswith("pay_")  # webhook endpoints have keys too
        if is_payment and one.payment_id not in facts.payments:
            yield Offence(one.payment_id, f"is kept under {one.method} {one.key}, and is gone")
    used = Counter(
        (line.psp, line.key)
        for line in facts.record or ()
        if line.key and line.kind in ("charge", "capture", "refund", "authorization", "payout")
    )
    for (psp, name), count in used.items():
        if count > 1:
            yield Offence(f"{psp} {name}", f"had {count} effects")
    answered: dict[tuple[str, str], set[str]] = {}
    for answer in told.answers or ():
        if answer.verb == "create" and answer.payment_id:
            answered.setdefault((answer.client_id, answer.key), set()).add(answer.payment_id)
    for (client_id, name), ids in answered.items():
        if len(ids) > 1:
            yield Offence(f"{client_id} {name}", f"was answered {', '.join(sorted(ids))}")


def moved_backwards(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell histories with a move that is none, or that do not end where the object is."""
    now = {payment.payment_id: payment.status for payment in facts.payments.values()}
    now |= {order.order_id: order.status for order in facts.orders}
    seen = set()
    for path in facts.paths:
        seen.add(path.subject_id)
        table = moves.PAYMENT if path.subject_id.startswith("pay_") else moves.ORDER
        at = ""
        for move in path.path.split(" "):
            before, _sign, after = move.partition(">")
            if before != at or after not in table.get(before, ()):
                yield Offence(path.subject_id, f"went {before or '—'} → {after} from {at or '—'}")
            at = after
        if now.get(path.subject_id, at) != at:
            yield Offence(path.subject_id, f"is {now[path.subject_id]}, its history ends at {at}")
    for subject in now.keys() - seen:
        yield Offence(subject, "has no history")
