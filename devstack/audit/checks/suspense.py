"""What PSPs have and no order is paid by: the charges that two persons left with them. The ledger
has each in suspense.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from devstack.audit.checks.taken import Effect
from devstack.audit.facts import Facts

BOOKED = ("late_charged/", "charge_kept/")
RELEASED = "suspense_released/"
_OF_CHARGE = re.compile(r"(?:late|charge):(att_[^:]+):(?:charged|kept)", re.ASCII)
_LEFT = frozenset({"GIVE_UP", "DONE_BY_HAND"})
_KEPT = "charges left with PSPs"
_ZERO = Decimal()


class Left(NamedTuple):
    """A charge that its PSP has still; `explained`: the booking that says what became of it."""

    payment_id: str
    psp: str
    amount: Decimal
    currency: str
    booked: str
    explained: str | None


def left_of(facts: Facts, payment_id: str) -> Sequence[Left]:
    """List what was left with PSPs of a payment: booked into suspense, by the word of two persons,
    and not given back by the PSP since.
    """
    kept: Mapping[str, Sequence[Left]] | None = facts.__dict__.get(_KEPT)
    if kept is None:  # each copy of the facts has its own
        found: dict[str, list[Left]] = defaultdict(list)
        for one in _all(facts):
            found[one.payment_id].append(one)
        kept = facts.__dict__[_KEPT] = found
    return kept.get(payment_id, ())


def sum_left(facts: Facts, payment_id: str) -> Decimal:
    """Sum what was left with PSPs of a payment."""
    return sum((one.amount for one in left_of(facts, payment_id)), _ZERO)


def paying(facts: Facts, payment_id: str, takes: Sequence[Effect]) -> list[Effect]:
    """List of what PSPs took that which was not left with them: it is to pay for orders."""
    left = Counter((one.psp, one.amount, one.currency) for one in left_of(facts, payment_id))
    found = []
    for take in takes:
        key = take.psp, take.amount, take.currency
        if left[key]:
            left[key] -= 1
        else:
            found.append(take)
    return found


def _all(facts: Facts) -> Iterator[Left]:
    given_up = {one.attempt_id for one in facts.resolutions if one.decision in _LEFT}
    by_reference = {one.reference: one.transaction_id for one in facts.transactions}
    reversed_ones = {one.reverses for one in facts.transactions if one.reverses}
    clearing = _clearing(facts)
    for one in facts.transaction.values():
        named = _OF_CHARGE.fullmatch(one.reference)
        is_booked = named is not None and (one.template or "").startswith(BOOKED)
        if named is None or not is_booked or one.reference in reversed_ones:
            continue
        attempt_id = named.group(1)
        explained = by_reference.get(f"suspense:{attempt_id}:released")
        is_back = explained in clearing  # the PSP's own account: it has given it back
        if f"{attempt_id}r1" in given_up and not is_back and one.transaction_id in clearing:
            psp, amount, currency = clearing[one.transaction_id]
            yield Left(one.subject_id, psp, amount, currency, one.transaction_id, explained)


def _clearing(facts: Facts) -> Mapping[str | None, tuple[str, Decimal, str]]:
    """Tell of each transaction what it books on a PSP's clearing account."""
    found: dict[str | None, tuple[str, Decimal, str]] = {}
    for entry in facts.entries:
        words = entry.account_id.split(":")
        if words[0] == "psp" and words[2:3] == ["clearing"]:
            found[entry.transaction_id] = words[1], entry.amount, words[3]
    return found
