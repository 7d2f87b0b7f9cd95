"""AuditPayments: hold payments against what the gateway and the ledger know of them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from chassis.clock import Clock
from payment_svc.audit_ports import (
    Audited,
    AuditStore,
    AuditWitnesses,
    Booked,
    Place,
    Unreadable,
)
from payment_svc.domain import books
from payment_svc.domain.soundness import (
    Violation,
    is_at_rest,
    kept_at_psps,
    misbooked,
    violations,
)

PAGE = 500
_TOGETHER = 20  # payments of which the ledger is asked at once, each alone


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit is."""

    payment_count: int = 0
    in_flight_count: int = 0
    violation_count: int = 0
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """What PSPs kept of a payment at rest, by clearing account; `is_late`: made before."""

    amounts: Mapping[str, Decimal]
    created_at: datetime
    is_late: bool


@dataclass(slots=True)
class _Audit:
    """An audit under way: who does it, and what it has seen."""

    store: AuditStore
    witnesses: AuditWitnesses
    clock: Clock
    created_from: datetime
    created_to: datetime
    kept: dict[str, _Kept] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


async def audit_payments(
    store: AuditStore,
    witnesses: AuditWitnesses,
    clock: Clock,
    *,
    created_from: datetime,
    created_to: datetime,
    rested_from: datetime | None = None,
    also: Collection[str] = (),
) -> AsyncIterator[Violation | Progress]:
    """Judge the payments made in a stretch of time, those made whenever of which a saga came to
    rest since `rested_from`, and `also` these; at last, what the ledger booked for them. After each
    page, of 500, it tells how far it is.

    What seems wrong is read again before it is told: what had moved between two reads is then in
    flight, or right. What the ledger has archived is not held against it.

    Raises:
        Unavailable: another service does not answer; what was not read is not sound.
    """
    audit = _Audit(store, witnesses, clock, created_from, created_to)
    in_flight, found = 0, 0
    async for read, is_late in _pages(audit, rested_from, also):
        page = [one for one in read if isinstance(one, Audited)]
        told = [_unreadable(one) for one in read if isinstance(one, Unreadable)]
        for violation in [*told, *await _judge(audit, page, is_late=is_late)]:
            found += 1
            yield violation
        in_flight += sum(not is_at_rest(one.sagas) for one in page)
        yield Progress(len(audit.seen), in_flight, found)
    for violation in [*await _compare_books(audit), *await _compare_late(audit)]:
        found += 1
        yield violation
    yield Progress(len(audit.seen), in_flight, found, is_done=True)


async def _pages(
    audit: _Audit, rested_from: datetime | None, also: Collection[str]
) -> AsyncIterator[tuple[Sequence[Audited | Unreadable], bool]]:
    """Read each payment once, with whether it is a late one."""
    after, more = "", True
    while more:
        read = await audit.store.page(audit.created_from, audit.created_to, after, PAGE)
        audit.seen.update(one.payment_id for one in read)
        more = len(read) == PAGE
        after = read[-1].payment_id if read else after
        yield read, False
    async for some in _late_ids(audit, rested_from, also):
        new = [one for one in dict.fromkeys(some) if one not in audit.seen]
        audit.seen.update(new)
        if new:
            yield await audit.store.read(new), True


async def _late_ids(
    audit: _Audit, rested_from: datetime | None, also: Collection[str]
) -> AsyncIterator[Sequence[str]]:
    place: Place | None = None
    more = rested_from is not None
    while more and rested_from is not None:
        found = await audit.store.rested(rested_from, place, PAGE)
        more = len(found) == PAGE
        place = found[-1][0] if found else place
        yield [payment_id for _, payment_id in found]
    known = sorted(also)
    for start in range(0, len(known), PAGE):
        yield known[start : start + PAGE]


def _unreadable(one: Unreadable) -> Violation:
    return Violation(
        "I8", one.payment_id, f"cannot be read, so that nobody is told of it: {one.why}"
    )


