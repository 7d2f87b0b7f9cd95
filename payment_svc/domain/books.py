"""The names that payment_svc gives to wallets, ledger accounts, operations and references.

They derive from our own ids alone, so a step that is run twice asks for the same thing twice.
"""

from payment_svc.domain.payment import Order, Payment


def seller_account(client_id: str, seller: str, currency: str) -> str:
    """Name a seller's wallet and, alike, the account of what we owe the seller."""
    return f"seller:{client_id}:{seller}:{currency}"


def order_wallet(payment: Payment, order: Order) -> str:
    """Name the wallet of an order's seller."""
    return seller_account(payment.client_id, order.seller_account, payment.currency)


def clearing_account(psp: str, currency: str) -> str:
    """Name the account of what a PSP has taken for us and not yet paid out."""
    return f"psp:{psp}:clearing:{currency}"


def credit_operation(order: Order) -> str:
    """Name the wallet operation that credits an order."""
    return f"order:{order.order_id}:credit"


def settle_operation(order: Order) -> str:
    """Name the wallet operation that makes an order's credit available."""
    return f"order:{order.order_id}:settle"


def captured_reference(payment: Payment) -> str:
    """Name the ledger transaction of a payment's charge."""
    return f"payment:{payment.payment_id}:captured"


def charge_attempt(payment: Payment, number: int) -> str:
    """Name the `number`th attempt to charge; the number rises after a definite no only."""
    return f"att_{payment.payment_id.removeprefix('pay_')}c{number}"


def refund_attempt(charge_attempt_id: str) -> str:
    """Name the attempt that gives a charge back because the saga turned round."""
    return f"{charge_attempt_id}r1"
