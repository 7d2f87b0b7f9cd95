"""What rests encrypted in the payment database; docs/reference/data-protection.md says why."""

from chassis.encryption import PrivateColumn


def _of(table: str, key: str, name: str, plain: str) -> PrivateColumn:
    return PrivateColumn(table, key, f"{name}_encrypted", plain, f"{name} = NULL")


BUYER_EMAIL = _of("payments", "payment_id", "buyer_email", "buyer_email")
BUYER_IP = _of("payments", "payment_id", "buyer_ip", "buyer_ip")
PAYMENT_TOKEN = _of("payments", "payment_id", "payment_token", "payment_token")
PAGE = _of("payments", "payment_id", "page", "page::text")
REDIRECT_URL = _of("orders", "order_id", "redirect_url", "redirect_url")

PRIVATE = (BUYER_EMAIL, BUYER_IP, PAYMENT_TOKEN, PAGE, REDIRECT_URL)
