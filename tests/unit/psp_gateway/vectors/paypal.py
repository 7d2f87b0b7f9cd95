"""A webhook that PayPal has signed: see README.md."""

from datetime import UTC, datetime
from pathlib import Path

_HERE = Path(__file__).parent

AT = datetime(2017, 3, 30, 20, 4, 5, tzinfo=UTC)
WEBHOOK_ID = "96605875FF6516633"
CERTIFICATE = (_HERE / "paypal_sandbox_2017.pem").read_bytes()
BODY = (_HERE / "paypal_plan_created_2017.json").read_bytes()
HEADERS = {
    "paypal-auth-algo": "SHA256withRSA",
    "paypal-cert-url": "https://api.sandbox.paypal.com/v1/notifications/test",
    "paypal-transmission-id": "071f7d20-1584-11e7-abf0-6b62a8a99ac4",
    "paypal-transmission-time": "2017-03-30T20:04:05Z",
    "paypal-transmission-sig": (_HERE / "paypal_signature_2017.txt").read_text().strip(),
}
