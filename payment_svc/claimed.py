"""What becomes of sagas that were claimed. Whose payment cannot be read from its row as it is, is
laid before a person at once, unless a data key is missing, which may be on its way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.encryption import DataKeyMissing, Undecipherable
from payment_svc import rows
from payment_svc.domain.payment import Payment
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Entry, Journey, Progress
from payment_svc.sagas.quarantine import KEY_CLAIMS_MAX, set_aside


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of those whose payments cannot be read.

    Attributes:
        dead: the new dead letters, each with the line of its journal.
        resting: those that are claimed again after a rest, each with the class of the error.
    """

    dead: Sequence[tuple[Progress, Entry]]
    resting: Sequence[tuple[Progress, str]]


def judge(
    claimed: Sequence[rows.Row],
    problems: Mapping[str, Exception],
    now: datetime,
) -> Judged:
    """Judge claimed sagas by what is wrong with their payments; others are passed over.

    Args:
        claimed: rows of sagas, with `unmoved`.
        problems: by payment.
        now: when.
    """
    dead, resting = [], []
    for row in claimed:
        problem = problems.get(row["payment_id"])
        if problem is None:
            continue
        progress = rows.to_progress(row)
        if isinstance(problem, DataKeyMissing) and row["unmoved"] <= KEY_CLAIMS_MAX:
            resting.append((progress, type(problem).__name__))
        else:
            dead.append(set_aside(progress, why(problem), now))
    return Judged(dead, resting)


def why(problem: Exception) -> str:
    """Tell why a payment cannot be read, and nothing of what stands there."""
    if isinstance(problem, Undecipherable):
        return f"{problem.reason}: {problem.message.partition(':')[0]}"
    return f"UNREADABLE: {type(problem).__name__}"


def take_up(
    claimed: Sequence[Progress], payments: Mapping[str, Payment]
) -> tuple[list[Journey], list[Payment], list[tuple[Progress, str]]]:
    """Start what is new, one saga of a payment after the other; tell also the payments by then, and
    the sagas that could not be started, with the class of the error.
    """
    by_id = dict(payments)
    journeys, failed = [], []
    for progress in claimed:
        found = Journey(progress, by_id[progress.payment_id])
        try:
            journey = engine.take_up(SAGAS[progress.kind], found)
        except Exception as error:  # noqa: BLE001 - one saga must not keep the others from work
            failed.append((progress, type(error).__name__))
            continue
        by_id[progress.payment_id] = journey.payment
        journeys.append(journey)
    return journeys, list(by_id.values()), failed
