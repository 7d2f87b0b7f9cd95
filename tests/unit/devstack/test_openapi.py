"""What the description of the API says of each kind of thing in the protos."""

import json
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from paymesh.payment.v1 import payment_pb2 as noun

from devstack import openapi
from devstack.openapi import document
from devstack.openapi_rules import of_value
from devstack.openapi_schemas import Schemas

Json = dict[str, Any]
DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation
    for verbs in DOCUMENT["paths"].values()
    for operation in verbs.values()
}


def body(operation: str) -> Json:
    """Give the schema of a request's body."""
    schema: Json = OPERATIONS[operation]["requestBody"]["content"]["application/json"]["schema"]
    return schema


def parameters(operation: str) -> dict[str, Json]:
    """Give the parameters by name."""
    given = OPERATIONS[operation]["parameters"]
    shared = DOCUMENT["components"]["parameters"]
    resolved = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in given]
    return {parameter["name"]: parameter for parameter in resolved}


def test_every_public_method_is_described_with_its_own_words() -> None:
    """No method, field or parameter comes without a description."""
    methods = {method.name for service in openapi.PUBLIC for method in service.methods}
    silent = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, said in schema["properties"].items()
        if name != "Error" and "description" not in said
    ]
    told = [p for name in OPERATIONS for p in parameters(name).values() if p.get("description")]

    assert set(OPERATIONS) == methods
    assert silent == []
    assert len(told) == sum(len(parameters(name)) for name in OPERATIONS)
    assert all(operation["description"] for operation in OPERATIONS.values())


def test_rules_of_the_protos_are_said() -> None:
    """Patterns, lengths, counts, formats and what is required are those of protovalidate."""
    create, properties = body("CreatePayment"), body("CreatePayment")["properties"]
    buyer = SCHEMAS["BuyerInfo"]["properties"]
    types = body("CreateWebhookEndpoint")["properties"]["event_types"]

    assert create["required"] == [
        "buyer_info", "checkout_id", "credit_card_info", "payment_orders",
    ]  # fmt: skip
    assert properties["checkout_id"]["pattern"] == "^[A-Za-z0-9_.:-]{1,64}$"
    orders = properties["payment_orders"]
    assert (orders["minItems"], orders["maxItems"]) == (1, 50)
    assert SCHEMAS["NewPaymentOrder"]["properties"]["amount"]["minLength"] == 1
    assert buyer["ip_address"]["anyOf"] == [{"format": "ipv4"}, {"format": "ipv6"}]
    assert buyer["email"]["anyOf"] == [{"const": ""}, {"format": "email"}]
    assert (types["uniqueItems"], types["maxItems"]) == (True, 64)
    assert types["items"]["maxLength"] == 64
    assert parameters("ListPayments")["page_size"]["schema"]["minimum"] == 0
    assert parameters("ListPayments")["currency"]["schema"]["pattern"] == "^$|^[A-Z]{3}$"
    assert body("RedeliverEvent")["oneOf"] == [{"required": ["event_id"]}, {"required": ["since"]}]


def test_requests_are_closed_and_answers_may_grow() -> None:
    """Unknown keys are refused in requests; answers may hold more keys and statuses."""
    payment = SCHEMAS["Payment"]

    assert all(
        not body(name)["additionalProperties"] for name in OPERATIONS if "Create" in name
    )  # fmt: skip
    assert SCHEMAS["BuyerInfo"]["additionalProperties"] is False
    assert "additionalProperties" not in payment
    assert "enum" not in payment["properties"]["status"]
    assert "COMPLETED" in payment["properties"]["status"]["examples"]
    assert "checkout_id" not in payment["required"]
    assert payment["properties"]["created_at"]["format"] == "date-time"
    assert body("CreatePayment")["properties"]["capture_method"]["enum"] == ["AUTOMATIC", "MANUAL"]


def test_path_fields_are_not_in_the_body() -> None:
    """What the path names is a parameter, and nothing else."""
    assert parameters("CapturePayment")["payment_id"]["in"] == "path"
    assert set(body("CapturePayment")["properties"]) == {"amount", "payment_orders"}


def test_keys_are_asked_for_where_the_protos_ask() -> None:
    """Writes that need a key say so, and what waits is a payment."""
    keyed = {name for name in OPERATIONS if "Idempotency-Key" in parameters(name)}
    waiting = {name for name in OPERATIONS if "Prefer" in parameters(name)}

    payments = {"CreatePayment", "CapturePayment", "CancelPayment", "CreateCheckoutSession"}
    assert waiting == payments | {"ResumePayment"}
    needed = payments | {"CreateWebhookEndpoint", "RotateWebhookSecret"}
    assert keyed == needed | {"RedeliverEvent", "DeleteWebhookEndpoint", "ResumePayment"}
    told = {name: parameters(name)["Idempotency-Key"]["required"] for name in keyed}
    assert told == {name: name in needed for name in keyed}
    assert all(("409" in OPERATIONS[name]["responses"]) == (name in keyed) for name in OPERATIONS)


def test_watching_is_an_event_stream() -> None:
    """It is server-sent events, whose data is told beside it."""
    content = OPERATIONS["WatchPayment"]["responses"]["200"]["content"]

    assert list(content) == ["text/event-stream"]
    assert content["text/event-stream"]["x-event-data"] == {
        "$ref": "#/components/schemas/PaymentEvent"
    }


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` points to what is not there."""
    text = json.dumps(DOCUMENT)
    names = {part.split('"')[0] for part in text.split('"$ref": "#/components/')[1:]}
    there = {f"{kind}/{name}" for kind, made in DOCUMENT["components"].items() for name in made}

    assert names <= there


def test_rule_without_a_word_stops_the_generator() -> None:
    """A new kind of rule in a proto is not left out in silence."""
    with pytest.raises(KeyError, match="hostname"):
        of_value(_field_with(validate_pb2.FieldRules(string={"hostname": True})))


def test_message_cannot_be_sent_and_answered() -> None:
    """The two are held to different rules, so that one name cannot stand for both."""
    schemas = Schemas({})
    schemas.answer(noun.DESCRIPTOR.message_types_by_name["BuyerInfo"])
    request = openapi.PUBLIC[0].methods_by_name["CreatePayment"].input_type

    with pytest.raises(ValueError, match="BuyerInfo is both"):
        schemas.request(request, without=())


def _field_with(rules: validate_pb2.FieldRules) -> FieldDescriptor:
    """Make a string field with these rules."""
    file = descriptor_pb2.FileDescriptorProto(name="made_for_test.proto", syntax="proto3")
    file.dependency.append("buf/validate/validate.proto")
    field = file.message_type.add(name="Made").field.add(
        name="name", number=1, type=FieldDescriptor.TYPE_STRING, label=1
    )
    field.options.Extensions[validate_pb2.field].CopyFrom(rules)
    pool = descriptor_pool.Default()
    return pool.AddSerializedFile(file.SerializeToString()).message_types_by_name["Made"].fields[0]
