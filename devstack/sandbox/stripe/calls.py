"""A call as it came, before anything is believed of it."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from devstack.sandbox.stripe.errors import StripeError, invalid
from devstack.sandbox.stripe.form import MalformedForm, pairs_of

_TEST_KEY = "sk_test_"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to Stripe's API.

    Args:
        operation: a name in WRITES or READS.
        target: the id in the path; "" when it has none.
        form: the encoded parameters: of the query for a read, of the body for a write.
        content_type: of the body; "" when there is none.
        authorization, idempotency_key: the headers of these names.
    """

    operation: str
    target: str = ""
    form: bytes = b""
    content_type: str = ""
    authorization: str | None = None
    idempotency_key: str | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Decode the parameters.

        Raises:
            StripeError: they are no form.
        """
        if self.form and self.content_type not in ("", _FORM):
            raise invalid(
                "Invalid request (check that your POST content type is "
                f"{_FORM}). If you have any questions, we can help at https://support.stripe.com/."
            )
        try:
            return pairs_of(self.form.decode())
        except (MalformedForm, UnicodeDecodeError) as error:
            raise invalid(f"Invalid form: {error}") from error

    def fingerprint(self, pairs: list[tuple[str, str]]) -> str:
        """Tell calls apart that an idempotency key must not mix up; the order does not matter."""
        parts = sorted(f"{name}\0{value}" for name, value in pairs)
        text = "\1".join([self.operation, self.target, *parts])
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def authorize(self) -> None:
        """Let in who shows a secret test key, by Bearer or Basic.

        Raises:
            StripeError: 401.
        """
        scheme, _, credentials = (self.authorization or "").partition(" ")
        key = credentials.strip()
        if scheme.lower() == "basic":
            key = _basic_user(key)
        if scheme.lower() not in ("bearer", "basic") or not key:
            raise StripeError(
                401,
                "invalid_request_error",
                "You did not provide an API key. You need to provide your API key in the "
                "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                "YOUR_SECRET_KEY').",
            )
        if not key.startswith(_TEST_KEY) or len(key) == len(_TEST_KEY):
            masked = f"{key[:8]}{'*' * max(0, len(key) - 8)}"
            raise StripeError(401, "invalid_request_error", f"Invalid API Key provided: {masked}")


def _basic_user(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
