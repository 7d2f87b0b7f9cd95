"""The audit of payments that were made before the stretch, and came to rest in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from payment_svc.audit_ports import Audited, Booked, Place, Unreadable
from payment_svc.domain.soundness import Violation
from payment_svc.use_cases.audit_payments import PAGE, Progress, audit_payments
from tests.builders import NOW
from tests.unit.payment_svc.test_soundness import CLEARING, LATER, Mesh, make_attempt

EARLIER = NOW - timedelta(days=9)


@dataclass
class Late(Mesh):
    """A mesh whose payments were made before the stretch; those that are not young are `rested`."""

    young: set[str] = field(default_factory=set)
    rested_ids: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    archived_until: datetime | None = None
    looked_at: list[str] = field(default_factory=list)

    def complete_late(self) -> str:
        """Complete a payment that was made long ago, and comes to rest now."""
        payment_id = self.complete().payment_id
        made = replace(self.payments[payment_id].payment, created_at=EARLIER)
        self.payments[payment_id] = replace(self.payments[payment_id], payment=made)
        self.rested_ids.append(payment_id)
        return payment_id

    async def page(
        self, created_from: datetime, created_to: datetime, after: str, limit: int
    ) -> Sequence[Audited]:
        """See `AuditStore.page`."""
        return [self.payments[one] for one in sorted(self.young) if one > after][:limit]

    async def rested(
        self, since: datetime, after: Place | None, limit: int
    ) -> Sequence[tuple[Place, str]]:
        """See `AuditStore.rested`."""
        begin = 0 if after is None else int(after.saga_id) + 1
        some = self.rested_ids[begin : begin + limit]
        return [(Place(NOW, str(n)), one) for n, one in enumerate(some, begin)]

    async def read(self, payment_ids: Sequence[str]) -> Sequence[Audited | Unreadable]:
        """See `AuditStore.read`."""
        return [
            Unreadable(one, "it is broken") if one in self.unreadable else self.payments[one]
            for one in payment_ids
        ]

    async def booked(self, account_id: str, since: datetime) -> Booked:
        """See `AuditWitnesses.booked`: what was booked in the stretch."""
        young = {one: self.books[one] for one in self.young if one in self.books}
        return Booked(young if account_id == CLEARING else {}, self.archived_until)

    async def booked_for(self, payment_id: str) -> Booked:
        """See `AuditWitnesses.booked_for`."""
        self.looked_at.append(payment_id)
        found = {CLEARING: self.books[payment_id]} if payment_id in self.books else {}
        return Booked(found | {"seller:demo:s:USD": Decimal(-10)}, self.archived_until)


async def audit(
    mesh: Late, *, also: Sequence[str] = (), rested_from: datetime | None = NOW
) -> tuple[list[tuple[str, str]], Progress]:
    """Audit it; answer who violates what, and how far it came."""
    told = [
        one
        async for one in audit_payments(
            mesh, mesh, lambda: LATER,
            created_from=NOW, created_to=LATER, rested_from=rested_from, also=also,
        )
    ]  # fmt: skip
    assert isinstance(told[-1], Progress)
    found = [(v.payment_id, v.invariant) for v in told if isinstance(v, Violation)]
    return found, told[-1]


@pytest.mark.parametrize("count", [1, PAGE, PAGE + 1])
async def test_what_came_to_rest_late_is_judged(count: int) -> None:
    """By the attempts, and by what was booked whenever that was."""
    mesh = Late()
    ids = [mesh.complete_late() for _ in range(count)]
    mesh.tried[ids[-1]] = []

    told, progress = await audit(mesh)

    assert {payment_id for payment_id, _ in told} == {ids[-1]}
    assert {"I4", "I8"} <= {invariant for _, invariant in told}
    assert (progress.payment_count, progress.is_done) == (count, True)


async def test_it_is_not_looked_for_unasked() -> None:
    """Without a moment from which on, those that were made in the stretch are judged alone."""
    mesh = Late()
    mesh.tried[mesh.complete_late()] = []

    assert await audit(mesh, rested_from=None) == ([], Progress(is_done=True))


async def test_none_is_judged_twice() -> None:
    """Neither by two of its sagas, nor since it was made in the stretch, too."""
    mesh = Late()
    late, young = mesh.complete_late(), mesh.complete().payment_id
    mesh.young = {young}
    mesh.rested_ids += [late, young, *(mesh.complete_late() for _ in range(PAGE)), late]
    del mesh.books[late]

    told, progress = await audit(mesh, also=[late, young])

    assert told == [(late, "I4")]
    assert progress.payment_count == PAGE + 2
    assert young not in mesh.looked_at


async def test_another_amount_that_is_booked_for_a_late_one_is_told() -> None:
    """What stands on other accounts than PSPs' is not counted."""
    mesh = Late()
    sound, wrong, mended = (mesh.complete_late() for _ in range(3))
    mesh.books[wrong] = Decimal(9)
    mesh.books[mended] = Decimal(20)
    again = make_attempt(mesh.payments[mended].payment, end="c2")
    mesh.late[mended] = [*mesh.tried[mended], again]

    told, _ = await audit(mesh)

    assert (wrong, "I4") in told
    assert sound not in {payment_id for payment_id, _ in told}


async def test_who_offended_is_judged_again_wherever_it_is() -> None:
    """Until it is mended; also one that cannot be read."""
    mesh = Late()
    wrong, mended, broken = (mesh.complete_late() for _ in range(3))
    mesh.rested_ids.clear()
    mesh.books[wrong] = Decimal(9)
    mesh.unreadable = {broken}

    told, _ = await audit(mesh, also=[wrong, mended, broken])

    assert sorted(told) == sorted([(wrong, "I4"), (broken, "I8")])


async def test_what_the_ledger_has_archived_is_not_said_to_be_missing() -> None:
    """It is left out of what the ledger tells; the rest is judged."""
    mesh = Late()
    old, young = mesh.complete_late(), mesh.complete().payment_id
    mesh.young = {young}
    mesh.archived_until = EARLIER + timedelta(seconds=1)
    del mesh.books[old], mesh.books[young]

    told, _ = await audit(mesh)

    assert told == [(young, "I4")]
