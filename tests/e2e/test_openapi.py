"""The description of the API is valid, served, and true: schemathesis tries the edge by it."""

import json
import urllib.request
from http.client import HTTPConnection
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from devstack.openapi import PAGE, document

API = schemathesis.openapi.from_dict(document())
VERBS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
SIGNATURE = ("X-Paymesh-Timestamp", "X-Paymesh-Nonce", "X-Paymesh-Signature")
UNSUPPORTED = [
    (verb, path.replace("{payment_id}", "pay_0").replace("{endpoint_id}", "whe_0"))
    for path, operations in document()["paths"].items()
    for verb in sorted(VERBS - {verb.upper() for verb in operations})
]


def what_is_forbidden_is_refused(
    context: CheckContext, answer: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """What the description does not allow is 400, but for two things that the transcoder lets pass
    in queries: an enum by its number, and a parameter without a name.
    """
    query: dict[str, Any] = case.query or {}
    if "" in query or str(query.get("status", "")).lstrip("-").isdigit():
        return None
    return negative_data_rejection(context, answer, case)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    missing_required_header,
    ignored_auth,
    what_is_forbidden_is_refused,
]


def test_description_is_valid_and_committed() -> None:
    """It is OpenAPI 3.1, and the page says what the protos say."""
    validate(document())

    assert json.loads(PAGE.read_text()) == document()


def test_edge_serves_it_to_anybody(stack: dict[str, Any]) -> None:
    """Without a key, as JSON."""
    with urllib.request.urlopen(stack["edge"]["url"] + "/openapi.json", timeout=60) as answer:
        served = json.load(answer)
        assert answer.headers["content-type"] == "application/json"

    assert served == document()


@pytest.mark.parametrize("call", UNSUPPORTED, ids=" ".join)
def test_verb_that_is_not_described_is_refused(
    stack: dict[str, Any], call: tuple[str, str]
) -> None:
    """It is a 404 in the shape of every error, and nothing happens."""
    connection = HTTPConnection(stack["edge"]["url"].removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {stack['client']['api_key']}", "Idempotency-Key": "k"}
    connection.request(*call, body="{}", headers={**headers, "Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.load(answer)
    connection.close()

    assert (answer.status, body["details"][0]["reason"]) == (404, "NO_SUCH_PATH")


@pytest.mark.timeout(300)
@API.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_edge_answers_as_described(stack: dict[str, Any], case: schemathesis.Case) -> None:
    """Whatever the description allows, and what it forbids, is answered in its terms: no fault of
    ours, a status that is listed, a body and headers of its shape; nothing forbidden is let in.
    """
    headers = {"Authorization": f"Bearer {stack['client']['api_key']}"}
    for name in SIGNATURE:  # the demo client does not sign, and what is drawn is no signature
        case.headers.pop(name, None)

    answer = case.call(base_url=stack["edge"]["url"], headers=headers, timeout=30)

    case.validate_response(answer, checks=CHECKS)
