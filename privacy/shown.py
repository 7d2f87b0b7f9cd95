"""What a log may show of a value, by its type: one line of it, and of nothing more than is meant.

Secrets and personal values are masked, card numbers too. Of an exception its kind and where it came
from are told; what it says only where that cannot hold what a caller or a database said. A message
or any other object is not told whole.
"""

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID

from privacy.card_numbers import holds_card_number
from privacy.masked import Masked

# Line breaks of all kinds, what moves a terminal's cursor, and what turns the direction of reading.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_TEXT_MAX, _ITEMS_MAX, _CHAIN_MAX, _FRAMES_MAX = 2_000, 100, 5, 30
_CARD = "(a card number)"
# What these say is made of names in the code, or by an `assert` of ours.
_SAYS_NO_VALUES = (AttributeError, NameError, ImportError, AssertionError)


def escaped(text: str) -> str:
    """Write a text on one line that moves no cursor, card numbers masked."""
    if holds_card_number(text):
        return _CARD
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text[:_TEXT_MAX])


def shown(value: object, ours: tuple[type[BaseException], ...] = ()) -> object:
    """Tell what may be shown of a value: numbers, texts, moments, and collections of these.

    Args:
        value: anything.
        ours: the exceptions whose messages are written by us, for callers.
    """
    if type(value) is str:  # the usual case
        return escaped(value)
    match value:
        case None | bool() | int() | float():
            return value
        case Masked():
            return str(value)
        case BaseException():
            return described(value, ours)
        case Enum():
            return shown(value.value, ours)
        case str():
            return escaped(value)
        case Decimal() | datetime() | timedelta() | UUID():
            return str(value)
        case Mapping():
            return {escaped(str(k)): shown(v, ours) for k, v in list(value.items())[:_ITEMS_MAX]}
        case Sequence() | Set() if not isinstance(value, bytes | bytearray | memoryview):
            return [shown(item, ours) for item in list(value)[:_ITEMS_MAX]]
    return f"({type(value).__name__})"


def described(error: BaseException, ours: tuple[type[BaseException], ...] = ()) -> str:
    """Name an exception; with what it says where that is ours or names no value, with the facts
    that a database or the system gives else.
    """
    kind = type(error).__name__
    if isinstance(error, ours) or (
        isinstance(error, _SAYS_NO_VALUES) and type(error).__module__ == "builtins"
    ):
        return f"{kind}: {escaped(str(error))}"
    facts = [getattr(error, "sqlstate", None)]
    facts += [getattr(getattr(error, "diag", None), "constraint_name", None)]
    facts += [error.strerror if isinstance(error, OSError) else None]
    told = ", ".join(escaped(fact) for fact in facts if isinstance(fact, str) and fact)
    return f"{kind} ({told})" if told else kind


def traced(error: BaseException, ours: tuple[type[BaseException], ...] = ()) -> str:
    """Tell where an exception came from, and what caused it; no line of source, no value of a
    variable. Each on a line of its own.
    """
    lines: list[str] = []
    for one in _chain(error):
        if lines:
            lines.append("because of")
        lines.append(described(one, ours))
        frames = traceback.extract_tb(one.__traceback__)[-_FRAMES_MAX:]
        lines += [f"  {'/'.join(Path(f.filename).parts[-3:])}:{f.lineno} {f.name}" for f in frames]
    return "\n".join(lines)


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(_CHAIN_MAX):
        if one is None:
            return
        yield one
        hidden = one.__suppress_context__
        one = one.__cause__ or (None if hidden else one.__context__)
