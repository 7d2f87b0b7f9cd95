"""What must be true between the PSPs' own record, the gateway, the ledger and the payments."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from devstack.audit.checks import suspense
from devstack.audit.checks.taken import TAKES, Effect, at_psps, here
from devstack.audit.facts import Facts, OrderFact, PaymentFact
from devstack.audit.told import Told
from devstack.audit.verdict import Offence

_ZERO = Decimal()
_TAKEN = ("captured/", *suspense.BOOKED)
_BOOKED = (*_TAKEN, "refund_paid/", "refund_returned/")
_DONE = frozenset({"SUCCESS", "PARTIALLY_REFUNDED", "REFUNDED"})
_OVER = frozenset({"FAILED", "CANCELLED"})
_COMPLETE = frozenset({"COMPLETED", "PARTIALLY_COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
# What the orders of a payment at rest may be.
_ORDERS_OF: Mapping[str, frozenset[str]] = {
    "COMPLETED": frozenset({"SUCCESS"}),
    "PARTIALLY_COMPLETED": frozenset({"SUCCESS", "FAILED", "CANCELLED"}),
    "FAILED": frozenset({"FAILED"}),
    "CANCELLED": frozenset({"CANCELLED"}),
    "REQUIRES_CAPTURE": frozenset({"AUTHORIZED"}),
    "PARTIALLY_REFUNDED": _DONE | _OVER,
    "REFUNDED": _OVER | {"REFUNDED"},
}


def record_missing(facts: Facts, _: Told) -> str:
    """Need the PSPs' own record."""
    return "the PSPs' own record was not read" if facts.record is None else ""


def moved_without_us(facts: Facts, _: Told) -> Iterator[Offence]:
    """Join what moved at the PSPs with the gateway's attempts, one to one by attempt, amount and
    currency, and tell what is on one side only.
    """
    theirs = Counter(_identity(one) for one in at_psps(facts).all if _is_judged(facts, one))
    ours = Counter(_identity(one) for one in here(facts).all if _is_judged(facts, one))
    for one in facts.payouts:
        # What came back is the PSP's payout_failed, which took the payout out of their side.
        if one.state == "PAID":
            ours["payout", one.attempt_id, one.psp, one.amount, one.currency] += 1
    under_way = {one.attempt_id for one in facts.payouts if one.state not in ("PAID", "FAILED")}
    for key in sorted(theirs.keys() | ours.keys(), key=str):
        kind, name, psp, amount, currency = key
        there, known = theirs[key], ours[key]
        # A bank account is not only there for our payouts.
        is_apart = kind == "payout" and (name in under_way or (psp == "bank" and not name))
        if there == known or is_apart:
            continue
        if kind == "void" and there > known == 0:
            continue  # let go by itself: it had its time
        told = f"{kind} of {amount} {currency}: {there} at {psp}, {known} here"
        yield Offence(name or "no attempt of ours", told)


def booked_without_psp(facts: Facts, _: Told) -> Iterator[Offence]:
    """Join what the PSPs took with what the ledger booked, payment by payment and one to one, and
    tell what is on one side only.
    """
    booked, postings = _bookings(facts)
    effects = at_psps(facts)
    net: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for one in effects.all:
        sign = 1 if one.kind in TAKES else -1 if one.kind == "refund" else 0
        net[one.payment_id, one.psp, one.currency] += sign * one.amount
    for key in sorted(net.keys() | booked.keys()):
        payment_id, psp, currency = key
        if payment_id in facts.payments and payment_id not in facts.at_rest:
            continue
        if net[key] != booked[key]:
            told = f"{psp} kept {net[key]} {currency}, the ledger booked {booked[key]}"
            yield Offence(payment_id or "no payment of ours", told)
    for payment_id in facts.at_rest:
        taken = Counter(
            (one.psp, one.amount, one.currency)
            for one in effects.by_payment.get(payment_id, ())
            if one.kind in TAKES
        )
        live = Counter((o.psp, o.amount, o.currency) for o in effects.live_takes(payment_id))
        posted = postings[payment_id]
        for psp, amount, currency in posted - taken:
            yield Offence(payment_id, f"{amount} {currency} is booked that {psp} never took")
        for psp, amount, currency in live - posted:
            yield Offence(payment_id, f"{psp} took {amount} {currency} that is not booked")


def _bookings(
    facts: Facts,
) -> tuple[dict[tuple[str, str, str], Decimal], dict[str, Counter[tuple[str, Decimal, str]]]]:
    """Sum the clearing accounts by payment, and list the bookings of what was taken that stand."""
    currencies = {one.account_id: one.currency for one in facts.accounts}
    by_reference = {one.reference: one for one in facts.transactions}
    reversed_ones = {one.reverses for one in facts.transactions if one.reverses}
    booked: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    postings: dict[str, Counter[tuple[str, Decimal, str]]] = defaultdict(Counter)
    for entry in facts.entries:
        words = entry.account_id.split(":")
        known = facts.transaction.get(entry.transaction_id)
        if known is None or words[0] != "psp" or words[2] != "clearing":
            continue
        rule = by_reference.get(known.reverses or "", known)
        template = rule.template or ""
        # What settlements left in suspense is explained there, too, for no payment.
        is_release = template.startswith(suspense.RELEASED) and known.subject_id in facts.payments
        if not is_release and not template.startswith(_BOOKED):
            continue
        currency = currencies[entry.account_id]
        signed = entry.amount if entry.is_debit else -entry.amount
        booked[known.subject_id, words[1], currency] += signed
        is_take = (known.template or "").startswith(_TAKEN) and not known.reverses
        if is_take and known.reference not in reversed_ones:
            postings[known.subject_id][words[1], entry.amount, currency] += 1
    return booked, postings


