"""How spans, numbers and facts are said."""

from collections.abc import Mapping
from datetime import timedelta

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


def span(length: timedelta) -> str:
    """Say a span in the unit that suits it: "48 ms", "3.2 s", "5 min", "26 h"."""
    if length < _SECOND:
        return f"{max(length, timedelta(0)) // timedelta(milliseconds=1)} ms"
    if length < _MINUTE:
        return f"{length / _SECOND:.1f} s"
    if length < 2 * _HOUR:
        return f"{length // _MINUTE} min"
    return f"{length // _HOUR} h"


def count(number: int, noun: str) -> str:
    """Say a number of things: "1 seller", "3 sellers", "2 entries"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def money(amount: str, currency: str) -> str:
    """Say an amount."""
    return f"{amount} {currency}"


def told(facts: Mapping[str, object]) -> dict[str, str]:
    """Write facts as text; what is empty is left out."""
    texts = {name: str(value) for name, value in facts.items() if value is not None}
    return {name: text for name, text in texts.items() if text}
