"""What people write freely reaches a service by its operators too: no card number passes there."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paymesh
import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.errors import InvalidRequest
from chassis.interceptors import validate
from edge_auth.routes import PUBLIC
from privacy.messages import FREE_TEXT

CARD = "paid by 4242 4242 4242 4242, he says"
_FORMS = ("pattern", "in", "const", "email", "uuid", "ip", "uri", "hostname", "address")
_SHORT = 12  # characters: less than a card number has
_MONEY = [
    "amount", "amounts", "floor", "ceiling", "credit_limit", "platform_fee", "fee", "fees",
    "fee_returned", "reserved", "sold", "bought", "spread", "booked", "expected", "received",
    "paid",
]  # fmt: skip
# Strings of requests that need neither a form nor a search, by name, with the reason.
NEITHER = {
    **dict.fromkeys(_MONEY, "parsed as money, or refused"),
    **dict.fromkeys(["page_token", "resume_token"], "parsed, never stored"),
    **dict.fromkeys(
        ["account_id", "wallet_id", "idempotency_key", "credential_id"], "looked up, never stored"
    ),
    **dict.fromkeys(
        ["actor_id", "object_id", "object_kind", "action"], "filter the audit log, never stored"
    ),
    **dict.fromkeys(["buyer_id", "buyer_email", "seller_accounts"], "searched at the edge"),
    **dict.fromkeys(["key", "value"], "of ResumeCharge's details: searched at the edge"),
    **dict.fromkeys(["content_type", "type_url"], "of a webhook, which its PSP has signed"),
    "subject_id": "the id of an object of ours, written by our services",
}


def internal_requests() -> dict[str, Descriptor]:
    """List the requests of every RPC that the edge does not screen."""
    found = {}
    public = {service.full_name for service in PUBLIC}
    for root in map(Path, paymesh.__path__):
        for path in sorted(root.rglob("*_pb2.py")):
            name = ".".join(["paymesh", *path.relative_to(root).with_suffix("").parts])
            services = importlib.import_module(name).DESCRIPTOR.services_by_name.values()
            for service in services:
                if service.full_name not in public:
                    for method in service.methods:
                        found[method.input_type.full_name] = method.input_type
    return found


REQUESTS = internal_requests()


def strings(
    message: Descriptor, path: str = "", seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str, FieldDescriptor]]:
    """List the text fields that a message leads to; free text with all below it once."""
    for field in message.fields:
        here = f"{path}.{field.name}".lstrip(".")
        inner = field.message_type
        if field.name in FREE_TEXT or field.type == FieldDescriptor.TYPE_STRING:
            yield here, field
        elif inner is not None and inner.full_name not in seen:
            yield from strings(inner, here, seen | {inner.full_name})


def has_form(field: FieldDescriptor) -> bool:
    """Tell whether the field's rules leave no room for free text."""
    options: Any = field.GetOptions()
    rules = options.Extensions[validate_pb2.field]
    texts = rules.repeated.items.string if field.is_repeated else rules.string
    return any(getattr(texts, form) for form in _FORMS) or 0 < texts.max_len <= _SHORT


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_every_text_is_bound_or_searched(name: str) -> None:
    """A string of a request has a form by its rules, or is searched for card numbers, or is here
    with the reason why neither is needed.
    """
    loose = [
        path
        for path, field in strings(REQUESTS[name])
        if field.name not in FREE_TEXT and not has_form(field) and field.name not in NEITHER
    ]  # fmt: skip

    assert loose == []


def holding(message: Message, names: list[str]) -> Message:
    """Put a card number at a path."""
    field = message.DESCRIPTOR.fields_by_name[names[0]]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)["note"] = CARD
    elif field.type == FieldDescriptor.TYPE_STRING:
        if field.is_repeated:
            getattr(message, field.name).append(CARD)
        else:
            setattr(message, field.name, CARD)
    else:
        value = getattr(message, field.name)
        holding(value.add() if field.is_repeated else value, names[1:])
    return message


FREE = [
    (name, path)
    for name, request in sorted(REQUESTS.items())
    for path, field in strings(request)
    if field.name in FREE_TEXT and field.type != FieldDescriptor.TYPE_ENUM
]


def test_free_text_is_there() -> None:
    """The list below is not empty: reasons, notes, evidence."""
    assert len(FREE) > 15


@pytest.mark.parametrize(("name", "path"), FREE, ids=lambda value: value)
def test_a_card_number_in_free_text_is_refused(name: str, path: str) -> None:
    """Before anything else, with the field's path, and it is not repeated."""
    request = holding(GetMessageClass(REQUESTS[name])(), path.split("."))

    with pytest.raises(InvalidRequest) as refused:
        validate(request)

    (violation,) = refused.value.violations
    assert violation.reason == "CARD_NUMBER_REFUSED"
    assert violation.field.replace("[0]", "").startswith(path)
    assert "4242" not in str(refused.value)


def test_who_looks_at_requests_by_himself_is_known() -> None:
    """Every RPC is held to its rules by the gate, but for one, which `test_glance.py` watches."""
    root = Path(__file__).parents[2]
    services = [*root.glob("*_svc"), root / "edge_auth", root / "psp_gateway", root / "audit_log"]
    marked = [
        str(path.relative_to(root))
        for service in services
        for path in service.rglob("*.py")
        for _ in range(path.read_text().count('["check"]'))
    ]

    assert marked == ["ledger_svc/glance.py"]
