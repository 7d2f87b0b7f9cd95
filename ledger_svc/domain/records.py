"""Records that are made by the thousand: frozen for the type checker, plain for the interpreter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

Record = TypeVar("Record")

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> Callable[[type[Record]], type[Record]]:
        """Make a dataclass whose frozenness the type checker alone guards.

        A frozen dataclass sets each field by way of `object.__setattr__`: with eleven fields that
        costs eight times the making of a plain one. What is frozen hashes by its fields, as ever.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]
