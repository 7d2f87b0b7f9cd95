"""Finds the texts of a protobuf message, by field path, and card numbers among them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from privacy.card_numbers import holds_card_number

# The fields that people write freely into, wherever they stand: `tests/contract/test_free_text.py`
# holds every request of ours against this list.
FREE_TEXT = frozenset(
    {"reason", "note", "description", "display_name", "texts", "metadata", "evidence"}
    | {"evidence_link", "holder_name", "proposed_by", "approved_by"}
)
_LENGTH_DELIMITED = 2


def texts(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Tell a message's strings by their paths: map keys, and what its type does not know, too."""
    for field, value in message.ListFields():
        yield from _texts_of(field, value, prefix + field.name)
    strange: Any = UnknownFieldSet(message)
    for unknown in strange:
        if unknown.wire_type == _LENGTH_DELIMITED:
            yield f"{prefix}(field {unknown.field_number})", unknown.data.decode(errors="replace")


def card_number_in_free_text(message: Message) -> str | None:
    """Tell the path of the first field that people write freely and that holds a card number."""
    if not _plan(message.DESCRIPTOR):  # most messages, in one look-up
        return None
    return next((path for path, text in _free_texts(message, "") if holds_card_number(text)), None)


def _free_texts(message: Message, prefix: str) -> Iterator[tuple[str, str]]:
    for field in _plan(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if not value:
            continue
        path = prefix + field.name
        if isinstance(value, str):
            yield path, value
        elif field.name in FREE_TEXT:
            yield from _texts_of(field, value, path)
        elif field.is_repeated or message.HasField(field.name):
            for here, inner in _items(field, value, path):
                yield from _free_texts(inner, here + ".")


def _texts_of(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, str]]:
    for here, item in _items(field, value, path):
        if isinstance(item, Message):
            yield from texts(item, here + ".")
        elif isinstance(item, str):
            yield here, item


def _items(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Tell a field's values by path, a map's keys before its values."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from ((f"{path}.(key {at})", str(key)) for at, key in enumerate(value))
        yield from ((f"{path}.{key}", value[key]) for key in value)
    elif field.is_repeated:
        yield from ((f"{path}[{at}]", item) for at, item in enumerate(value))
    else:
        yield path, value


@cache
def _plan(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Name the fields of a message that are, or lead to, text that people write freely."""
    return tuple(field for field in descriptor.fields if _leads_there(field, frozenset()))


def _leads_there(field: FieldDescriptor, seen: frozenset[str]) -> bool:
    if field.name in FREE_TEXT and field.type != FieldDescriptor.TYPE_ENUM:
        return True
    inner = field.message_type
    if inner is None or inner.GetOptions().map_entry or inner.full_name in seen:
        return False
    return any(_leads_there(one, seen | {inner.full_name}) for one in inner.fields)
