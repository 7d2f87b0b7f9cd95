"""Opens what was sealed before edge_auth encrypted as the other services do; seals nothing.

A former seal is its key's id, the cipher's nonce and the ciphertext by AES-256-GCM, bound to table,
column and row. `edge_auth.keys rewrap` moves each; this goes together with the column `sealed`.
"""

import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.encryption import DataKeyMissing, Undecipherable
from chassis.settings import SettingsError

SETTING = "EDGE_AUTH_SEALING_KEYS"
_KEY_ID = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_TEXT_LENGTH_MIN = 32
_NONCE_BYTES = 12
_PURPOSE = b"paymesh edge_auth sealing 1"
_PLACE = "signing_secrets.sealed"


class FormerSeals:
    """The keys that former seals are under; perhaps none."""

    def __init__(self, ciphers: Mapping[str, AESGCM]) -> None:
        self._ciphers = ciphers

    @classmethod
    def parse(cls, text: str) -> "FormerSeals":
        """Read `id=key,id=key`, each key a text of 32 characters or more; empty for none.

        Raises:
            SettingsError: it is none such; the message repeats no key.
        """
        ciphers: dict[str, AESGCM] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            key_id, equals, key = part.partition("=")
            if not equals or not _KEY_ID.fullmatch(key_id) or key_id in ciphers:
                raise SettingsError(f"{SETTING} is id=key,id=key, each id once, of a-z, 0-9 and -")
            if len(key) < _TEXT_LENGTH_MIN:
                raise SettingsError(f"{SETTING}: {key_id} is shorter than {_TEXT_LENGTH_MIN}")
            derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
            ciphers[key_id] = AESGCM(derived)
        return cls(ciphers)

    def open(self, secret_id: str, sealed: bytes) -> bytes:
        """Decrypt what stands in a secret's row.

        Raises:
            Undecipherable: it does not belong there, or was changed.
            DataKeyMissing: its key was not told.
        """
        key_id, _, rest = sealed.partition(b"\0")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise DataKeyMissing(f"{_PLACE} of {secret_id} is under a key that {SETTING} lacks.")
        bound = "\n".join(("1", key_id.decode(), *_PLACE.split("."), secret_id)).encode()
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise Undecipherable(f"{_PLACE} of {secret_id} is not what was sealed.") from None