async def _judge(audit: _Audit, page: Sequence[Audited], *, is_late: bool) -> list[Violation]:
    """Judge a page, note what PSPs kept for those at rest, and judge again who seems wrong."""
    suspects = []
    attempts = await audit.witnesses.attempts(_ids(page)) if page else {}
    for one in page:
        tried = attempts.get(one.payment_id, ())
        if any(violations(one.payment, one.sagas, tried, audit.clock())):
            suspects.append(one.payment_id)
        if is_at_rest(one.sagas):
            kept = _Kept(kept_at_psps(tried), one.payment.created_at, is_late)
            audit.kept[one.payment_id] = kept
    if not suspects:
        return []
    first = {one.payment_id: one for one in page}
    tried_now = await audit.witnesses.attempts(suspects)
    found: list[Violation] = []
    for now in await audit.store.find(suspects):
        # Read after its attempts: what moved is in flight here.
        tried = tried_now.get(now.payment_id, ())
        if _is_same(first[now.payment_id], now) or not is_at_rest(now.sagas):
            found += violations(now.payment, now.sagas, tried, audit.clock())
    return found


async def _compare_books(audit: _Audit) -> list[Violation]:
    """Compare what PSPs kept with what is booked; who differs is asked for once more, alone."""
    kept = {key: one for key, one in audit.kept.items() if not one.is_late}
    accounts = sorted({account for one in kept.values() for account in one.amounts})
    booked = await _booked(audit, accounts)
    suspects = [key for key in kept if _differs(key, kept[key], booked.get(key))]
    found: list[Violation] = []
    for start in range(0, len(suspects), PAGE):
        some = suspects[start : start + PAGE]
        before = {one.payment_id: one for one in await audit.store.find(some)}
        booked = await _booked(audit, accounts)
        found += await _compare_again(audit, before, booked)
    return found


async def _compare_late(audit: _Audit) -> list[Violation]:
    """Compare those that were made before: each is asked for alone, for it may be booked long ago,
    and what was booked since then is far more.
    """
    late = [key for key, one in audit.kept.items() if one.is_late]
    found: list[Violation] = []
    for start in range(0, len(late), _TOGETHER):
        some = late[start : start + _TOGETHER]
        booked = await _booked_for(audit, some)
        suspects = [key for key in some if _differs(key, audit.kept[key], booked.get(key))]
        if suspects:
            before = {one.payment_id: one for one in await audit.store.find(suspects)}
            booked = await _booked_for(audit, suspects)
            found += await _compare_again(audit, before, booked)
    return found


async def _compare_again(
    audit: _Audit, before: Mapping[str, Audited], booked: Mapping[str, Booked]
) -> list[Violation]:
    found: list[Violation] = []
    tried = await audit.witnesses.attempts(list(before))
    for now in await audit.store.find(list(before)):
        key = now.payment_id
        if is_at_rest(now.sagas) and _is_same(before[key], now):
            kept_now = _Kept(kept_at_psps(tried.get(key, ())), now.payment.created_at, is_late=True)
            found += _differs(key, kept_now, booked.get(key))
    return found


def _differs(payment_id: str, kept: _Kept, booked: Booked | None) -> list[Violation]:
    if booked is None:
        return list(misbooked(payment_id, kept.amounts, {}))
    if booked.archived_until is not None and kept.created_at < booked.archived_until:
        return []
    return list(misbooked(payment_id, kept.amounts, booked.amounts))


async def _booked(audit: _Audit, accounts: Sequence[str]) -> dict[str, Booked]:
    """Read what was booked in the stretch, by payment."""
    sums: dict[str, dict[str, Decimal]] = {key: {} for key in audit.kept}
    archived_until: datetime | None = None
    for account in accounts:
        told = await audit.witnesses.booked(account, audit.created_from)
        archived_until = told.archived_until or archived_until
        for payment_id, amount in told.amounts.items():
            sums.setdefault(payment_id, {})[account] = amount
    return {key: Booked(amounts, archived_until) for key, amounts in sums.items()}


async def _booked_for(audit: _Audit, payment_ids: Sequence[str]) -> dict[str, Booked]:
    told = await asyncio.gather(*(audit.witnesses.booked_for(one) for one in payment_ids))
    return {
        key: Booked(
            {account: sum_ for account, sum_ in one.amounts.items() if books.is_clearing(account)},
            one.archived_until,
        )
        for key, one in zip(payment_ids, told, strict=True)
    }


def _ids(page: Sequence[Audited]) -> list[str]:
    return [one.payment_id for one in page]


def _is_same(before: Audited, now: Audited) -> bool:
    """Whether a payment has not been written between two reads."""
    return (before.payment.revision, before.sagas) == (now.payment.revision, now.sagas)
