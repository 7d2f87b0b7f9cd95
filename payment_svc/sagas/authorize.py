"""Authorize: the first half of a pay-in with manual capture, from the accepted payment to the held
amount. The client's word begins the second half, `capture` or `void`; its silence ends in `expire`.
"""

from payment_svc.sagas import booking, charging
from payment_svc.sagas.journey import Saga, Step

AUTHORIZE = Saga(
    kind="authorize",
    version=1,
    steps=(
        Step("assess", do=charging.assess_payment),
        Step(
            "authorize",
            enter=charging.name_charge,
            do=charging.charge_orders,
            on=charging.on_authorize,
        ),
    ),
    start=charging.start_payment,
    fail=booking.fail_orders,
    then="expire",
    then_at=lambda payment: payment.capture_before,
)
