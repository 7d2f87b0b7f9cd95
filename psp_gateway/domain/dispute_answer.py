"""Our answers to a dispute: evidence or acceptance, asked for once and followed until known."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, Status

FILES_BYTES_MAX = 12 * 1024 * 1024


class Kind(StrEnum):
    """What is asked of the PSP."""

    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"


@dataclass(frozen=True, slots=True)
class File:
    """A document; its content is in no repr.

    Attributes:
        kind: what it is, as the contract spells it.
        psp_type: the PSP's own type; empty where it has none.
    """

    kind: str
    name: str
    content_type: str
    content: bytes
    psp_type: str = ""

    def __repr__(self) -> str:
        return f"File({self.kind}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Evidence:
    """What speaks for us; texts and documents, in no repr: they are about a buyer.

    Attributes:
        texts: by what they are, as the contract spells it.
        defence: the PSP's own name of the defence; empty where it has none.
    """

    texts: Mapping[str, str]
    files: tuple[File, ...] = ()
    defence: str = ""

    @property
    def size(self) -> int:
        """How many bytes the files have in all."""
        return sum(len(file.content) for file in self.files)

    def fingerprint(self) -> str:
        """Tell evidence apart without keeping it."""
        files = [
            (f.kind, f.name, f.content_type, f.psp_type, hashlib.sha256(f.content).hexdigest())
            for f in self.files
        ]
        written = json.dumps([dict(self.texts), files, self.defence], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DisputeRequest:
    """One answer of ours, as it stands; stored before anything is sent.

    Attributes:
        request_id: the caller's; the PSP's keys are made of it.
        fingerprint: of the content, which is not stored.
        submissions_before: how often evidence had been given before; None when the PSP does not
            say.
        round: counts the keys that were used up: a PSP that has erred repeats its error under the
            same key for as long as it keeps it.
    """

    request_id: str
    dispute_id: str
    kind: Kind
    fingerprint: str
    created_at: datetime
    updated_at: datetime
    submissions_before: int | None = None
    round: int = 1
    outcome: Outcome = Outcome.PENDING
    reason: str = ""
    psp_code: str = ""
    message: str = ""
    trace: str = ""

    @property
    def key(self) -> str:
        """What the PSP's idempotency keys are made of."""
        return f"{self.dispute_id}:{self.request_id}:{self.kind.lower()}:{self.round}"

    @property
    def may_have_happened(self) -> bool:
        """Whether something was, or is being, sent whose end is not known."""
        return self.outcome in (Outcome.PENDING, Outcome.UNKNOWN)

    def decided(self, verdict: Verdict, now: datetime) -> "DisputeRequest":
        """Take in what the PSP said."""
        return replace(
            self,
            outcome=verdict.outcome,
            reason=verdict.reason.value if verdict.reason else "",
            psp_code=verdict.psp_code,
            message=verdict.message,
            trace=verdict.trace,
            updated_at=now,
        )


def used_up(request: DisputeRequest) -> DisputeRequest:
    """Begin with another key: what was asked under this one has ended, and did nothing."""
    return replace(request, round=request.round + 1)


def seems_done(request: DisputeRequest, dispute: Dispute, submissions: int | None) -> bool:
    """Tell whether the dispute as the PSP now shows it can only be what the request made of it.

    Args:
        request: of unknown outcome.
        dispute: as it was just read.
        submissions: how often evidence was given by now, as the PSP tells; None when it does not.
    """
    if request.kind is Kind.ACCEPT:
        return dispute.status in (Status.LOST, Status.ACCEPTED)
    if submissions is None or request.submissions_before is None:
        return dispute.status is Status.UNDER_REVIEW
    return submissions > request.submissions_before
