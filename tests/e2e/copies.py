"""Copies of what is true of a stack, one thing changed."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from devstack.audit import Facts, Told

CENT = Decimal("0.01")
Plant = Callable[[Facts, Told], tuple[Facts, Told, str]]


def changed(rows: Any, place: int, **by: Any) -> list[Any]:
    """Copy rows, one of them changed."""
    return [one._replace(**by) if n == place else one for n, one in enumerate(rows)]


def without(rows: Any, place: int) -> list[Any]:
    """Copy rows but for one."""
    return [one for n, one in enumerate(rows) if n != place]


def place_of(rows: Any, which: Callable[[Any], bool]) -> int:
    """Find the first row that is wanted."""
    return next(place for place, one in enumerate(rows) if which(one))


def completed(facts: Facts) -> str:
    """Name a payment that completed by one charge."""
    charges = {a.payment_id for a in facts.attempts if a.kind == "CHARGE" and a.psp == "stripe"}
    return next(
        p.payment_id
        for p in facts.at_rest.values()
        if p.status == "COMPLETED" and p.payment_id in charges
    )


def with_status(facts: Facts, payment_id: str, status: str) -> Facts:
    """Copy the facts, a payment in another status."""
    payments = dict(facts.payments)
    payments[payment_id] = payments[payment_id]._replace(status=status)
    return replace(facts, payments=payments)


def charge_of(facts: Facts, payment_id: str) -> int:
    """Find the line of the record that charged a payment."""
    return place_of(facts.record, lambda one: one.payment_id == payment_id and one.kind == "charge")
