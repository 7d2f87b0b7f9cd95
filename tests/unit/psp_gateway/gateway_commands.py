"""Commands that psp_gateway is given: each a valid one, of which a test says what differs."""

from paymesh.psp.v1 import payout_pb2 as payout_noun
from paymesh.psp.v1 import provider_pb2 as nouns
from paymesh.psp.v1 import psp_gateway_service_pb2 as service


def charge(
    *,
    attempt_id: str = "att_1",
    payment_id: str = "pay_1",
    client_id: str = "demo",
    amount: str = "99.99",
    currency: str = "USD",
    payment_token: str = "psp_card_token_xyz",
    is_held: bool = False,
    is_debit: bool = False,
) -> service.ChargeCommand:
    """Make a charge command."""
    return service.ChargeCommand(
        attempt_id=attempt_id,
        payment_id=payment_id,
        client_id=client_id,
        amount=amount,
        currency=currency,
        payment_token=payment_token,
        capture_method=(
            service.ChargeCommand.MANUAL if is_held else service.ChargeCommand.AUTOMATIC
        ),
        payment_method=nouns.BANK_DEBIT if is_debit else nouns.CARD,
    )


def capture(
    *,
    attempt_id: str = "att_capture1",
    charge_attempt_id: str = "att_1",
    amount: str = "99.99",
    currency: str = "USD",
    is_final: bool | None = None,
) -> service.CaptureCommand:
    """Make a capture command."""
    return service.CaptureCommand(
        attempt_id=attempt_id,
        charge_attempt_id=charge_attempt_id,
        amount=amount,
        currency=currency,
        is_final=is_final,
    )


def void(
    *,
    attempt_id: str = "att_void1",
    charge_attempt_id: str = "att_1",
    amount: str = "99.99",
    currency: str = "USD",
) -> service.VoidCommand:
    """Make a void command."""
    return service.VoidCommand(
        attempt_id=attempt_id,
        charge_attempt_id=charge_attempt_id,
        amount=amount,
        currency=currency,
    )


def refund(
    *,
    attempt_id: str = "att_refund1",
    charge_attempt_id: str = "att_1",
    amount: str = "99.99",
    currency: str = "USD",
) -> service.RefundCommand:
    """Make a refund command."""
    return service.RefundCommand(
        attempt_id=attempt_id,
        charge_attempt_id=charge_attempt_id,
        amount=amount,
        currency=currency,
    )


def payout(
    *,
    attempt_id: str = "att_out1",
    payout_id: str = "pout_1",
    client_id: str = "demo",
    amount: str = "25.00",
    currency: str = "USD",
    psp: str = "stripe",
    account: str = "acct_seller",
    reference_text: str = "Sales of May",
) -> service.PayoutCommand:
    """Make a payout command, to an account at a PSP."""
    to = payout_noun.PayoutDestination.PspAccount(psp=psp, account=account)
    return service.PayoutCommand(
        attempt_id=attempt_id,
        payout_id=payout_id,
        client_id=client_id,
        amount=amount,
        currency=currency,
        destination=payout_noun.PayoutDestination(psp_account=to),
        reference_text=reference_text,
    )
