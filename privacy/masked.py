"""Values that no log, no error and no `repr` shows: they are masked by their type, so that nobody
has to remember it.

Wrap a value where it comes in; `reveal` it where it goes out: into a row, a request, a signature.
"""

import hmac
from typing import Generic, TypeVar

Value = TypeVar("Value", str, bytes)


class Masked(Generic[Value]):
    """A value that shows itself to nobody who does not ask for it by name. Immutable; equal to one
    of its own type with the same value, compared in constant time.
    """

    __slots__ = ("__value",)

    def __init__(self, value: Value) -> None:
        if not isinstance(value, str | bytes):  # nothing is masked twice
            raise TypeError(f"{type(self).__name__} masks text or bytes")
        self.__value: Value = value

    def reveal(self) -> Value:
        """Give the value away."""
        return self.__value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masked) or type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.reveal()))

    def __hash__(self) -> int:
        return hash((type(self), self.__value))

    def __deepcopy__(self, _: object) -> "Masked[Value]":
        return self

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} is not written down; reveal it on purpose")


class Secret(Masked[Value]):
    """What opens something: a key, a token, a password."""

    __slots__ = ()


class Personal(Masked[Value]):
    """What tells who somebody is, or where: an e-mail address, an IP address, an account."""

    __slots__ = ()


def revealed(value: Masked[Value] | None) -> Value | None:
    """Give a value away that may be absent."""
    return None if value is None else value.reveal()


def secret(value: str | None) -> Secret[str] | None:
    """Mask a secret that may be absent."""
    return None if value is None else Secret(value)


def personal(value: str | None) -> Personal[str] | None:
    """Mask what is personal and may be absent."""
    return None if value is None else Personal(value)


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
