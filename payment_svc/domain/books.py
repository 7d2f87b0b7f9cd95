"""The names that payment_svc gives to wallets, ledger accounts, operations and references.

They derive from our own ids alone, so a step that is run twice asks for the same thing twice. A
charge's scope is the id of what it covers: `pay_…` for a whole payment, `ord_…` for one order.
"""

import re

from payment_svc.domain.payment import Order, Payment

_LATE = re.compile(r"att_.+[ckv]\d+l\d+", re.ASCII)
_SCOPES = {"pay": "payment", "ord": "order"}


def seller_account(client_id: str, seller: str, currency: str) -> str:
    """Name a seller's wallet and, alike, the account of what we owe the seller."""
    return f"seller:{client_id}:{seller}:{currency}"


def order_wallet(payment: Payment, order: Order) -> str:
    """Name the wallet of an order's seller."""
    return seller_account(payment.client_id, order.seller_account, payment.currency)


def clearing_account(psp: str, currency: str) -> str:
    """Name the account of what a PSP has taken for us and not yet paid out."""
    return f"psp:{psp}:clearing:{currency}"


def is_clearing(account: str) -> bool:
    """Whether an account is of what a PSP has taken for us."""
    return account.startswith("psp:") and account.split(":")[2:3] == ["clearing"]


def credit_operation(order: Order) -> str:
    """Name the wallet operation that credits an order."""
    return f"order:{order.order_id}:credit"


def settle_operation(order: Order) -> str:
    """Name the wallet operation that makes an order's credit available."""
    return f"order:{order.order_id}:settle"


def captured_reference(scope: str) -> str:
    """Name the ledger transaction of a charge."""
    return f"{_SCOPES[scope[:3]]}:{scope}:captured"


def charge_attempt(scope: str) -> str:
    """Name the attempt to charge, or to hold, what `scope` costs."""
    return f"att_{scope[4:]}c1"


def capture_attempt(scope: str) -> str:
    """Name the attempt to capture what is held."""
    return f"att_{scope[4:]}k1"


def void_attempt(scope: str) -> str:
    """Name the attempt to let go of what is held."""
    return f"att_{scope[4:]}v1"


def refund_attempt(charge_attempt_id: str) -> str:
    """Name the attempt that gives a charge back because the saga turned round."""
    return f"{charge_attempt_id}r1"


def suspense_account(psp: str, currency: str) -> str:
    """Name the account of what a PSP has taken and nobody knows what for."""
    return f"suspense:{psp}:{currency}"


def late_reference(attempt_id: str) -> str:
    """Name the ledger transaction of a late charge."""
    return f"late:{attempt_id}:charged"


def kept_reference(attempt_id: str) -> str:
    """Name the ledger transaction of a charge that its PSP has still though it was to be given
    back.
    """
    return f"charge:{attempt_id}:kept"


def released_reference(attempt_id: str) -> str:
    """Name the ledger transaction by which a late charge that was given back leaves suspense."""
    return f"suspense:{attempt_id}:released"


def is_late(attempt_id: str) -> bool:
    """Whether psp_gateway gave the id to a charge that came after it had been given up: it is the
    given-up attempt's own, and the place of the PSP that charged.
    """
    return _LATE.fullmatch(attempt_id) is not None


def late_void_attempt(attempt_id: str) -> str:
    """Name the attempt to let go of what is held late."""
    return f"{attempt_id}v1"
