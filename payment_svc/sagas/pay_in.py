"""Pay-in: from the accepted payment to the balanced books, or back."""

from payment_svc.sagas import booking, charging
from payment_svc.sagas.journey import Saga, Step, nothing
from payment_svc.sagas.keeping import BOOK_KEPT

PAY_IN = Saga(
    kind="pay_in",
    version=2,
    steps=(
        Step("assess", do=charging.assess_payment),
        BOOK_KEPT,
        Step(
            "charge",
            enter=charging.name_charge,
            do=charging.charge_orders,
            undo=charging.refund_charge,
            on=charging.on_charge,
        ),
        Step("credit", do=booking.credit_wallets, undo=booking.reverse_credits),
        Step("post", do=booking.post_to_ledger, undo=booking.reverse_posting),
        Step("confirm", do=nothing, on=booking.confirm_orders),
    ),
    start=charging.start_payment,
    fail=booking.fail_orders,
    then="settle",
)
