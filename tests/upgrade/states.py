"""States in flight as the tables keep them: a payment, its orders and sagas as rows, and what the
other services had done by then. Written and read by the store's own codec.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, LargeBinary, Numeric, Table
from sqlalchemy.dialects.postgresql import JSONB

from chassis.encryption import Keyring, LocalKeys
from chassis.settings import Environment
from payment_svc import rows
from payment_svc.sagas.journey import Progress, Queue
from payment_svc.tables import ORDERS, PAYMENTS, SAGAS
from tests.saga.world import Sagas, World

State = dict[str, Any]
RESTING = (Queue.DONE, Queue.DEAD_LETTER)
# As `rows.order_row` and `rows.order_change` lay them out.
_ORDER = [
    "order_id",
    "payment_id",
    "position",
    "client_id",
    "payment_order_id",
    "seller_account",
    "amount",
    "currency",
    "status",
    "created_at",
]
_ORDER_CHANGE = [
    "order_id",
    "status",
    "captured",
    "failure_reason",
    "failure_message",
    "failure_psp_code",
    "redirect_url_encrypted",
]


def keyring() -> Keyring:
    """Make the keyring of the recordings; its one data key is known to everybody."""
    keys = Keyring("payment_svc", LocalKeys.configured(Environment({}), is_production=False))
    keys.learn(1, bytes(32))
    return keys


_KEYRING = keyring()


def state_of(sagas: Sagas) -> State:
    """Write down where sagas stand, as JSON has it."""
    payment = sagas.payment
    return {
        "now": sagas.now.isoformat(),
        "payment": _kept(
            PAYMENTS, _columns(rows.PAYMENT_COLUMNS), rows.payment_row(payment, _KEYRING)
        ),
        "orders": [
            _kept(ORDERS, _ORDER, rows.order_row(payment, place, order))
            | _kept(ORDERS, _ORDER_CHANGE, rows.order_change(order, _KEYRING))
            for place, order in enumerate(payment.orders)
        ],
        "sagas": [_saga(walk.progress, sagas.now) for walk in sagas.walks.values()],
        "world": {name: _told(value) for name, value in vars(sagas.world).items()},
    }


def restored(state: State) -> Sagas:
    """Read a state again: the sagas stand where they stood, in the world as it was."""
    orders = [_row(ORDERS, order) for order in state["orders"]]
    payment = rows.to_payment(_row(PAYMENTS, state["payment"]), orders, _KEYRING)
    sagas = Sagas(payment, {row["saga_id"]: _progress(row) for row in state["sagas"]}, World())
    sagas.now = datetime.fromisoformat(state["now"])
    for name, value in state["world"].items():
        setattr(sagas.world, name, _heard(name, value))
    return sagas


def in_flight(state: State) -> list[State]:
    """List the sagas of a state that have something left to do, dead letters among them."""
    return [saga for saga in state["sagas"] if saga["queue"] != Queue.DONE]


def _saga(progress: Progress, now: datetime) -> State:
    owner = "payment-1" if progress.is_runnable and progress.epoch else None
    row = _kept(SAGAS, _columns(rows.SAGA_COLUMNS), rows.saga_row(progress, owner))
    due_at = (now if progress.epoch else progress.created_at) + progress.due_after
    return row | {"due_at": None if progress.queue in RESTING else due_at.isoformat()}


def _progress(kept: Mapping[str, Any]) -> Progress:
    """Read a saga; of one planned for a day, the world wants to know which day."""
    row = _row(SAGAS, kept)
    progress = rows.to_progress(row)
    due_at = row["due_at"]
    return replace(progress, due_after=due_at - progress.created_at) if due_at else progress


def _columns(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _kept(table: Table, names: Sequence[str], row: Sequence[object]) -> State:
    """Name the values of a row; what is null is left out."""
    values = zip(names, row, strict=True)
    return {name: _text(table, name, value) for name, value in values if value is not None}


def _text(table: Table, name: str, value: Any) -> object:
    match table.c[name].type:
        case DateTime():
            return value.isoformat()
        case LargeBinary():
            return value.hex(" ")
        case Numeric():
            return str(value)
        case JSONB():
            return json.loads(value)
        case _:
            return value


def _row(table: Table, kept: Mapping[str, Any]) -> State:
    """Give a recorded row to the codec, with all columns of today: new ones are null."""
    return dict.fromkeys(table.c.keys()) | {
        name: _value(table, name, value) for name, value in kept.items() if value is not None
    }


def _value(table: Table, name: str, value: Any) -> object:
    match table.c[name].type:
        case DateTime():
            return datetime.fromisoformat(value)
        case LargeBinary():
            return bytes.fromhex(value)
        case Numeric():
            return Decimal(value)
        case _:
            return value


def _told(value: Any) -> object:
    if isinstance(value, dict):
        return {name: str(what) for name, what in value.items()}
    return sorted(value)


def _heard(name: str, value: Any) -> object:
    if isinstance(value, list):
        return set(value)
    return value if name == "captured_of" else {key: Decimal(what) for key, what in value.items()}
