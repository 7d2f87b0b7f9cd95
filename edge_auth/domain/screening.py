"""Tells which text of a request holds a card number where none may stand."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote_plus

from privacy.card_numbers import holds_card_number

# An amount of trillions has digits enough for a card number; no card number has a decimal point.
_AMOUNT_NAMES = frozenset({"amount", "amount_min", "amount_max"})
_AMOUNT = re.compile(r"\d{1,15}\.\d{1,4}", re.ASCII)
# Numbers by which others trace a request are chance, and long; credentials are never kept.
_UNREAD_NAMES = frozenset(
    {"authorization", "traceparent", "tracestate", "baggage", "sentry-trace", "newrelic", "b3"}
    | {"content-length", "x-amzn-trace-id", "x-cloud-trace-context", "x-request-id"}
)
_UNREAD_PREFIXES = (":", "x-b3-", "x-datadog-", "x-envoy-", "x-forwarded-", "x-paymesh-", "grpc-")


def is_offending(path: str, text: str) -> bool:
    """Tell whether a field, by its path, holds a card number; an amount is none."""
    name = path.rpartition(".")[2]
    if name in _AMOUNT_NAMES and _AMOUNT.fullmatch(text):
        return False
    return holds_card_number(text)


def offending(texts: Iterable[tuple[str, str]]) -> str | None:
    """Tell the path of the first text that holds a card number."""
    return next((path for path, text in texts if is_offending(path, text)), None)


def offending_line(path: str, headers: Mapping[str, str]) -> str | None:
    """Look outside the body: at the path with its query, and the headers that others may keep."""
    place, _, query = path.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    amounts = {name for name, text in pairs if name in _AMOUNT_NAMES and _AMOUNT.fullmatch(text)}
    rest = [text for pair in pairs if pair[0] not in amounts for text in pair]
    if any(map(holds_card_number, [unquote_plus(place), " x ".join(rest), *rest])):
        return "(the path)"
    return offending((name, text) for name, text in headers.items() if not _is_unread(name))


def _is_unread(name: str) -> bool:
    return name in _UNREAD_NAMES or name.startswith(_UNREAD_PREFIXES)
