"""What only whoever drove the stack knows: what clients were answered, what receivers were told,
which secrets must be nowhere, and where the logs are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a client was answered.

    Attributes:
        sent_at, answered_at: on one monotonic clock, in seconds.
        verb: "create", "get", "capture", "cancel", …
        key: the Idempotency-Key; empty for reads.
        http_status: 200, 409, …; 0 when no answer came.
        payment_id, status: as answered; empty when there were none.
        body: the answer's, when it is to be compared with other answers to the same key.
        client_id: whose key it was.
    """

    sent_at: float
    answered_at: float
    verb: str
    key: str
    http_status: int
    payment_id: str = ""
    status: str = ""
    body: Mapping[str, Any] | None = None
    client_id: str = "demo"


class Notice(NamedTuple):
    """A webhook that a client's receiver got and answered 2xx."""

    object_id: str
    sequence: int
    type: str
    status: str


class Refusal(NamedTuple):
    """A request that was refused, with a digest of all tables before it and after it."""

    what: str
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What is told to the checkers; None: nobody kept it, and what needs it is not checked.

    Attributes:
        answers: every answer to every client, in any order.
        notices: what the receivers of webhooks got; `notified_clients` are whose they are, and
            `notified_since` since when they listened.
        canaries: secrets by name, that must be in no log and no table.
        folders: where files are searched for canaries.
        dumps: databases to be searched for canaries: their URLs by name.
        refusals: requests that had to change nothing.
    """

    answers: Sequence[Answer] | None = None
    notices: Sequence[Notice] | None = None
    notified_clients: frozenset[str] = frozenset({"demo"})
    notified_since: datetime | None = None
    canaries: Mapping[str, str] | None = None
    folders: Sequence[Path] = ()
    dumps: Mapping[str, str] | None = None
    refusals: Sequence[Refusal] | None = None
