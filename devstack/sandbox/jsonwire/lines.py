"""A change as a line of the record, and back."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from devstack.sandbox.entry import Entry
from devstack.sandbox.jsonwire.messages import Answer, Change, Event, Thing


def entry_of(change: Change, psp: str, seq: int, at: float, key: str | None) -> Entry:
    """Make the part of the line that every PSP's lines have."""
    return Entry(
        seq=seq,
        at=at,
        psp=psp,
        kind=change.kind,
        reference=change.reference,
        payment_reference=change.payment_reference,
        amount=change.amount,
        currency=change.currency,
        metadata=change.metadata,
        idempotency_key=key,
    )


def detail_of(change: Change, scope: str | None, until: float) -> dict[str, Any]:
    """Make the part from which the face finds its state again.

    Args:
        change: what came about.
        scope: what the answer is kept under; None when it is kept under nothing.
        until: when it is forgotten, in Unix seconds.
    """
    detail: dict[str, Any] = {"things": [[type(it).__name__, _plain(it)] for it in change.things]}
    if change.events:
        detail["events"] = change.events
    if scope is not None and change.answer is not None and change.is_kept:
        detail["kept"] = {"scope": scope, "until": until, "answer": asdict(change.answer)}
    return detail


def things_of(detail: Mapping[str, Any], kinds: Mapping[str, type]) -> list[Thing]:
    """Read the objects of a line."""
    return [kinds[kind](**fields) for kind, fields in detail.get("things", ())]


def events_of(detail: Mapping[str, Any], psp: str, at: float) -> list[Event]:
    """Read the webhooks of a line."""
    return [Event(psp, event_type, body, at) for event_type, body in detail.get("events", ())]


def kept_of(detail: Mapping[str, Any]) -> tuple[str, Answer, float] | None:
    """Read what a line keeps: under what, which answer, until when."""
    kept = detail.get("kept")
    return (kept["scope"], Answer(**kept["answer"]), kept["until"]) if kept else None


def _plain(thing: object) -> dict[str, Any]:
    if not is_dataclass(thing) or isinstance(thing, type):
        raise TypeError("an object of a PSP is a dataclass")
    return asdict(thing)
