"""Webhooks that PayPal has signed: see README.md."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_HERE = Path(__file__).parent
# Not a file, for the invoice number looks like a secret to the scanner, and JSON has no comments.
_SALE_2016 = (
    b'{"id":"WH-9UG43882HX7271132-6E0871324L7949614","event_version":"1.0","create_time":"20'
    b'16-09-21T22:00:45Z","resource_type":"sale","event_type":"PAYMENT.SALE.COMPLETED","summ'
    b'ary":"Payment completed for $ 21.0 USD","resource":{"id":"80F85758S3080410K","state":"'
    b'completed","amount":{"total":"21.00","currency":"USD","details":{"subtotal":"17.50","t'
    b'ax":"1.30","shipping":"2.20"}},"payment_mode":"INSTANT_TRANSFER","protection_eligibili'
    b'ty":"ELIGIBLE","protection_eligibility_type":"ITEM_NOT_RECEIVED_ELIGIBLE,UNAUTHORIZED_'
    b'PAYMENT_ELIGIBLE","transaction_fee":{"value":"0.91","currency":"USD"},'
    b'"invoice_number":"57e3028db8d1b",'  # pragma: allowlist secret
    b'"custom":"","parent_payment":"PAY-7F371669SL612941HK7RQFDQ","create_time":"2016-09-21T'
    b'21:59:02Z","update_time":"2016-09-21T22:00:06Z","links":[{"href":"https://api.sandbox.'
    b'paypal.com/v1/payments/sale/80F85758S3080410K","rel":"self","method":"GET"},{"href":"h'
    b'ttps://api.sandbox.paypal.com/v1/payments/sale/80F85758S3080410K/refund","rel":"refund'
    b'","method":"POST"},{"href":"https://api.sandbox.paypal.com/v1/payments/payment/PAY-7F3'
    b'71669SL612941HK7RQFDQ","rel":"parent_payment","method":"GET"}]},"links":[{"href":"http'
    b"s://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-9UG43882HX7271132-6E087"
    b'1324L7949614","rel":"self","method":"GET"},{"href":"https://api.sandbox.paypal.com/v1/'
    b'notifications/webhooks-events/WH-9UG43882HX7271132-6E0871324L7949614/resend","rel":"re'
    b'send","method":"POST"}]}'
)
_CERTS = "https://api.sandbox.paypal.com/v1/notifications/certs"


@dataclass(frozen=True, slots=True)
class Published:
    """One webhook; `event_id` and `event_type` are what its body says."""

    webhook_id: str
    headers: dict[str, str]
    body: bytes
    certificate: bytes
    at: datetime
    event_id: str
    event_type: str


def _read(
    year: int, body: bytes, transmission_id: str, at: datetime, certificate: str
) -> tuple[dict[str, str], bytes, bytes, datetime]:
    headers = {
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": f"{_CERTS}/CERT-360caa42-fca2a594-a5cafa77",
        "paypal-transmission-id": transmission_id,
        "paypal-transmission-time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "paypal-transmission-sig": (_HERE / f"paypal_signature_{year}.txt").read_text().strip(),
    }
    return headers, body, (_HERE / certificate).read_bytes(), at


PUBLISHED = (
    Published(
        "4JH86294D6297924G",
        *_read(
            2015,
            (_HERE / "paypal_sale_completed_2015.json").read_bytes(),
            "dfb3be50-fd74-11e4-8bf3-77339302725b",
            datetime(2015, 5, 18, 15, 45, 13, tzinfo=UTC),
            "paypal_sandbox_2015.pem",
        ),
        "WH-0G2756385H040842W-5Y612302CV158622M",
        "PAYMENT.SALE.COMPLETED",
    ),
    Published(
        "9XL90610J3647323C",
        *_read(
            2016,
            _SALE_2016,
            "d938e770-8046-11e6-8103-6b62a8a99ac4",
            datetime(2016, 9, 21, 22, 0, 46, tzinfo=UTC),
            "paypal_sandbox_2015.pem",
        ),
        "WH-9UG43882HX7271132-6E0871324L7949614",
        "PAYMENT.SALE.COMPLETED",
    ),
    Published(
        "96605875FF6516633",
        *_read(
            2017,
            (_HERE / "paypal_plan_created_2017.json").read_bytes(),
            "071f7d20-1584-11e7-abf0-6b62a8a99ac4",
            datetime(2017, 3, 30, 20, 4, 5, tzinfo=UTC),
            "paypal_sandbox_2017.pem",
        ),
        "WH-2MW4820926242972J-6SG447389E205703U",
        "BILLING.PLAN.CREATED",
    ),
)
