"""Encryption at rest: single values by AES-256-GCM under data keys, which another key wraps.

A ciphertext is a version (1 byte: 1), the number of its data key (4 bytes, big-endian), a nonce (12
random bytes), and the value with its tag (16 bytes). The header, the service, table, column and row
are authenticated with it: moved to another place it cannot be read.

Nonces are chance, so one data key must encrypt fewer than 2**32 values (NIST SP 800-38D, 8.3):
renewed every 7 days it may encrypt 7,000 a second. Two values under one nonce would tell their
difference and let others be forged, so nobody chooses nonces. What is taken away, or put back as it
was before in the same place, is not noticed.
"""

import base64
import os
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.errors import PaymeshError, Unavailable
from chassis.settings import Environment, SettingsError
from chassis.telemetry import UNDECIPHERABLE, logger

VERSION = 1
HEADER = struct.Struct(">BI")  # version, number of the data key
_NONCE, _TAG = 12, 16
_LINE = re.compile(r"(\S+)\s+([A-Za-z0-9+/]{43}=)")
_STAND_IN = f"development-only {base64.b64encode(bytes(32)).decode()}"


class Undecipherable(PaymeshError):
    """A ciphertext was changed, or stands where it was not written; nothing of it is told."""

    reason = "UNDECIPHERABLE"


class DataKeyMissing(Undecipherable):
    """A ciphertext is under a data key that nobody has made, or that cannot be unwrapped here."""

    reason = "DATA_KEY_MISSING"


class DataKeyUnknown(Unavailable):
    """A ciphertext is under a data key that was not learned yet."""


class KeyEncryption(Protocol):
    """Whatever holds the key-encryption keys: a file now, a KMS later."""

    async def newest(self) -> str:
        """Name the key that wraps from now on."""

    async def wrap(self, key: bytes, purpose: str) -> tuple[str, bytes]:
        """Wrap a key under the newest; answer that one's name and the wrapped key."""

    async def unwrap(self, name: str, wrapped: bytes, purpose: str) -> bytes:
        """Unwrap what `name` wrapped for `purpose`. Raises Undecipherable when it is not that."""


@dataclass(frozen=True, slots=True)
class PrivateColumn:
    """A column of ciphertexts, bytea."""

    table: str
    key: str  # the one text column that tells rows apart
    column: str
    plain: str  # SQL of what rows of before hold in its place, text or bytea; null for nothing
    cleared: str  # the SQL assignments that empty that
    unseal: Callable[[str, bytes], bytes] | None = None  # opens by row key what is not plain there


class Keyring:
    """The data keys of a service that were learned, and what is done by them."""

    def __init__(self, service: str, keys: KeyEncryption) -> None:
        self.service, self.keys = service, keys
        self.ciphers: dict[int, AESGCM] = {}
        self.newest = 0  # the number of the data key that encrypts; 0: none was learned
        self._missed: set[int] = set()

    def learn(self, number: int, key: bytes) -> None:
        """Take a data key; the one with the highest number encrypts."""
        self.ciphers[number] = AESGCM(key)
        self._missed.discard(number)
        self.newest = max(self.newest, number)

    def encrypt(
        self, where: PrivateColumn, row_key: str, value: str | bytes | None
    ) -> bytes | None:
        """Encrypt a value for its place; None stays None."""
        if value is None:
            return None
        if not self.newest:
            raise DataKeyUnknown("No data key was learned yet.")
        header, nonce = HEADER.pack(VERSION, self.newest), os.urandom(_NONCE)
        plain = value.encode() if isinstance(value, str) else value
        around = self._around(header, where, row_key)
        return header + nonce + self.ciphers[self.newest].encrypt(nonce, plain, around)

    def decrypt(self, where: PrivateColumn, row_key: str, kept: bytes | None) -> bytes | None:
        """Decrypt what stands in a place; None stays None. Raises Undecipherable when it was
        changed or written for another place, DataKeyUnknown when its data key was not learned,
        DataKeyMissing when that was asked for already.
        """
        if kept is None:
            return None
        if len(kept) < HEADER.size + _NONCE + _TAG or kept[0] != VERSION:
            raise _refused(where, row_key, "malformed")
        _, number = HEADER.unpack_from(kept)
        if number in self._missed:
            raise _refused(where, row_key, "unknown_key")
        if number not in self.ciphers:
            self._missed.add(number)  # whoever meets it again has asked for it
            raise DataKeyUnknown(f"The data key {number} was not learned.")
        nonce = kept[HEADER.size : HEADER.size + _NONCE]
        around = self._around(kept[: HEADER.size], where, row_key)
        try:
            return self.ciphers[number].decrypt(nonce, kept[HEADER.size + _NONCE :], around)
        except InvalidTag:
            raise _refused(where, row_key, "tampered") from None

    def text(
        self, where: PrivateColumn, row_key: str, kept: bytes | None, before: str | None
    ) -> str | None:
        """Decrypt a text; where none is kept, `before` stood in the plain. Raises as `decrypt`."""
        plain = self.decrypt(where, row_key, kept)
        return before if plain is None else plain.decode()

    def _around(self, header: bytes, where: PrivateColumn, row_key: str) -> bytes:
        return header + f"{self.service}.{where.table}.{where.column}\0{row_key}".encode()


