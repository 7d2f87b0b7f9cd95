"""SubmitEvidence and AcceptDispute: stored, sent once under its keys, and followed until known."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from psp_gateway.dispute_ports import AnswerDisputes, Heard
from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Backwards, Dispute, News, Source, Standing, Status
from psp_gateway.domain.dispute_answer import (
    FILES_BYTES_MAX,
    DisputeRequest,
    Evidence,
    Kind,
    seems_done,
    used_up,
)
from psp_gateway.domain.errors import (
    DisputeNotFound,
    DisputeNotOpen,
    DisputeRequestReused,
    EvidenceRefused,
    EvidenceTooLate,
)
from psp_gateway.domain.reasons import Reason
from psp_gateway.use_cases.follow_disputes import Following, ask

_TRIES_MAX = 5
Answered = tuple[DisputeRequest, Dispute]
Check = Callable[[Dispute], None]


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent now. `is_again`: it may have been before, under the same key."""

    dispute: Dispute
    key: str
    is_again: bool


Send = Callable[[Sending], Awaitable[Heard]]


@dataclass(frozen=True, slots=True)
class Answering:
    """What answering takes.

    Attributes:
        answerers: by PSP.
    """

    following: Following
    answerers: Mapping[str, AnswerDisputes]


async def submit_evidence(
    answering: Answering, dispute_id: str, request_id: str, evidence: Evidence
) -> Answered:
    """Hand evidence in, once per request id; answer what came of it, and the dispute.

    Raises:
        Refusal: it was not taken up, and nothing was sent.
        DisputeNotFound: there is none.
        Unavailable: the store did not answer.
    """
    dispute = await _found(answering, dispute_id)
    answerer = _answerer(answering, dispute)
    asked = _request(answering, dispute, request_id, Kind.SUBMIT, evidence.fingerprint())

    def check(dispute: Dispute) -> None:
        _check_open(dispute)
        _check_in_time(answering.following, dispute)
        _check_evidence(answerer, dispute, evidence)

    async def send(now: Sending) -> Heard:
        return await answerer.submit_evidence(
            now.dispute, evidence, key=now.key, is_again=now.is_again
        )

    return await _answer(answering, dispute, asked, check, send)


async def accept_dispute(answering: Answering, dispute_id: str, request_id: str) -> Answered:
    """Give a dispute up, once per request id; answer and raise as `submit_evidence`."""
    dispute = await _found(answering, dispute_id)
    answerer = _answerer(answering, dispute)
    asked = _request(answering, dispute, request_id, Kind.ACCEPT, "")

    async def send(now: Sending) -> Heard:
        return await answerer.accept_dispute(now.dispute, key=now.key)

    return await _answer(answering, dispute, asked, _check_open, send)


async def _answer(
    answering: Answering, dispute: Dispute, asked: DisputeRequest, check: Check, send: Send
) -> Answered:
    """Look first, so that nothing is sent to a dispute that is over, or sent twice."""
    following = answering.following
    stored = await following.book.request(asked.request_id)
    if stored is not None:
        _check_same(stored, asked)
        if stored.outcome.is_final:
            return stored, dispute
    may_be_done = stored is not None and stored.may_have_happened
    dispute, submissions, is_silent = await _looked(following, dispute)
    if not may_be_done and not is_silent:
        check(dispute)
    if stored is None:
        stored = await following.book.take_up(replace(asked, submissions_before=submissions))
    if is_silent:
        outcome = Outcome.UNKNOWN if may_be_done else Outcome.TRANSIENT
        verdict = Verdict(outcome, reason=Reason.NO_USABLE_ANSWER)
    elif may_be_done and seems_done(stored, dispute, submissions):
        verdict = Verdict(Outcome.SUCCEEDED)
    else:
        dispute, verdict = await _sent(
            following, stored, Sending(dispute, stored.key, may_be_done), send
        )
        if verdict.is_replay and not verdict.outcome.is_final:
            dispute, stored, verdict = await _freed(following, dispute, stored, verdict)
        if may_be_done and verdict.about_request:
            dispute, verdict = await _after_doubt(following, dispute, stored, verdict)
    if verdict.outcome is Outcome.SUCCEEDED:
        # The dispute first: were only the request kept, nobody would mend the dispute.
        dispute = await _marked(following, dispute, asked.kind)
    decided = stored.decided(verdict, following.clock())
    return await following.book.decide(decided), dispute


async def _sent(
    following: Following, request: DisputeRequest, now: Sending, send: Send
) -> tuple[Dispute, Verdict]:
    guard, operation = following.guards[now.dispute.psp], f"dispute_{request.kind.lower()}"
    heard = await guard.ask(operation, lambda: send(now))
    return await _taken_in(following, now.dispute, request, heard)


async def _freed(
    following: Following, dispute: Dispute, request: DisputeRequest, verdict: Verdict
) -> tuple[Dispute, DisputeRequest, Verdict]:
    """Look what came of a request whose error the PSP repeats: it has ended, so that what the
    dispute does not show has not happened, and may be asked under another key.
    """
    dispute, submissions, is_silent = await _looked(following, dispute)
    if is_silent or dispute.psp not in following.readers:
        return dispute, request, verdict
    if seems_done(request, dispute, submissions):
        return dispute, request, Verdict(Outcome.SUCCEEDED)
    nothing = replace(verdict, outcome=Outcome.TRANSIENT, about_request=False)
    return dispute, used_up(request), nothing


