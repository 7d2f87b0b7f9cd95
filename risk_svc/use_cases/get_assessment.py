"""GetAssessment: read the decision about a payment."""

from risk_svc.domain.assessment import Assessment
from risk_svc.domain.errors import AssessmentNotFound
from risk_svc.ports import AssessmentStore


async def get_assessment(payment_id: str, *, store: AssessmentStore) -> Assessment:
    """Read a payment's assessment.

    Raises:
        AssessmentNotFound: the payment was never assessed.
    """
    found = await store.find([payment_id])
    if payment_id not in found:
        raise AssessmentNotFound(payment_id)
    return found[payment_id]
