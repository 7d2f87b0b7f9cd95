"""Every way in which the gateway says no before any PSP is asked; an answer to one item."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from chassis.errors import FailedPrecondition, NotFound
from chassis.money import Money


class Refusal(FailedPrecondition):
    """Why an item was not taken up. It changed nothing."""


class AttemptReused(Refusal):
    """The attempt id was used with other content."""

    reason = "ATTEMPT_REUSED"

    def __init__(self, attempt_id: str, differs: Sequence[str]) -> None:
        named = ",".join(differs)
        super().__init__(
            f"Attempt {attempt_id} was made with another {named}.",
            attemptId=attempt_id,
            differs=named,
        )


class NoRoute(Refusal):
    """No PSP takes it."""

    reason = "NO_ROUTE"

    def __init__(
        self, currency: str, rule: str = "", hindered: Mapping[str, str] | None = None
    ) -> None:
        told = "; ".join(f"{psp}: {why}" for psp, why in (hindered or {}).items())
        super().__init__(
            f"No PSP takes it in {currency}" + (f" ({told})." if told else "."),
            currency=currency,
            rule=rule,
            **(hindered or {}),
        )


class InvalidAmount(Refusal):
    """The amount is no decimal above zero, or cannot be expressed at the PSP."""

    reason = "INVALID_AMOUNT"

    def __init__(self, why: str) -> None:
        super().__init__(f"amount: {why}.", field="amount")


def inexpressible(psp: str, amount: Money) -> InvalidAmount:
    """Say that an amount does not exist in a PSP's units."""
    return InvalidAmount(f"{psp} cannot express {amount} {amount.currency}")


class PayoutUnderWay(Refusal):
    """Another attempt at the payout has not failed or come back."""

    reason = "PAYOUT_UNDER_WAY"

    def __init__(self, payout_id: str, attempt_id: str) -> None:
        super().__init__(
            f"{payout_id} is being paid, or is, by {attempt_id}.", attemptId=attempt_id
        )


class InvalidDestination(Refusal):
    """Nothing can be paid to such a destination. It repeats no value."""

    reason = "INVALID_DESTINATION"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}.", field=field)


class ChargeNotFound(Refusal):
    """No charge attempt with this id has succeeded."""

    reason = "CHARGE_NOT_FOUND"

    def __init__(self, charge_attempt_id: str) -> None:
        super().__init__(
            f"No charge {charge_attempt_id} has succeeded.", chargeAttemptId=charge_attempt_id
        )


class RefundExceedsCharge(Refusal):
    """More would be given back than was charged."""

    reason = "REFUND_EXCEEDS_CHARGE"

    def __init__(self, *, charged: Money, refunded: Money) -> None:
        super().__init__(
            f"Of {charged} charged, {refunded} has been given back or is being.",
            charged=charged,
            refunded=refunded,
        )


class AlreadyCaptured(Refusal):
    """What is held is captured, or being captured, by another attempt."""

    reason = "ALREADY_CAPTURED"

    def __init__(self, attempt_id: str) -> None:
        super().__init__(f"It is captured by {attempt_id}, or being.", attemptId=attempt_id)


class AlreadyVoided(Refusal):
    """What is held is let go, or being let go, by another attempt."""

    reason = "ALREADY_VOIDED"

    def __init__(self, attempt_id: str) -> None:
        super().__init__(f"It is let go by {attempt_id}, or being.", attemptId=attempt_id)


class CapturedOnce(Refusal):
    """The PSP that holds the money takes of it once; a capture that is to be followed by others
    cannot be.
    """

    reason = "CAPTURED_ONCE"

    def __init__(self, psp: str) -> None:
        super().__init__(f"is_final: {psp} captures what it holds once.", psp=psp, field="is_final")


class CaptureUndecided(Refusal):
    """The rest cannot be let go of while it is not known what an earlier capture took."""

    reason = "CAPTURE_UNDECIDED"

    def __init__(self, attempt_id: str) -> None:
        super().__init__(
            f"What came of capture {attempt_id} is not known yet; ask again once it is.",
            attemptId=attempt_id,
        )


