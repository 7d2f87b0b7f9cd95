"""How Adyen signs: docs.adyen.com/development-resources/webhooks/verify-hmac-signatures."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from psp_gateway.domain.errors import BadSignature
from psp_gateway.webhook_body import inside

# In the order in which they are signed; only the merchant's reference may hold a colon.
_SIGNED: Sequence[tuple[str, ...]] = (
    ("pspReference",),
    ("originalReference",),
    ("merchantAccountCode",),
    ("merchantReference",),
    ("amount", "value"),
    ("amount", "currency"),
    ("eventCode",),
    ("success",),
)
_FREE = ("merchantReference",)


class Signatures:
    """Checks what Adyen has signed under any of its keys.

    Args:
        keys: in hexadecimal, as the Customer Area shows them; several while one is replaced.

    Raises:
        ValueError: there is no key, an empty one, or one that is not hexadecimal.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._keys = [bytes.fromhex(key) for key in keys]
        except ValueError:
            raise ValueError("An HMAC key of Adyen's is not hexadecimal.") from None
        if not self._keys or not all(self._keys):
            raise ValueError("An HMAC key of Adyen's is empty, or there is none.")

    def check_body(self, signature: str, body: bytes) -> None:
        """Check the scheme of the platforms: the header HmacSignature over the raw body.

        Raises:
            BadSignature: it is not Adyen's.
        """
        self._check(signature, body)

    def check_item(self, item: Mapping[str, object]) -> None:
        """Check the standard scheme: the item's own hmacSignature over eight of its fields.

        Nothing escapes the colons that part the fields. So that no two items sign alike, a colon
        is taken in the merchant's reference alone: then the first three colons and the last four
        tell where it begins and ends.

        Raises:
            BadSignature: it is missing or wrong, or the fields are not of the form signed.
        """
        signature = inside(item, "additionalData", "hmacSignature")
        if not isinstance(signature, str):
            raise BadSignature("An item is not signed.")
        self._check(signature, signed_content(item))

    def _check(self, signature: str, content: bytes) -> None:
        given = signature.encode(errors="replace")
        # Every key is tried, so that the time taken tells nothing.
        if not sum(hmac.compare_digest(sign(key, content), given) for key in self._keys):
            raise BadSignature("The signature is wrong.")


def sign(key: bytes, content: bytes) -> bytes:
    """Sign in base64, as both schemes do."""
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())


def signed_content(item: Mapping[str, object]) -> bytes:
    """Join what an item's signature covers; what is missing is empty.

    Raises:
        BadSignature: a field is of another type, or holds a colon where none may be.
    """
    try:
        return ":".join(_field(item, path) for path in _SIGNED).encode()
    except UnicodeEncodeError:
        raise BadSignature("A signed field is no text.") from None


def _field(item: Mapping[str, object], path: tuple[str, ...]) -> str:
    found = inside(item, *path)
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    if not isinstance(found, str | int):
        raise BadSignature("A signed field is no text.")
    written = str(found)
    if ":" in written and path != _FREE:
        raise BadSignature("A signed field holds a colon.")
    return written
