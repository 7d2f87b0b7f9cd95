"""Messages as JSON schemas: types as the transcoder writes them, rules as the protos say them."""

from collections.abc import Collection, Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from devstack.openapi_rules import Json, is_required, of_list, of_value

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
        self._sent: dict[str, bool] = {}

    def request(self, message: Descriptor, *, without: Collection[str]) -> Json:
        """Make the schema of a body: what it does not name is refused."""
        return self._object(message, is_request=True, without=without)

    def answer(self, message: Descriptor) -> Json:
        """Make the schema of an answer; more may be in it than it names."""
        return self._referred(message, is_request=False)

    def parameter(self, message: Descriptor, name: str) -> Json:
        """Make what a path or query parameter says of itself.

        Raises:
            ValueError: the field is a message of its own, which no single parameter can hold.
        """
        field = message.fields_by_name[name]
        if field.message_type is not None and field.message_type.full_name not in _KNOWN:
            raise ValueError(f"{field.full_name} cannot be a parameter")
        made = {"schema": self._value(field, is_request=True)}
        return self._described(made, field.full_name)

    def _referred(self, message: Descriptor, *, is_request: bool) -> Json:
        """Refer to a message, made once. What is sent is held to rules, what is answered may grow:
        no message can be both.
        """
        if message.full_name in _KNOWN:
            return dict(_KNOWN[message.full_name])
        name = message.full_name.removeprefix("paymesh.payment.v1.")
        if self._sent.setdefault(name, is_request) != is_request:
            raise ValueError(f"{name} is both sent and answered")
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
            made |= _one_of(message)
            required = [f.name for f in fields if is_required(f)]
        else:
            required = [f.name for f in fields if not f.has_presence]
        if required:
            made["required"] = required
        return self._described(made, message.full_name)

    def _field(self, field: FieldDescriptor, *, is_request: bool) -> Json:
        return self._described(self._value(field, is_request=is_request), field.full_name)

    def _value(self, field: FieldDescriptor, *, is_request: bool) -> Json:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of_values = self._one(field.message_type.fields_by_name["value"], is_request=is_request)
            return {"type": "object", "additionalProperties": of_values}
        made = self._one(field, is_request=is_request)
        if is_request:
            made |= of_value(field)
        if field.is_repeated:
            made = {"type": "array", "items": made, **(of_list(field) if is_request else {})}
        return made

    def _one(self, field: FieldDescriptor, *, is_request: bool) -> Json:
        if field.message_type is not None:
            return self._referred(field.message_type, is_request=is_request)
        if field.enum_type is not None:
            return self._enum(field.enum_type, is_request=is_request)
        return dict(_SCALARS[field.type])

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


def _one_of(message: Descriptor) -> Json:
    """Say of which fields exactly one is needed; at most one such group in a message."""
    for group in message.oneofs:
        options: Any = group.GetOptions()
        if options.Extensions[validate_pb2.oneof].required:
            return {"oneOf": [{"required": [field.name]} for field in group.fields]}
    return {}
