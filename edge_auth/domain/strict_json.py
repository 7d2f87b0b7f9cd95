"""Reads JSON as strictly as money deserves: what the transcoder would drop in silence is refused.

Duplicate keys, unknown keys, numbers where strings belong, and card numbers anywhere.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_auth.domain import errors
from edge_auth.domain.errors import Denial
from edge_auth.domain.screening import is_offending
from privacy.card_numbers import holds_card_number

_DEPTH_MAX = 10
BODY_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Shape:
    """What a message may hold: its fields by JSON name.

    Attributes:
        kind: "message", "map" (any keys, each a value of `fields[""]`), "string", "number", "bool"
            or "any".
    """

    kind: str
    is_list: bool = False
    fields: Mapping[str, "Shape"] = field(default_factory=dict)


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, duplicates and all."""


class _Refused(Exception):
    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.reason)
        self.denial = denial


def check_body(body: bytes, shape: Shape) -> Denial | None:
    """Tell what is wrong with a body, first of all; None: nothing."""
    if len(body) > BODY_BYTES_MAX:
        return errors.too_large()
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_Pairs, parse_constant=_constant)
    except UnicodeDecodeError:
        return errors.malformed_json("The body is not UTF-8.")
    except RecursionError:
        return errors.malformed_json(f"The body is nested deeper than {_DEPTH_MAX}.")
    except json.JSONDecodeError as error:
        return errors.malformed_json(f"The body is not JSON: {error.msg} at byte {error.pos}.")
    except ValueError as error:
        return errors.malformed_json(str(error))
    if not isinstance(value, _Pairs):
        return errors.malformed_json("The body must be a JSON object.")
    try:
        _check_object(value, shape, "", 1)
    except _Refused as refused:
        return refused.denial
    return None


def _constant(name: str) -> Any:
    raise ValueError(f"The body is not JSON: {name} is no number.")


def _check_object(pairs: _Pairs, shape: Shape, prefix: str, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise _Refused(errors.malformed_json(f"The body is nested deeper than {_DEPTH_MAX}."))
    seen: set[str] = set()
    for key, value in pairs:
        path = prefix + key
        if holds_card_number(key):
            raise _Refused(errors.card_number(prefix + "(a key)"))
        if key in seen:
            raise _refused("DUPLICATE_FIELD", path, "occurs twice")
        seen.add(key)
        if shape.kind == "message":
            if key not in shape.fields:
                raise _refused("UNKNOWN_FIELD", path, "is not a field of this request")
            _check_field(value, shape.fields[key], path, depth)
        elif shape.kind == "map":
            _check_field(value, shape.fields[""], path, depth)
        else:
            _check_value(value, Shape("any"), path, depth)


def _check_field(value: Any, shape: Shape, path: str, depth: int) -> None:
    if not shape.is_list:
        _check_value(value, shape, path, depth)
        return
    if isinstance(value, _Pairs) or not isinstance(value, list):
        raise _refused("INVALID_FIELD", path, "must be a list")
    item_shape = Shape(shape.kind, fields=shape.fields)
    for index, item in enumerate(value):
        _check_value(item, item_shape, f"{path}[{index}]", depth)


def _check_value(value: Any, shape: Shape, path: str, depth: int) -> None:
    if isinstance(value, str) and is_offending(path, value):
        raise _Refused(errors.card_number(path))
    if isinstance(value, _Pairs):
        if shape.kind not in ("message", "map", "any"):
            raise _refused("INVALID_FIELD", path, f"must be a {shape.kind}")
        _check_object(value, shape, path + ".", depth + 1)
    elif isinstance(value, list):
        if shape.kind != "any":
            raise _refused("INVALID_FIELD", path, "must not be a list")
        for index, item in enumerate(value):
            _check_value(item, shape, f"{path}[{index}]", depth + 1)
    elif shape.kind == "string" and not isinstance(value, str):
        raise _refused("INVALID_FIELD", path, "must be a JSON string")
    elif shape.kind in ("message", "map"):
        raise _refused("INVALID_FIELD", path, "must be a JSON object")


def _refused(reason: str, path: str, message: str) -> _Refused:
    # A path is built of keys; one that is too long to be ours is not repeated.
    return _Refused(errors.refused_field(reason, path[:200], message))
