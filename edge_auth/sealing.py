"""Encrypts single values before they are stored: AES-256-GCM, bound to the place they stand in.

A sealed value is its key's id, the cipher's nonce and the ciphertext. It opens only with that key
and only in its table, column and row: moved elsewhere it is as good as tampered with.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_ID = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_TEXT_LENGTH_MIN = 32
_NONCE_BYTES = 12
_PURPOSE = b"paymesh edge_auth sealing 1"


class SealBroken(Exception):
    """The value was not sealed for this place, with a key that is known here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands."""

    table: str
    column: str
    row: str


class Sealer:
    """Seals with the first key; opens with any.

    Args:
        keys: AES keys of 32 bytes by id, the first for sealing.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._key_id = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> "Sealer":
        """Read `id=key,id=key`; a key is a text of 32 characters or more, of chance.

        Raises:
            ValueError: it is none such; the message repeats no key.
        """
        keys: dict[str, bytes] = {}
        for part in text.split(","):
            key_id, equals, key = part.strip().partition("=")
            if not equals or not _KEY_ID.fullmatch(key_id) or key_id in keys:
                raise ValueError("wanted: id=key,id=key, each id once, of a-z, 0-9 and hyphens")
            if len(key) < _TEXT_LENGTH_MIN:
                raise ValueError(f"the key {key_id} is shorter than {_TEXT_LENGTH_MIN} characters")
            derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
            keys[key_id] = derived
        return cls(keys)

    def seal(self, value: str, place: Place) -> bytes:
        """Encrypt a value for its place."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(self._key_id, place)
        sealed = self._ciphers[self._key_id].encrypt(nonce, value.encode(), bound)
        return self._key_id.encode() + b"\0" + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """Decrypt what stands at a place.

        Raises:
            SealBroken: it does not belong there, was changed, or its key is not known.
        """
        key_id, _, rest = sealed.partition(b"\0")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise SealBroken("the key is not known")
        nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, _bound(key_id.decode(), place)).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken("the value does not belong here, or was changed") from error


def _bound(key_id: str, place: Place) -> bytes:
    return "\n".join(("1", key_id, place.table, place.column, place.row)).encode()
