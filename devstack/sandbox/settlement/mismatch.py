"""Mismatches planted in a PSP's file on purpose, and the truth about each of them.

A PSP believes what it reports: totals, footers and the payout follow from the rows as they are
after it. So a mismatch is one against the record, and the file itself is whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random
from types import MappingProxyType

from chassis.ids import new_id
from devstack.sandbox.settlement.batch import Row, token
from devstack.sandbox.settlement.units import decimals_of, major

# Another currency with as many decimals, at every PSP that takes it.
_CURRENCIES = ("EUR", "USD", "JPY", "HUF", "KRW", "KWD", "BHD")
# Stripe takes some currencies in hundreds only.
_STEP = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be planted where.

    Args:
        number: 1, 2, 3, … in the order they came.
        seed: of the choice of rows.
        day: whose file.
        kind: one of KINDS.
        count: of rows; fewer where the file has not so many.
    """

    number: int
    seed: int
    psp: str
    day: date
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Planted:
    """One row that is not as it was.

    Args:
        was: the row by the record; None when the record has none.
        now: the row in the file; None when the file has none.
    """

    plan: Plan
    was: Row | None
    now: Row | None

    def to_json(self) -> dict[str, object]:
        """Tell it; amounts are decimal numbers in the major unit, signed as the shop sees them."""
        row = self.was or self.now
        if row is None:
            raise ValueError("a mismatch is of a row")
        return {
            "mismatch": f"mis_{self.plan.number}",
            "kind": self.plan.kind,
            "psp": self.plan.psp,
            "date": self.plan.day.isoformat(),
            "movement": row.movement.kind,
            "reference": row.movement.reference,
            "payment_reference": row.movement.payment_reference,
            "our_id": row.movement.our_id,
            "was": _told(self.was),
            "is": _told(self.now),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """A day after its plans.

    Args:
        rows: of its file.
        late: what comes with the next day's.
    """

    rows: Sequence[Row]
    late: Sequence[Row]
    planted: Sequence[Planted]


def apply(rows: Sequence[Row], plans: Iterable[Plan]) -> Outcome:
    """Carry plans out, each on rows that no other has touched; the same for the same rows."""
    places: list[Sequence[Row]] = [(row,) for row in rows]
    untouched = set(range(len(rows)))
    late: list[Row] = []
    planted: list[Planted] = []
    for plan in plans:
        draw = Random(f"{plan.seed}/{plan.kind}/{plan.psp}/{plan.day}")  # noqa: S311 - no secret
        fitting = [place for place in sorted(untouched) if _fits(plan.kind, rows[place])]
        for place in sorted(draw.sample(fitting, min(plan.count, len(fitting)))):
            untouched.remove(place)
            was = rows[place]
            places[place] = after = KINDS[plan.kind](was, draw)
            if plan.kind == "late_row":
                late.append(was)
            is_new = plan.kind in ("extra_row", "duplicate_row")
            now = after[-1] if after else None
            planted.append(Planted(plan, None if is_new else was, now))
    return Outcome([row for place in places for row in place], late, planted)


def _missing(_: Row, __: Random) -> Sequence[Row]:
    return ()


def _extra(row: Row, draw: Random) -> Sequence[Row]:
    """Add a sale that never was, with ids of the same shape."""
    name = str(draw.getrandbits(64))
    own = _alike(row.movement.reference, name)
    at = datetime.fromtimestamp(row.movement.at, UTC)
    ids = {"attempt_id": new_id("att", at, draw.randbytes)}
    movement = replace(
        row.movement,
        reference=own,
        sale_reference=own,
        payment_reference=_alike(row.movement.payment_reference, name, "payment"),
        metadata=ids,
        payment_metadata=ids,
    )
    return row, replace(row, id=token("extra", name), movement=movement)


def _other_amount(row: Row, draw: Random) -> Sequence[Row]:
    off = _STEP * draw.randint(1, 9)
    return (replace(row, gross=row.gross + (off if row.gross > 0 else -off)),)


def _other_fee(row: Row, draw: Random) -> Sequence[Row]:
    return (replace(row, fee=row.fee + _STEP * draw.randint(1, 9)),)


def _duplicate(row: Row, _: Random) -> Sequence[Row]:
    return row, row


def _wrong_currency(row: Row, _: Random) -> Sequence[Row]:
    return (replace(row, currency=_other_currency(row)),)


def _our_id_missing(row: Row, _: Random) -> Sequence[Row]:
    return (replace(row, has_our_ids=False),)


KINDS: Mapping[str, Callable[[Row, Random], Sequence[Row]]] = MappingProxyType(
    {
        "missing_row": _missing,
        "extra_row": _extra,
        "other_amount": _other_amount,
        "other_fee": _other_fee,
        "duplicate_row": _duplicate,
        "late_row": _missing,
        "wrong_currency": _wrong_currency,
        "our_id_missing": _our_id_missing,
    }
)


def _fits(kind: str, row: Row) -> bool:
    if kind == "extra_row":
        return row.is_sale
    if kind == "our_id_missing":
        return bool(row.movement.our_id or row.movement.payment_our_id)
    return kind != "wrong_currency" or bool(_other_currency(row))


def _other_currency(row: Row) -> str:
    """Find another currency with as many decimals; "" when there is none."""
    psp = row.movement.psp
    decimals = decimals_of(psp, row.currency)
    alike = (each for each in _CURRENCIES if decimals_of(psp, each) == decimals)
    return next((each for each in alike if each != row.currency), "")


def _alike(reference: str, *names: str) -> str:
    """Make an id of the length and with the prefix of another."""
    prefix, mark, rest = reference.rpartition("_")
    return f"{prefix}{mark}{token('alike', *names, length=min(len(rest), 32))}"


def _told(row: Row | None) -> dict[str, object] | None:
    if row is None:
        return None
    decimals = decimals_of(row.movement.psp, row.currency)
    return {
        "gross": major(row.gross, decimals),
        "fee": major(row.fee, decimals),
        "currency": row.currency,
        "has_our_id": row.has_our_ids,
    }