def charged_twice(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell payments with more live charges than may be, also in flight, or charged above their
    amount, but for what two persons left with its PSP; and refunds and payouts that happened more
    than once.
    """
    effects = at_psps(facts)
    for payment_id, payment in facts.payments.items():
        live = suspense.paying(facts, payment_id, effects.live_takes(payment_id))
        per_order = payment.partial_failure_policy == "KEEP_SUCCESSFUL"
        most = len(facts.orders_of.get(payment_id, ())) if per_order else 1
        whole = sum((one.amount for one in live), _ZERO)
        if len(live) > most or whole > payment.amount:
            told = ", ".join(f"{one.psp} {one.reference} {one.amount}" for one in live)
            yield Offence(payment_id, f"is charged {len(live)} times, {most} at most: {told}")
    # One attempt may have charged late at the PSP before, too: that is a charge of its own.
    names = Counter((one.kind, one.name, one.psp) for one in effects.all if one.name)
    for (kind, name, _psp), count in names.items():
        if count > 1 and kind in ("refund", "payout", "charge", "capture", "authorization"):
            yield Offence(name, f"{count} {kind}s of one attempt")
    paid = Counter(one.payout_id for one in facts.payouts if one.state == "PAID")
    for payout_id, count in paid.items():
        if count > 1:
            yield Offence(payout_id, f"is paid {count} times")


def returned_too_much(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell payments of which more went back than was taken, or more was captured than was held: by
    the PSPs and here, also in flight.
    """
    sources = [("at the PSP", at_psps(facts)), ("here", here(facts))]
    for where, effects in sources:
        for payment_id, of_it in effects.by_payment.items():
            if payment_id and effects.kept(payment_id) < 0:
                told = f"{-effects.kept(payment_id)} more went back than was taken, {where}"
                yield Offence(payment_id, told)
            held: dict[str, Decimal] = defaultdict(Decimal)
            for one in of_it:
                if one.kind in ("authorization", "capture"):
                    held[one.name] += one.amount if one.kind == "authorization" else -one.amount
            for name, rest in held.items():
                if rest < 0:
                    yield Offence(payment_id, f"{-rest} more captured than {name} held, {where}")


def status_against_money(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell payments at rest whose status is not that of their orders, or not what the PSPs kept:
    complete ⇔ kept, failed or cancelled ⇒ nothing kept and nothing held. What two persons left with
    a PSP is kept apart, in suspense.
    """
    effects = at_psps(facts)
    for payment_id, payment in facts.at_rest.items():
        orders = facts.orders_of.get(payment_id, ())
        for how in _wrong_orders(payment, orders):
            yield Offence(payment_id, how)
        kept = effects.kept(payment_id) - suspense.sum_left(facts, payment_id)
        taken = effects.taken(payment_id)
        held = effects.held(payment_id)
        owed = sum((order.taken for order in orders if order.status in _DONE), _ZERO)
        if payment.status in _OVER and (kept or held):
            names = ", ".join(one.reference for one in held)
            yield Offence(payment_id, f"is {payment.status}, but {kept} is kept, held: {names}")
        elif payment.status in ("COMPLETED", "PARTIALLY_COMPLETED") and kept != owed:
            yield Offence(payment_id, f"is {payment.status} of {owed}, but {kept} is kept")
        elif payment.status == "PARTIALLY_REFUNDED" and not 0 < kept < taken:
            yield Offence(payment_id, f"is {payment.status}, but {kept} of {taken} is kept")
        elif payment.status == "REFUNDED" and (kept or not taken):
            yield Offence(payment_id, f"is REFUNDED, but {kept} of {taken} is kept")
        elif payment.status == "REQUIRES_CAPTURE" and (taken or len(held) != 1):
            yield Offence(payment_id, f"is held, but {taken} is taken, {len(held)} held")


def _wrong_orders(payment: PaymentFact, orders: Sequence[OrderFact]) -> Iterator[str]:
    """Tell how a payment's status is not that of its orders."""
    statuses = {order.status for order in orders}
    allowed = _ORDERS_OF.get(payment.status)
    if not orders:
        yield "has no orders"
    elif allowed is None:
        yield f"is {payment.status}, and nothing moves it"
    elif not statuses <= allowed:
        yield f"is {payment.status}, its orders are {', '.join(sorted(statuses))}"
    elif payment.status in _COMPLETE and not statuses & _DONE:
        yield f"is {payment.status}, and none of its orders succeeded"
    whole = sum((order.amount for order in orders), _ZERO)
    if orders and whole != payment.amount:
        yield f"is of {payment.amount}, its orders of {whole}"


def _identity(one: Effect) -> tuple[str, str, str, Decimal, str]:
    return one.kind, one.name, one.psp, one.amount, one.currency


def _is_judged(facts: Facts, one: Effect) -> bool:
    """Whether nothing moves it now: what belongs to no payment of ours is always judged."""
    if one.payment_id in facts.payments:
        return one.payment_id in facts.at_rest
    return True
