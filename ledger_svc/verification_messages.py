"""Seals, checkpoints and what verification says: domain to wire."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import report_pb2 as report

from bookkeeping.fields import stamp
from chassis.errors import InvalidRequest
from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.domain.seal import Seal, SealedHead
from ledger_svc.domain.verification import Offence, OffenceKind
from ledger_svc.use_cases.verify_ledger import Summary
from ledger_svc.use_cases.walk_books import Progress

OFFENCES = {kind: report.Offence.Kind.Value(kind.value) for kind in OffenceKind}


def to_known_seals(asked: Sequence[service.KnownSeal]) -> dict[int, bytes]:
    """Read the hashes of seals that are kept elsewhere, by number.

    Raises:
        InvalidRequest: two of one number differ, so that not both can be held against the books.
    """
    known: dict[int, bytes] = {}
    for index, seal in enumerate(asked):
        if known.setdefault(seal.number, seal.hash) != seal.hash:
            path = f"known_seals[{index}].hash"
            raise InvalidRequest.field(path, f"differs from another one of seal {seal.number}")
    return known


def to_verification(told: Progress | Offence | Summary) -> service.VerifyLedgerResponse:
    """Write what verification has to say."""
    match told:
        case Progress():
            return service.VerifyLedgerResponse(progress=_progress(told))
        case Offence():
            return service.VerifyLedgerResponse(offence=_offence(told))
        case Summary():
            summary = report.VerificationSummary(sound=not told.offence_count, **asdict(told))
            return service.VerifyLedgerResponse(summary=summary)


def to_closing(told: Progress | Offence | Checkpoint) -> service.CloseMonthResponse:
    """Write what closing a month has to say."""
    match told:
        case Progress():
            return service.CloseMonthResponse(progress=_progress(told))
        case Offence():
            return service.CloseMonthResponse(offence=_offence(told))
        case Checkpoint():
            return service.CloseMonthResponse(checkpoint=to_checkpoint(told))


def to_seal(seal: Seal) -> report.Seal:
    """Write a seal."""
    return report.Seal(
        number=seal.number,
        sealed_at=stamp(seal.sealed_at),
        heads=_heads(seal.heads),
        hash=seal.hash,
    )


def to_checkpoint(one: Checkpoint) -> report.Checkpoint:
    """Write a checkpoint."""
    return report.Checkpoint(
        number=one.number,
        until=stamp(one.until),
        made_at=stamp(one.made_at),
        heads=_heads(one.heads),
        transaction_count=one.transaction_count,
        entry_count=one.entry_count,
        effective_until=stamp(one.effective_until),
        balances_hash=one.balances_hash,
        hash=one.hash,
    )


def _progress(told: Progress) -> service.VerifyLedgerResponse.Progress:
    return service.VerifyLedgerResponse.Progress(done=told.done, total=told.total)


def _offence(told: Offence) -> report.Offence:
    return report.Offence(kind=OFFENCES[told.kind], subject=told.subject, message=told.message)


def _heads(heads: Iterable[SealedHead]) -> list[report.StreamHead]:
    return [
        report.StreamHead(stream=head.stream, number=head.number, hash=head.hash) for head in heads
    ]
