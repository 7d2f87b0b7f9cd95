"""Cases as messages: one mapping per enum, total; and the tokens of their pages."""

from datetime import datetime

from paymesh.payment.v1 import case_pb2 as messages

from paging import page_token as tokens
from payment_svc.domain.case import Case, CaseEvent, CaseKind, CaseStatus
from payment_svc.presenter import timestamp

KINDS = {kind: messages.Case.Kind.Value(kind.value) for kind in CaseKind}
STATUSES = {status: messages.Case.Status.Value(status.value) for status in CaseStatus}


def case(found: Case) -> messages.Case:
    """Write a case."""
    message = messages.Case(
        case_id=found.case_id,
        kind=KINDS[found.kind],
        status=STATUSES[found.status],
        payment_id=found.payment_id,
        client_id=found.client_id,
        subject_id=found.subject_id,
        psp=found.psp,
        psp_reference=found.psp_reference,
        amount=found.amount,
        currency=found.currency,
        opened_at=timestamp(found.opened_at),
        resolution=found.resolution,
        history=[_event(line) for line in found.history],
    )
    if found.closed_at is not None:
        message.closed_at.CopyFrom(timestamp(found.closed_at))
    return message


def _event(line: CaseEvent) -> messages.CaseEvent:
    return messages.CaseEvent(
        sequence=line.sequence, at=timestamp(line.at), kind=line.kind, detail=line.detail
    )


def write_token(last: Case) -> str:
    """Write where the page after a case begins."""
    return tokens.write_token([last.status], [last.opened_at.isoformat(), last.case_id])


def read_token(status: CaseStatus, token: str) -> tuple[datetime, str]:
    """Read a place in the list of a status.

    Raises:
        InvalidRequest: it is no token of ours, or of another list.
    """
    moment, case_id = tokens.read_token([status], token, [str, str])
    return tokens.read_moment(moment), str(case_id)
