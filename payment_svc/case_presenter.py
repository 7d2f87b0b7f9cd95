"""Cases as messages: one mapping per enum, total; and the tokens of their pages."""

import base64
import binascii
import json
from datetime import datetime

from paymesh.payment.v1 import case_pb2 as messages

from chassis.errors import InvalidRequest
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
    text = json.dumps([last.opened_at.isoformat(), last.case_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(token: str) -> tuple[datetime, str]:
    """Read a place in the list.

    Raises:
        InvalidRequest: it is no token of ours.
    """
    try:
        moment, case_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        place = datetime.fromisoformat(moment)
    except (ValueError, TypeError, binascii.Error):
        place, case_id = None, None
    if place is None or place.tzinfo is None or not isinstance(case_id, str):
        raise InvalidRequest.field("page_token", "is no token of this list")
    return place, case_id