class ExceedsAuthorization(Refusal):
    """More would be captured than is held still, or another amount let go."""

    reason = "EXCEEDS_AUTHORIZATION"

    def __init__(self, held: Money) -> None:
        super().__init__(f"{held} {held.currency} is held.", held=held)


class AttemptNotFound(NotFound):
    """No attempt has this id."""

    reason = "ATTEMPT_NOT_FOUND"

    def __init__(self, attempt_id: str) -> None:
        super().__init__(f"There is no attempt {attempt_id}.", attemptId=attempt_id)


class NoSuchAttempt(Refusal):
    """No attempt has this id; said of one item of a batch."""

    reason = "ATTEMPT_NOT_FOUND"

    def __init__(self, attempt_id: str) -> None:
        super().__init__(f"There is no attempt {attempt_id}.", attemptId=attempt_id)


class AttemptNotUnknown(Refusal):
    """Only what is unknown can be resolved by hand."""

    reason = "ATTEMPT_NOT_UNKNOWN"

    def __init__(self, attempt_id: str, outcome: str) -> None:
        super().__init__(
            f"Attempt {attempt_id} is {outcome}: the PSP's own word is still to come.",
            attemptId=attempt_id,
            outcome=outcome,
        )


class ResolutionContradicted(Refusal):
    """What is said of an attempt cannot be so, by what is known of it."""

    reason = "RESOLUTION_CONTRADICTED"

    def __init__(self, attempt_id: str, why: str) -> None:
        super().__init__(f"{attempt_id}: {why}.", attemptId=attempt_id)


class DisputeNotFound(NotFound):
    """No dispute has this id."""

    reason = "DISPUTE_NOT_FOUND"

    def __init__(self, dispute_id: str) -> None:
        super().__init__(f"There is no dispute {dispute_id}.", disputeId=dispute_id)


class DisputeNotOpen(Refusal):
    """The dispute waits for no answer of ours."""

    reason = "DISPUTE_NOT_OPEN"

    def __init__(self, dispute_id: str, status: str) -> None:
        super().__init__(
            f"Dispute {dispute_id} is {status}: it waits for no answer of ours.",
            disputeId=dispute_id,
            status=status,
        )


class EvidenceTooLate(Refusal):
    """The PSP takes no evidence any more."""

    reason = "EVIDENCE_TOO_LATE"

    def __init__(self, dispute_id: str, due_at: datetime) -> None:
        super().__init__(
            f"Evidence for dispute {dispute_id} was due at {due_at.isoformat()}.",
            disputeId=dispute_id,
            evidenceDueAt=due_at.isoformat(),
        )


class EvidenceRefused(Refusal):
    """The PSP takes no such evidence; nothing was sent to the bank."""

    reason = "EVIDENCE_REFUSED"

    def __init__(self, dispute_id: str, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}.", disputeId=dispute_id, field=field)


class DisputeRequestReused(Refusal):
    """The request id was used for another answer."""

    reason = "DISPUTE_REQUEST_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Request {request_id} was made with other content.", requestId=request_id)


class DisputeBusy(Refusal):
    """Another answer to the dispute is under way, or may have arrived."""

    reason = "DISPUTE_BUSY"

    def __init__(self, dispute_id: str, request_id: str) -> None:
        super().__init__(
            f"What came of request {request_id} for dispute {dispute_id} is not known yet.",
            disputeId=dispute_id,
            requestId=request_id,
        )


class BadSignature(Exception):
    """A webhook is not the PSP's: the signature is missing, wrong or too old. It says why."""


class CertificateNeeded(BadSignature):
    """Nothing is wrong so far, and the certificate that it is signed by is not at hand.

    Attributes:
        url: where the PSP serves it; an address of the PSP's own, so that it may be fetched.
    """

    def __init__(self, url: str) -> None:
        super().__init__("The certificate is not at hand.")
        self.url = url


class UnreadableWebhook(Exception):
    """A webhook is the PSP's, and its body cannot be read. It says why."""
