"""A change as a line of the record, and back."""

from collections.abc import Mapping
from typing import Any

from devstack.sandbox.entry import Entry
from devstack.sandbox.stripe.changes import Answer, Change
from devstack.sandbox.stripe.keys import KeyCache
from devstack.sandbox.stripe.objects import (
    Charge,
    Dispute,
    Intent,
    Refund,
    Session,
    StoredFile,
    Transfer,
    dump,
    load,
)
from devstack.sandbox.stripe.shelf import Shelf

_NAMES = {
    Intent: "intent",
    Refund: "refund",
    Session: "session",
    Dispute: "dispute",
    StoredFile: "file",
    Transfer: "transfer",
}


def entry_of(change: Change, seq: int, at: float, key: str | None) -> Entry:
    """Make the part of the line that every PSP's lines have."""
    return Entry(
        seq=seq,
        at=at,
        psp="stripe",
        kind=change.kind,
        reference=change.reference,
        payment_reference=change.payment_reference,
        amount=change.amount,
        currency=change.currency,
        metadata=change.metadata,
        idempotency_key=key,
    )


def detail_of(change: Change, fingerprint: str | None) -> dict[str, Any]:
    """Make the part from which the face finds its state again."""
    parts = (
        ("intent", change.intent),
        ("charge", change.charge),
        ("refund", change.refund),
        ("session", change.session),
        ("dispute", change.dispute),
        ("file", change.file),
        ("transfer", change.transfer),
    )
    detail: dict[str, Any] = {name: dump(thing) for name, thing in parts if thing is not None}
    if fingerprint is not None:
        answer = change.answer
        subject = _NAMES.get(type(answer.subject))
        detail["answer"] = {"status": answer.status, "subject": subject, "error": answer.error}
        if answer.charge is not None:
            detail["answer"]["charge"] = dump(answer.charge)
        detail["fingerprint"] = fingerprint
    return detail


def restore(entry: Entry, detail: Mapping[str, Any], shelf: Shelf, keys: KeyCache) -> None:
    """Take up one line."""
    intent = load(Intent, detail["intent"]) if "intent" in detail else None
    charge = load(Charge, detail["charge"]) if "charge" in detail else None
    refund = load(Refund, detail["refund"]) if "refund" in detail else None
    session = load(Session, detail["session"]) if "session" in detail else None
    dispute = load(Dispute, detail["dispute"]) if "dispute" in detail else None
    file = load(StoredFile, detail["file"]) if "file" in detail else None
    shelf.put(intent, charge, refund, session)
    transfer = load(Transfer, detail["transfer"]) if "transfer" in detail else None
    shelf.put_aside(dispute, file, transfer)
    kept = detail.get("answer")
    if entry.idempotency_key is not None and kept is not None:
        things = {
            "intent": intent,
            "refund": refund,
            "session": session,
            "dispute": dispute,
            "file": file,
            "transfer": transfer,
        }
        subject = things.get(kept["subject"])
        expanded = load(Charge, kept["charge"]) if "charge" in kept else None
        answer = Answer(kept["status"], subject, kept["error"], expanded)
        keys.restore(entry.idempotency_key, detail["fingerprint"], entry.at, answer)
