"""One line of the record: what happened to money, in the same shape for every PSP."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Kinds of lines that say something about money. The rest (an object created, a result kept under a
# key, the clock moved) only lets the sandbox find its state again.
MONEY_KINDS = frozenset(
    {
        *("charge", "authorization", "capture", "capture_failed", "void", "decline"),
        *("refund", "refund_failed", "payout", "payout_failed"),
        *("deposit", "dispute_withdrawn", "dispute_reinstated"),
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact the sandbox will not take back.

    Args:
        seq: 1 for the first line of the file, without gaps.
        at: the sandbox's time, in Unix seconds.
        psp: whose face it happened at; "sandbox" for the clock.
        kind: one of MONEY_KINDS, or a bookkeeping kind.
        reference: the PSP's id of what moved: a charge's, a refund's, or the payment's.
        payment_reference: the PSP's id of the payment it belongs to.
        amount: minor units as the PSP counts them, never below zero.
        currency: as on the PSP's wire.
        metadata: the caller's own, verbatim.
        idempotency_key: the key of the call, when it had one.
    """

    seq: int
    at: float
    psp: str
    kind: str
    reference: str
    payment_reference: str
    amount: int
    currency: str
    metadata: Mapping[str, str]
    idempotency_key: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Make the JSON object of the line, without the PSP's own detail."""
        return {
            "seq": self.seq,
            "at": _rfc3339(self.at),
            "psp": self.psp,
            "kind": self.kind,
            "reference": self.reference,
            "payment_reference": self.payment_reference,
            "amount": self.amount,
            "currency": self.currency,
            "metadata": self.metadata,
            "idempotency_key": self.idempotency_key,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Entry":
        """Read a line back.

        Raises:
            KeyError, ValueError: it is no line of a record.
        """
        return cls(
            seq=line["seq"],
            at=datetime.fromisoformat(line["at"]).timestamp(),
            psp=line["psp"],
            kind=line["kind"],
            reference=line["reference"],
            payment_reference=line["payment_reference"],
            amount=line["amount"],
            currency=line["currency"],
            metadata=line["metadata"],
            idempotency_key=line["idempotency_key"],
        )


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
