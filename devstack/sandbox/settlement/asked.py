"""What `/control/settlement` is sent, checked field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from chassis.money import InvalidAmount, Money, UnknownCurrency
from devstack.sandbox.control_input import BadControl, read_object
from devstack.sandbox.settlement.mismatch import KINDS, Plan
from devstack.sandbox.settlement.schedule import PSPS
from devstack.sandbox.settlement.units import decimals_of

# The record's kinds, as a bank account sees them.
TRANSFERS = {"in": "deposit", "out": "payout", "returned": "payout_failed"}
_TEXTS: Mapping[str, int] = {"end_to_end_id": 35, "counterparty": 140, "remittance": 140}
_COUNT_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer from or to somebody else's bank account.

    Args:
        kind: of its line in the record.
        amount: in the currency's minor unit, above zero.
        end_to_end_id: at most 35 characters, not empty.
        texts: `counterparty` and `remittance`, where given.
    """

    kind: str
    amount: int
    currency: str
    end_to_end_id: str
    texts: Mapping[str, str]


def read_plan(body: bytes, number: int) -> Plan:
    """Read a mismatch that is to be planted: `seed`, `psp`, `date`, `kind`, `count`.

    Raises:
        BadControl: a field is unknown, missing, or no such thing.
    """
    given = read_object(body, {"seed", "psp", "date", "kind", "count"})
    return Plan(
        number=number,
        seed=_whole(given, "seed", 0, 2**63 - 1),
        psp=_one_of(given, "psp", PSPS),
        day=read_date(given.get("date")),
        kind=_one_of(given, "kind", tuple(KINDS)),
        count=_whole(given, "count", 1, _COUNT_MAX),
    )


def read_transfer(body: bytes) -> Transfer:
    """Read a transfer: `direction`, `amount`, `currency`, `end_to_end_id`, and perhaps
    `counterparty` and `remittance`.

    Raises:
        BadControl: a field is unknown, missing, or no such thing.
    """
    given = read_object(body, {"direction", "amount", "currency", *_TEXTS})
    texts = {name: _text(given, name, most) for name, most in _TEXTS.items() if name in given}
    end_to_end_id = texts.pop("end_to_end_id", "")
    if not end_to_end_id:
        raise BadControl("end_to_end_id is missing")
    money = _money(given)
    minor = money.amount.scaleb(decimals_of("bank", money.currency))
    kind = TRANSFERS[_one_of(given, "direction", tuple(TRANSFERS))]
    return Transfer(kind, int(minor), money.currency, end_to_end_id, texts)


def read_date(value: object) -> date:
    """Read a day such as 2026-01-31.

    Raises:
        BadControl: it is none.
    """
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise BadControl("date must be a day such as 2026-01-31")


def _money(given: Mapping[str, Any]) -> Money:
    amount, currency = given.get("amount"), given.get("currency")
    if isinstance(amount, str) and isinstance(currency, str):
        try:
            money = Money(Decimal(amount), currency)
        except (InvalidAmount, UnknownCurrency, InvalidOperation):
            pass
        else:
            if money.amount > 0:
                return money
    raise BadControl('amount and currency must be such as "12.50" and "EUR"')


def _text(given: Mapping[str, Any], name: str, most: int) -> str:
    value = given[name]
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise BadControl(f"{name} must be a text of at most {most} characters")
    return value


def _one_of(given: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = given.get(name)
    if not isinstance(value, str) or value not in known:
        raise BadControl(f"{name} must be one of {', '.join(known)}")
    return value


def _whole(given: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = given.get(name, 1)
    if type(value) is not int or not least <= value <= most:
        raise BadControl(f"{name} must be a whole number from {least} to {most}")
    return value
