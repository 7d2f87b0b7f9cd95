"""What `/control` is sent, checked field by field, so that a slip in a test is told and not
swallowed.
"""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from devstack.sandbox.entry import MONEY_KINDS
from devstack.sandbox.faults import STAGES, Fault
from devstack.sandbox.world import WebhookSwitches

_MATCH = frozenset({"psp", "operation", "metadata"})
_COMMON = frozenset({"kind", "times", "probability", "skip", "match"})
_OWN: Mapping[str, frozenset[str]] = {
    "slow": frozenset({"delay_ms"}),
    "rate_limit": frozenset({"retry_after_s"}),
    "charge_then_timeout": frozenset({"hold_s"}),
    "wrong_amount": frozenset({"off_by"}),
    "charge_then_refuse": frozenset({"status"}),
    "error_before": frozenset({"cached"}),
}
_DELAY_MAX_MS = 600_000
_PAGE_MAX = 10_000
_FILTERS = frozenset({"after", "limit", "kind"})
_METADATA = "metadata."


class BadControl(ValueError):
    """The input is wrong; the message says where and how."""


def read_object(body: bytes, known: Collection[str]) -> dict[str, Any]:
    """Read a JSON object whose keys are known.

    Raises:
        BadControl: it is none.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        raise BadControl("the body must be JSON") from error
    return _object(content, known, "the body")


def read_switch(body: bytes, name: str) -> bool:
    """Read `{name: true|false}`.

    Raises:
        BadControl: it is something else.
    """
    value = read_object(body, {name}).get(name)
    if not isinstance(value, bool):
        raise BadControl(f"{name} must be true or false")
    return value


def read_webhooks(body: bytes) -> WebhookSwitches:
    """Read how webhooks go out; what is not named is as it is without any word.

    Raises:
        BadControl: it is something else.
    """
    given = read_object(body, {"hold", "copies", "shuffle", "delay_ms", "lose"})
    for name in ("hold", "shuffle"):
        if not isinstance(given.get(name, False), bool):
            raise BadControl(f"{name} must be true or false")
    for name, most in (("copies", 10), ("delay_ms", 60_000)):
        value = given.get(name, 1)
        if type(value) is not int or not 0 <= value <= most:
            raise BadControl(f"{name} must be 0 to {most}")
    lose = given.get("lose", 0)
    if isinstance(lose, bool) or not isinstance(lose, int | float) or not 0 <= lose <= 1:
        raise BadControl("lose must be 0 to 1")
    return WebhookSwitches(**given)


def read_dispute(body: bytes) -> dict[str, str]:
    """Read which charge is disputed and why, or which dispute goes on by which step.

    Raises:
        BadControl: it is something else.
    """
    given = read_object(body, {"psp", "reference", "reason", "step"})
    asked = {name: _text(given, name) or "" for name in ("psp", "reference", "reason", "step")}
    if not asked["reference"]:
        raise BadControl("reference must be given")
    return asked


def read_advance(body: bytes) -> float:
    """Read how far the clock moves on, in seconds.

    Raises:
        BadControl: no number above zero.
    """
    content = read_object(body, {"advance_s"})
    return _number(content, "advance_s", 0.0, 10 * 365 * 86_400.0)


def read_lag(body: bytes) -> float:
    """Read how far lists lag behind, in seconds; 0 for not at all.

    Raises:
        BadControl: no number of seconds.
    """
    content = read_object(body, {"lag_s"})
    return 0.0 if content.get("lag_s") == 0 else _number(content, "lag_s", 0.0, 30 * 86_400.0)


def read_fault(body: bytes, number: int) -> Fault:
    """Read a fault and when it strikes.

    Raises:
        BadControl: a field is unknown, missing, of the wrong type or out of its range.
    """
    content = read_object(body, _COMMON | {name for own in _OWN.values() for name in own})
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in STAGES:
        raise BadControl(f"kind must be one of {', '.join(STAGES)}")
    for name in content.keys() - _COMMON - _OWN.get(kind, frozenset()):
        raise BadControl(f"{name} has no meaning for {kind}")
    match = _object(content.get("match", {}), _MATCH, "match")
    metadata = _object(match.get("metadata", {}), None, "match.metadata")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise BadControl(f"match.metadata.{key} must be a string")
    chance = "probability" in content
    fault = Fault(
        number=number,
        kind=kind,
        times=_whole(content, "times", 1) if "times" in content else None if chance else 1,
        probability=_number(content, "probability", 0.0, 1.0) if chance else 1.0,
        skip=_whole(content, "skip", 0) if "skip" in content else 0,
        psp=_text(match, "psp"),
        operation=_text(match, "operation"),
        metadata=metadata,
    )
    _read_own(content, fault)
    return fault


def _read_own(content: Mapping[str, Any], fault: Fault) -> None:
    """Fill in what only some kinds have."""
    if fault.kind == "slow":
        fault.delay_ms = _whole(content, "delay_ms", 1, _DELAY_MAX_MS)
    if "retry_after_s" in content:
        fault.retry_after_s = _whole(content, "retry_after_s", 0)
    if "hold_s" in content:
        fault.hold_s = _number(content, "hold_s", 0.0, _DELAY_MAX_MS / 1000)
    if "off_by" in content:
        fault.off_by = _whole(content, "off_by", -(10**9))
        if fault.off_by == 0:
            raise BadControl("off_by must not be 0")
    if "status" in content:
        fault.status = _whole(content, "status", 402, 429)
        if fault.status not in (402, 429):
            raise BadControl("status must be 402 or 429")
    if "cached" in content:
        if not isinstance(content["cached"], bool):
            raise BadControl("cached must be true or false")
        fault.cached = content["cached"]


class RecordQuery:
    """Which lines of the record are asked for.

    Args:
        query: `after` (a seq, default 0), `limit` (1 to 10,000, default 1,000), `kind` (one, or
            `all` for the bookkeeping too; default: those about money) and `metadata.KEY`.

    Raises:
        BadControl: a parameter is unknown or out of its range.
    """

    def __init__(self, query: Mapping[str, str]) -> None:
        for name in query:
            if name not in _FILTERS and not (name.startswith(_METADATA) and name != _METADATA):
                raise BadControl(f"unknown parameter {name}")
        self.after = _digits(query, "after", 0, 0, 10**15)
        self.limit = _digits(query, "limit", 1_000, 1, _PAGE_MAX)
        kind = query.get("kind")
        self.kinds = MONEY_KINDS if kind is None else None if kind == "all" else frozenset({kind})
        self.metadata = {
            name.removeprefix(_METADATA): value
            for name, value in query.items()
            if name.startswith(_METADATA)
        }


def _object(value: object, known: Collection[str] | None, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadControl(f"{name} must be a JSON object")
    for key in value:
        if known is not None and key not in known:
            raise BadControl(f"unknown field {key} in {name}")
    return value


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise BadControl(f"{name} must be a string")
    return value


def _whole(content: Mapping[str, Any], name: str, least: int, most: int = 10**9) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadControl(f"{name} must be a whole number from {least} to {most}")
    return value


def _number(content: Mapping[str, Any], name: str, above: float, most: float) -> float:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadControl(f"{name} must be a number")
    if not above < value <= most:
        raise BadControl(f"{name} must be above {above:g} and at most {most:g}")
    return float(value)


def _digits(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise BadControl(f"{name} must be a whole number from {least} to {most}")
    return int(text)
