"""Why risk_svc does not answer a question."""

from chassis.errors import NotFound


class AssessmentNotFound(NotFound):
    """The payment was never assessed."""

    reason = "ASSESSMENT_NOT_FOUND"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"There is no assessment of {payment_id}.", paymentId=payment_id)
