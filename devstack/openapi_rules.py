"""The rules of protovalidate as words of JSON Schema.

A rule that has no word here stops the generator: the description never says less than it could
without anybody knowing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

Json = dict[str, Any]

_IP: Json = {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
_WORDS: Mapping[str, Mapping[str, Callable[[Any], Json]]] = {
    "string": {
        "pattern": lambda pattern: {"pattern": pattern},
        "min_len": lambda length: {"minLength": length},
        "max_len": lambda length: {"maxLength": length},
        "len": lambda length: {"minLength": length, "maxLength": length},
        "not_contains": lambda one: {"pattern": f"^[^\\u{ord(one):04x}]*$"},
        "email": lambda _: {"format": "email"},
        "uuid": lambda _: {"format": "uuid"},
        "ip": lambda _: _IP,
        "in": lambda values: {"enum": list(values)},
    },
    "int32": {
        "gte": lambda bound: {"minimum": bound},
        "gt": lambda bound: {"exclusiveMinimum": bound},
        "lte": lambda bound: {"maximum": bound},
        "lt": lambda bound: {"exclusiveMaximum": bound},
    },
    "enum": {
        "defined_only": lambda _: {},  # the names are listed anyway
        "not_in": lambda _: {},  # 0, which is never listed
    },
}


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether a request without this field is refused."""
    rules = _rules(field)
    return bool(rules.required or (field.is_repeated and rules.repeated.min_items))


def of_value(field: FieldDescriptor) -> Json:
    """Say what the rules ask of a single value, or of each item of a list.

    Raises:
        KeyError: a rule has no word in JSON Schema here.
    """
    rules = _rules(field)
    if field.is_repeated:
        return _words(rules.repeated.items)
    said = _words(rules)
    if rules.required and field.type == field.TYPE_STRING and "pattern" not in said:
        said.setdefault("minLength", 1)
    return _or_empty(said) if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE else said


def of_list(field: FieldDescriptor) -> Json:
    """Say what the rules ask of a list as a whole."""
    rules = _rules(field).repeated
    bounds = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}
    known = {rule.name: value for rule, value in rules.ListFields() if rule.name != "items"}
    return {bounds[name]: value for name, value in known.items()}


def _or_empty(said: Json) -> Json:
    """Let the empty string pass, too, which is as good as none."""
    if "pattern" in said:
        said["pattern"] = f"^$|{said['pattern']}"
    if "format" in said:
        said["anyOf"] = [{"const": ""}, {"format": said.pop("format")}]
    return said


def _words(rules: Any) -> Json:
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    said: Json = {}
    for rule, value in getattr(rules, kind).ListFields():
        said |= _WORDS[kind][rule.name](value)
    return said


def _rules(field: FieldDescriptor) -> Any:
    options: Any = field.GetOptions()
    return options.Extensions[validate_pb2.field]
