"""Capture: from the held amount to the balanced books, or back."""

from payment_svc.sagas import booking, charging
from payment_svc.sagas.journey import Saga, Step, nothing
from payment_svc.sagas.keeping import BOOK_KEPT

CAPTURE = Saga(
    kind="capture",
    version=2,
    steps=(
        Step("hold", do=nothing, undo=charging.void_unless_captured),
        BOOK_KEPT,
        # What is held stays held for days: trouble at the PSP is waited out, not taken for a no.
        Step(
            "capture",
            enter=charging.name_capture,
            do=charging.capture_charge,
            undo=charging.refund_charge,
            on=charging.on_capture,
            is_patient=True,
        ),
        Step("credit", do=booking.credit_wallets, undo=booking.reverse_credits),
        Step("post", do=booking.post_to_ledger, undo=booking.reverse_posting),
        Step("confirm", do=nothing, on=booking.confirm_orders),
    ),
    fail=booking.fail_orders,
    then="settle",
)
