"""NUL characters, which PostgreSQL keeps in no text: refused by their field, wherever a text could
get as far as a query.
"""

import importlib
from collections.abc import Iterator, MutableMapping

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.errors import InvalidRequest
from chassis.interceptors import validate

MODULES = [
    "paymesh.payment.v1.payment_service_pb2",
    "paymesh.payment.v1.operations_service_pb2",
    "paymesh.payment.v1.webhook_endpoint_service_pb2",
    "paymesh.edge.v1.client_service_pb2",
    "paymesh.risk.v1.risk_service_pb2",
]
# Strings that are held to more than the rules of their protos can say before they go anywhere.
READ_FIRST = {
    **dict.fromkeys(["amount", "amount_min", "amount_max"], "parsed as money, or refused"),
    **dict.fromkeys(["url", "success_url", "cancel_url"], "parsed as a URL, or refused"),
    "page_token": "parsed, or refused; that of clients is looked up and has a rule",
    "event_types": "one of those that there are, or refused",
    **dict.fromkeys(["key", "value"], "what a buyer brings: told to a PSP, kept nowhere"),
    "description": "of a page: in a JSON that is kept encrypted",
    "credential_id": "compared with those of its client, here",
    "buyer_id": "a text of a batch, whose writers hold it to a pattern",
    "seller_accounts": "kept nowhere",
}
# Of the names above, those that are looked up or kept as they come.
LOOKED_UP = {
    "ListPaymentsRequest.buyer_id",
    "ListClientsRequest.page_token",
    "CreateWebhookEndpointRequest.description",
}


def texts(message: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the paths of a request's strings."""
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (*path, field.name)
        elif field.message_type is not None and field.message_type.full_name.startswith("paymesh"):
            yield from texts(field.message_type, (*path, field.name))


def requests() -> Iterator[tuple[Descriptor, tuple[str, ...]]]:
    """List the strings of all requests."""
    for module in MODULES:
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for path in texts(method.input_type):
                    yield method.input_type, path


def holding(message: Message, path: tuple[str, ...]) -> Message:
    """Put a NUL at a path."""
    name, *rest = path
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    if isinstance(value, MutableMapping):
        value["\x00"] = "\x00"
    elif rest:
        holding(value.add() if field.is_repeated else value, tuple(rest))
    elif field.is_repeated:
        value.append("\x00")
    else:
        setattr(message, name, "\x00")
    return message


TEXTS = {f"{request.name}.{'.'.join(path)}": (request, path) for request, path in requests()}


def wrong(message: Message) -> set[str]:
    """Name the fields of a request that are refused."""
    try:
        validate(message)
    except InvalidRequest as refused:
        return {violation.field.replace("[0]", "") for violation in refused.violations}
    return set()


@pytest.mark.parametrize("place", sorted(TEXTS))
def test_a_nul_is_refused_by_its_field(place: str) -> None:
    """Each string of a request says so, or is here with the reason why it need not."""
    request, path = TEXTS[place]
    need_not = path[-1] in READ_FIRST and place not in LOOKED_UP

    assert need_not or ".".join(path) in wrong(holding(GetMessageClass(request)(), path))