async def _after_doubt(
    following: Following, dispute: Dispute, request: DisputeRequest, verdict: Verdict
) -> tuple[Dispute, Verdict]:
    """Look what came of an earlier request when this one came to nothing, maybe because of it."""
    if dispute.psp in following.readers:
        dispute, submissions, is_silent = await _looked(following, dispute)
        if not is_silent and seems_done(request, dispute, submissions):
            return dispute, Verdict(Outcome.SUCCEEDED)
        if not is_silent and verdict.outcome is Outcome.DECLINED:
            return dispute, verdict
    return dispute, replace(verdict, outcome=Outcome.UNKNOWN)


async def _looked(following: Following, dispute: Dispute) -> tuple[Dispute, int | None, bool]:
    """Read the dispute anew where the PSP can be asked; the last tells whether it was silent."""
    if dispute.psp not in following.readers:
        return dispute, None, False
    standing = await ask(following, dispute.psp, dispute.psp_reference)
    if isinstance(standing, str):
        return dispute, None, True
    news = News(following.clock(), Source.READ, "LOOKED", psp_code=standing.psp_code)
    return await _stored(following, dispute, standing, news), standing.submissions, False


async def _taken_in(
    following: Following, dispute: Dispute, asked: DisputeRequest, heard: Heard
) -> tuple[Dispute, Verdict]:
    match heard:
        case Standing():
            now = following.clock()
            news = News(now, Source.ASKED, asked.kind.value, psp_code=heard.psp_code)
            dispute = await _stored(following, dispute, heard, news)
            return dispute, Verdict(Outcome.SUCCEEDED, trace=heard.trace)
        case Absent():
            reason = Reason.PSP_REQUEST_INVALID
            return dispute, Verdict(Outcome.DECLINED, reason=reason, trace=heard.trace)
        case Verdict():
            return dispute, heard


async def _marked(following: Following, dispute: Dispute, kind: Kind) -> Dispute:
    """Store that the PSP has taken our answer, where it does not show that by itself."""
    teller = following.tellers.get(dispute.psp)
    for _ in range(_TRIES_MAX):
        news = News(following.clock(), Source.ASKED, kind.value)
        if teller is not None:
            is_known = dispute.knows(Source.ASKED, kind.value, dispute.stage)
            after = dispute
            if not is_known:
                after = dispute.joined(teller.answered(dispute, kind.value), news)
        elif kind is Kind.ACCEPT:
            after = _given_up(dispute, news)
        else:
            return dispute
        if after == dispute:
            return dispute
        if await following.book.save(after):
            return replace(after, version=after.version + 1)
        dispute = await following.book.find(dispute.dispute_id) or dispute
    return dispute


def _given_up(dispute: Dispute, news: News) -> Dispute:
    """Tell what was given up from what was lost, which is the same to some PSPs."""
    standing = replace(_as_it_stands(dispute), status=Status.ACCEPTED)
    try:
        return dispute.taken(standing, news)
    except Backwards:
        return dispute


async def _stored(
    following: Following, dispute: Dispute, standing: Standing, news: News
) -> Dispute:
    """Store how the PSP now shows a dispute; who wrote it meanwhile may have read it later."""
    try:
        after = dispute.taken(standing, news)
    except Backwards:
        return dispute  # the next event about it brings a person
    if after == dispute:
        return dispute
    if await following.book.save(after):
        return replace(after, version=after.version + 1)
    return await following.book.find(dispute.dispute_id) or dispute


def _as_it_stands(dispute: Dispute) -> Standing:
    return Standing(
        reference=dispute.psp_reference,
        amount=dispute.amount,
        stage=dispute.stage,
        status=dispute.status,
        is_money_withdrawn=dispute.is_money_withdrawn,
        reason=dispute.reason,
        psp_code=dispute.psp_code,
        evidence_due_at=dispute.evidence_due_at,
    )


async def _found(answering: Answering, dispute_id: str) -> Dispute:
    dispute = await answering.following.book.find(dispute_id)
    if dispute is None:
        raise DisputeNotFound(dispute_id)
    return dispute


def _answerer(answering: Answering, dispute: Dispute) -> AnswerDisputes:
    answerer = answering.answerers.get(dispute.psp)
    if answerer is None:
        raise EvidenceRefused(dispute.dispute_id, "psp", f"{dispute.psp} is not configured")
    return answerer


def _request(
    answering: Answering, dispute: Dispute, request_id: str, kind: Kind, fingerprint: str
) -> DisputeRequest:
    now = answering.following.clock()
    return DisputeRequest(request_id, dispute.dispute_id, kind, fingerprint, now, now)


def _check_same(stored: DisputeRequest, asked: DisputeRequest) -> None:
    content = [(r.dispute_id, r.kind, r.fingerprint) for r in (stored, asked)]
    if content[0] != content[1]:
        raise DisputeRequestReused(asked.request_id)


def _check_open(dispute: Dispute) -> None:
    if not dispute.needs_response:
        raise DisputeNotOpen(dispute.dispute_id, dispute.status.value)


def _check_in_time(following: Following, dispute: Dispute) -> None:
    """Refuse by a deadline that was asked for; one that came unsigned decides nothing."""
    due_at = dispute.evidence_due_at
    if dispute.psp in following.readers and due_at and due_at <= following.clock():
        raise EvidenceTooLate(dispute.dispute_id, due_at)


def _check_evidence(answerer: AnswerDisputes, dispute: Dispute, evidence: Evidence) -> None:
    refused = dispute.dispute_id
    if not evidence.texts and not evidence.files:
        raise EvidenceRefused(refused, "texts", "there is no evidence")
    if evidence.size > FILES_BYTES_MAX:
        raise EvidenceRefused(refused, "files", "together they are larger than 12 MiB")
    found = answerer.refusal(dispute, evidence)
    if found is not None:
        raise EvidenceRefused(refused, *found)
