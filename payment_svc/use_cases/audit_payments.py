"""AuditPayments: hold payments against what the gateway and the ledger know of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chassis.clock import Clock
from payment_svc.audit_ports import Audited, AuditStore, AuditWitnesses, Unreadable
from payment_svc.domain.soundness import (
    Violation,
    is_at_rest,
    kept_at_psps,
    misbooked,
    violations,
)

PAGE = 500

Kept = dict[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit is."""

    payment_count: int = 0
    in_flight_count: int = 0
    violation_count: int = 0
    is_done: bool = False


async def audit_payments(
    store: AuditStore,
    witnesses: AuditWitnesses,
    clock: Clock,
    *,
    created_from: datetime,
    created_to: datetime,
) -> AsyncIterator[Violation | Progress]:
    """Judge the payments made in a stretch of time, 500 a page, and at last what the ledger booked
    for them. After each page it tells how far it is.

    What seems wrong is read again before it is told: what had moved between two reads is then in
    flight, or right.

    Raises:
        Unavailable: another service does not answer; what was not read is not sound.
    """
    after, seen, in_flight, found = "", 0, 0, 0
    kept: Kept = {}
    more = True
    while more:
        read = await store.page(created_from, created_to, after, PAGE)
        page = [one for one in read if isinstance(one, Audited)]
        told = [_unreadable(one) for one in read if isinstance(one, Unreadable)]
        for violation in [*told, *await _judge(store, witnesses, clock, page, kept)]:
            found += 1
            yield violation
        seen += len(read)
        in_flight += sum(not is_at_rest(one.sagas) for one in page)
        yield Progress(seen, in_flight, found)
        more = len(read) == PAGE
        after = read[-1].payment_id if read else after
    for violation in await _compare_books(store, witnesses, kept, created_from):
        found += 1
        yield violation
    yield Progress(seen, in_flight, found, is_done=True)


def _unreadable(one: Unreadable) -> Violation:
    return Violation(
        "I8", one.payment_id, f"cannot be read, so that nobody is told of it: {one.why}"
    )


async def _judge(
    store: AuditStore,
    witnesses: AuditWitnesses,
    clock: Clock,
    page: Sequence[Audited],
    kept: Kept,
) -> list[Violation]:
    """Judge a page, note what PSPs kept for those at rest, and judge again who seems wrong."""
    suspects = []
    attempts = await witnesses.attempts(_ids(page)) if page else {}
    for one in page:
        tried = attempts.get(one.payment.payment_id, ())
        if any(violations(one.payment, one.sagas, tried, clock())):
            suspects.append(one.payment.payment_id)
        if is_at_rest(one.sagas):
            kept[one.payment.payment_id] = kept_at_psps(tried)
    if not suspects:
        return []
    first = {one.payment.payment_id: one for one in page}
    tried_now = await witnesses.attempts(suspects)
    found: list[Violation] = []
    for now in await store.find(suspects):  # read after its attempts: what moved is in flight here
        tried = tried_now.get(now.payment.payment_id, ())
        if _is_same(first[now.payment.payment_id], now) or not is_at_rest(now.sagas):
            found += violations(now.payment, now.sagas, tried, clock())
    return found


async def _compare_books(
    store: AuditStore, witnesses: AuditWitnesses, kept: Kept, since: datetime
) -> list[Violation]:
    """Compare what PSPs kept with what is booked; who differs is asked for once more, alone."""
    accounts = sorted({account for accounts in kept.values() for account in accounts})
    booked = await _booked(witnesses, accounts, since)
    suspects = [
        payment_id
        for payment_id in kept
        if any(misbooked(payment_id, kept[payment_id], booked.get(payment_id, {})))
    ]
    found: list[Violation] = []
    if not suspects:
        return found
    for start in range(0, len(suspects), PAGE):
        some = suspects[start : start + PAGE]
        before = {one.payment.payment_id: one for one in await store.find(some)}
        booked = await _booked(witnesses, accounts, since)
        tried = await witnesses.attempts(some)
        for now in await store.find(some):
            payment_id = now.payment.payment_id
            if is_at_rest(now.sagas) and _is_same(before[payment_id], now):
                kept_now = kept_at_psps(tried.get(payment_id, ()))
                found += misbooked(payment_id, kept_now, booked.get(payment_id, {}))
    return found


async def _booked(
    witnesses: AuditWitnesses, accounts: Sequence[str], since: datetime
) -> dict[str, dict[str, Decimal]]:
    booked: dict[str, dict[str, Decimal]] = {}
    for account in accounts:
        for payment_id, amount in (await witnesses.booked(account, since)).items():
            booked.setdefault(payment_id, {})[account] = amount
    return booked


def _ids(page: Sequence[Audited]) -> list[str]:
    return [one.payment.payment_id for one in page]


def _is_same(before: Audited, now: Audited) -> bool:
    """Whether a payment has not been written between two reads."""
    return (before.payment.revision, before.sagas) == (now.payment.revision, now.sagas)
