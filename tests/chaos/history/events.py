"""What clients record: each invocation, when it began and ended, and what they were told."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
CREATE, CAPTURE, CANCEL, GET = "create", "capture", "cancel", "get"
WRITES = frozenset({CREATE, CAPTURE, CANCEL})


@dataclass(frozen=True, slots=True)
class Event:
    """One call of a client's, seen from outside.

    Attributes:
        operation: create, capture, cancel or get.
        invoked, returned: seconds of one clock; `returned` is when the client knew, or gave up.
        outcome: ok; refused: certainly without effect; unknown: nobody told.
        key: the Idempotency-Key; empty for a get.
        request: what was asked, in one canonical form.
        answer: the body as it came, of an ok write.
        http: HTTP's status; 0 when there was no answer.
        reason: of a refusal.
        status: of the payment, as told.
        orders: of the payment, as told: order id → status.
    """

    operation: str
    invoked: float
    returned: float
    outcome: str
    key: str = ""
    request: str = ""
    answer: str = ""
    http: int = 0
    reason: str = ""
    payment_id: str = ""
    status: str = ""
    orders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A payment as it is at the end.

    Attributes:
        orders: order id → status.
        changes: of the payment and its orders: (whose, from, to), the oldest first.
    """

    payment_id: str
    status: str
    orders: Mapping[str, str]
    changes: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry of the ledger: its account, its place there, and the payment it was made for."""

    account_id: str
    place: int
    payment_id: str


@dataclass(frozen=True, slots=True)
class History:
    """A whole run, with the final reads; without these nothing is proven.

    Attributes:
        stored: by the database itself.
        listed: by the list that the client is given, after that; None: it was not asked for.
    """

    events: Sequence[Event]
    stored: Sequence[Stored]
    posted: Sequence[Posted] = ()
    listed: Sequence[Stored] | None = None


def save(history: History, target: Path) -> None:
    """Write a history as JSON lines."""
    with target.open("w") as stream:
        for kind, items in _parts(history):
            for item in items:
                stream.write(json.dumps({"kind": kind, **asdict(item)}) + "\n")


def load(source: Path) -> History:
    """Read a history that was saved."""
    kinds = {"event": Event, "stored": Stored, "posted": Posted, "listed": Stored}
    found: dict[str, list[object]] = {kind: [] for kind in kinds}
    for line in source.read_text().splitlines():
        content = json.loads(line)
        kind = content.pop("kind")
        if kind in ("stored", "listed"):
            content["changes"] = tuple(tuple(change) for change in content["changes"])
        found[kind].append(kinds[kind](**content))
    listed = found["listed"] or None  # an empty list is told by what is stored
    return History(found["event"], found["stored"], found["posted"], listed)  # type: ignore[arg-type]


def _parts(history: History) -> Iterator[tuple[str, Iterable[Event | Stored | Posted]]]:
    yield "event", history.events
    yield "stored", history.stored
    yield "posted", history.posted
    yield "listed", history.listed or ()
