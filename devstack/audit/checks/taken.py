"""What the PSPs took and gave back for each payment: by their own record, or, where nobody has
that, by what they answered to the gateway.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from devstack.audit.facts import AttemptFact, Facts, RecordFact

_ZERO = Decimal()
TAKES = frozenset({"charge", "capture"})
_FAILS = {"capture_failed": "capture", "refund_failed": "refund", "payout_failed": "payout"}
_OURS = {
    "CHARGE": "charge",
    "AUTHORIZATION": "authorization",
    "CAPTURE": "capture",
    "REFUND": "refund",
    "VOID": "void",
}
# By these the PSP is told the charge's attempt, so ours are named by it too.
_BY_CHARGE = frozenset({"capture", "void"})
_KEPT = "effects at PSPs"
# The gateway keeps a charge that came late, or of another amount, under the id that the PSP knows
# and this.
_LATE = re.compile(r"(?<=[ckv][0-9])l[0-9]+$", re.ASCII)


class Effect(NamedTuple):
    """Something that moved, or was held or let go, at a PSP.

    `name` is the attempt's id; of captures and voids the id of the attempt that holds the money.
    `charge` is the attempt that charged or held what moved.
    """

    kind: str
    name: str
    payment_id: str
    psp: str
    amount: Decimal
    currency: str
    reference: str
    charge: str


class Effects:
    """All effects, of one source."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self.all = effects
        self.by_payment: Mapping[str, Sequence[Effect]] = _grouped(effects)

    def kept(self, payment_id: str) -> Decimal:
        """Sum what was taken for a payment and not given back."""
        signs = {"charge": 1, "capture": 1, "refund": -1}
        effects = self.by_payment.get(payment_id, ())
        return sum((signs.get(one.kind, 0) * one.amount for one in effects), _ZERO)

    def taken(self, payment_id: str) -> Decimal:
        """Sum what was ever taken for a payment."""
        effects = self.by_payment.get(payment_id, ())
        return sum((one.amount for one in effects if one.kind in TAKES), _ZERO)

    def live_takes(self, payment_id: str) -> list[Effect]:
        """List the charges and captures that were not given back whole."""
        effects = self.by_payment.get(payment_id, ())
        returned: dict[str, Decimal] = defaultdict(Decimal)
        for one in effects:
            if one.kind == "refund":
                returned[one.charge] += one.amount
        live = []
        for one in effects:
            if one.kind in TAKES and returned[one.charge] < one.amount:
                live.append(one)
            elif one.kind in TAKES:
                returned[one.charge] -= one.amount
        return live

    def held(self, payment_id: str) -> list[Effect]:
        """List the authorizations that were neither captured nor let go."""
        effects = self.by_payment.get(payment_id, ())
        over = {one.name for one in effects if one.kind in _BY_CHARGE}
        return [one for one in effects if one.kind == "authorization" and one.name not in over]


def at_psps(facts: Facts) -> Effects:
    """Tell what moved by the PSPs' own record; by the gateway's attempts where there is none."""
    if facts.record is None:
        return here(facts)
    kept: Effects | None = facts.__dict__.get(_KEPT)  # each copy of the facts has its own
    if kept is None:
        kept = facts.__dict__[_KEPT] = Effects(list(_of_record(facts, facts.record)))
    return kept


def here(facts: Facts) -> Effects:
    """Tell what moved by what the gateway keeps."""
    done = (one for one in facts.attempts if one.outcome == "SUCCEEDED")
    return Effects([_of_attempt(facts, one) for one in done])


def known_by(attempt_id: str) -> str:
    """Name an attempt as its PSP knows it."""
    return _LATE.sub("", attempt_id)


def _of_attempt(facts: Facts, attempt: AttemptFact) -> Effect:
    kind = _OURS.get(attempt.kind, attempt.kind.lower())
    name = known_by(attempt.charge_attempt_id if kind in _BY_CHARGE else attempt.attempt_id)
    charge = attempt
    while charge.charge_attempt_id in facts.attempt:
        charge = facts.attempt[charge.charge_attempt_id]
    return Effect(
        kind,
        name,
        attempt.payment_id,
        attempt.psp,
        attempt.amount,
        attempt.currency,
        attempt.psp_reference,
        charge.attempt_id,
    )


def _of_record(facts: Facts, record: Sequence[RecordFact]) -> Iterator[Effect]:
    """Read the effects out of a record; what failed later is left out with what it undid."""
    ordered = {one.end_to_end_id: one.attempt_id for one in facts.payouts if one.end_to_end_id}
    opened = {
        (line.psp, line.payment_reference): line.attempt_id
        for line in record
        if line.kind in ("charge", "authorization")
    }
    failed = Counter(
        (line.psp, _FAILS[line.kind], line.reference) for line in record if line.kind in _FAILS
    )
    for line in record:
        if line.kind not in (*_OURS.values(), "payout"):
            continue
        if failed[line.psp, line.kind, line.reference]:
            failed[line.psp, line.kind, line.reference] -= 1
            continue
        name = ordered.get(line.reference, "") if line.psp == "bank" else line.attempt_id
        charge = opened.get((line.psp, line.payment_reference), name)
        ours = facts.attempt.get(name)
        yield Effect(
            line.kind,
            charge if line.kind in _BY_CHARGE else name,
            ours.payment_id if ours else line.payment_id,
            line.psp,
            line.amount,
            line.currency,
            line.reference,
            charge,
        )


def _grouped(effects: Sequence[Effect]) -> Mapping[str, Sequence[Effect]]:
    found: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        found[effect.payment_id].append(effect)
    return found