def _refused(where: PrivateColumn, row_key: str, why: str) -> Undecipherable:
    place = f"{where.table}.{where.column}"
    UNDECIPHERABLE.labels(place, why).inc()
    logger().error("undecipherable", place=place, subject_id=row_key, reason=why)
    refusal = DataKeyMissing if why == "unknown_key" else Undecipherable
    return refusal(f"{place} of {row_key} is {why}: it does not belong there as it is.")


class LocalKeys:
    """`KeyEncryption` by keys at hand: lines of a name and 32 bytes in base64, the newest first.
    They are read again before they wrap, and when another is asked for: a file may change.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._ciphers = _parse(read())

    @classmethod
    def configured(cls, environment: Environment, *, is_production: bool) -> "LocalKeys":
        """Read PAYMESH_KEYS_FILE, a path, or PAYMESH_KEY, the same lines parted by commas; outside
        of production a known stand-in serves. Raises SettingsError when one is malformed or none.
        """
        file, text = environment.text("PAYMESH_KEYS_FILE", ""), environment.text("PAYMESH_KEY", "")
        if is_production and not file and text in ("", _STAND_IN):
            raise SettingsError("PAYMESH_KEYS_FILE or PAYMESH_KEY must be set in production")
        return cls(Path(file).read_text if file else lambda: text or _STAND_IN)

    async def newest(self) -> str:
        """See `KeyEncryption.newest`."""
        self._ciphers = _parse(self._read())
        return next(iter(self._ciphers))

    async def wrap(self, key: bytes, purpose: str) -> tuple[str, bytes]:
        """See `KeyEncryption.wrap`."""
        name, nonce = await self.newest(), os.urandom(_NONCE)
        return name, nonce + self._ciphers[name].encrypt(nonce, key, purpose.encode())

    async def unwrap(self, name: str, wrapped: bytes, purpose: str) -> bytes:
        """See `KeyEncryption.unwrap`."""
        if name not in self._ciphers and await self.newest() and name not in self._ciphers:
            raise Undecipherable(f"The key-encryption key {name!r} is not among those configured.")
        nonce, rest = wrapped[:_NONCE], wrapped[_NONCE:]
        try:
            return self._ciphers[name].decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError):
            UNDECIPHERABLE.labels("data_keys.wrapped", "tampered").inc()
            raise Undecipherable(f"The wrapped {purpose} is not what {name!r} wrapped.") from None


def _parse(text: str) -> Mapping[str, AESGCM]:
    ciphers: dict[str, AESGCM] = {}
    for line in filter(None, map(str.strip, text.replace(",", "\n").splitlines())):
        found = _LINE.fullmatch(line)
        if found is None or found[1] in ciphers:
            raise SettingsError("PAYMESH_KEYS_FILE: a line is a new name and 32 bytes in base64")
        ciphers[found[1]] = AESGCM(base64.b64decode(found[2]))
    if not ciphers:
        raise SettingsError("PAYMESH_KEYS_FILE holds no key")
    return ciphers
