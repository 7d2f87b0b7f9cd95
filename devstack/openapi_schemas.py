"""Messages as JSON schemas: types as the transcoder writes them, rules as the protos say them."""

from collections.abc import Collection, Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Json = dict[str, Any]

_F = FieldDescriptor
_SCALARS: Mapping[int, Json] = {
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_INT32: {"type": "integer", "format": "int32"},
    _F.TYPE_INT64: {"type": "string", "format": "int64"},
    _F.TYPE_DOUBLE: {"type": "number"},
}
_KNOWN: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Empty": {"type": "object"},
}


class Schemas:
    """Makes schemas; those that are referred to are kept in `made`.

    Args:
        words: the protos' comments, by full name.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words
        self.made: dict[str, Json] = {}

    def request(self, message: Descriptor, *, without: Collection[str]) -> Json:
        """Make the schema of a body: what it does not name is refused."""
        return {"schema": self._object(message, is_request=True, without=without)}

    def answer(self, message: Descriptor) -> Json:
        """Make the schema of an answer; more may be in it than it names."""
        if message.full_name in _KNOWN:
            return dict(_KNOWN[message.full_name])
        return self._referred(message, is_request=False)

    def parameter(self, message: Descriptor, name: str) -> Json:
        """Make what a path or query parameter says of itself."""
        field = message.fields_by_name[name]
        made = {"schema": self._one(field, is_request=True)}
        return self._described(made, field.full_name)

    def _referred(self, message: Descriptor, *, is_request: bool) -> Json:
        if message.full_name in _KNOWN:
            return dict(_KNOWN[message.full_name])
        name = message.full_name.removeprefix("paymesh.payment.v1.")
        if name not in self.made:
            self.made[name] = {}
            self.made[name] = self._object(message, is_request=is_request)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(
        self, message: Descriptor, *, is_request: bool, without: Collection[str] = ()
    ) -> Json:
        fields = [field for field in message.fields if field.name not in without]
        made: Json = {
            "type": "object",
            "properties": {f.name: self._field(f, is_request=is_request) for f in fields},
        }
        if is_request:
            made["additionalProperties"] = False
            required = [f.name for f in fields if _is_required(f)]
        else:
            required = [f.name for f in fields if not f.has_presence]
        if required:
            made["required"] = required
        return self._described(made, message.full_name)

    def _field(self, field: FieldDescriptor, *, is_request: bool) -> Json:
        made = self._one(field, is_request=is_request)
        if field.is_repeated:
            made = {"type": "array", "items": made}
            rules = _rules(field).repeated
            if is_request and rules.HasField("min_items"):
                made["minItems"] = rules.min_items
            if is_request and rules.HasField("max_items"):
                made["maxItems"] = rules.max_items
        return self._described(made, field.full_name)

    def _one(self, field: FieldDescriptor, *, is_request: bool) -> Json:
        if field.message_type is not None:
            return self._referred(field.message_type, is_request=is_request)
        if field.enum_type is not None:
            return self._enum(field.enum_type, is_request=is_request)
        made = dict(_SCALARS[field.type])
        if is_request:
            _add_rules(made, field)
        return made

    def _enum(self, enum: EnumDescriptor, *, is_request: bool) -> Json:
        """List the names; an answer may one day hold more, so only a request is held to them."""
        names = [value.name for value in enum.values if value.number]
        told = [f"- `{name}`: {self.words.get(f'{enum.full_name}.{name}', '')}" for name in names]
        made: Json = {"type": "string", "description": "\n".join(told)}
        if is_request:
            made["enum"] = names
        else:
            made["examples"] = names
        return made

    def _described(self, made: Json, full_name: str) -> Json:
        words = [self.words.get(full_name, ""), made.get("description", "")]
        text = "\n\n".join(word for word in words if word)
        return {**made, "description": text} if text else made


def _rules(field: FieldDescriptor) -> Any:
    options: Any = field.GetOptions()
    return options.Extensions[validate_pb2.field]


def _is_required(field: FieldDescriptor) -> bool:
    rules = _rules(field)
    return bool(rules.required or (field.is_repeated and rules.repeated.min_items))


def _add_rules(made: Json, field: FieldDescriptor) -> None:
    rules = _rules(field)
    text, number = rules.string, rules.int32
    if text.pattern:
        made["pattern"] = text.pattern
    if text.max_len:
        made["maxLength"] = text.max_len
    if text.min_len:
        made["minLength"] = text.min_len
    if text.email:
        made["format"] = "email"
    if number.HasField("gte"):
        made["minimum"] = number.gte
    if number.HasField("lte"):
        made["maximum"] = number.lte
