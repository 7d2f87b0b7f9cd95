"""The description of the API is valid, served, and true: schemathesis tries the edge by it."""

import json
import urllib.request
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from devstack.openapi import PAGE, document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
API = schemathesis.openapi.from_dict(document())


def test_description_is_valid_and_committed() -> None:
    """It is OpenAPI 3.1, and the page says what the protos say."""
    validate(document())

    assert json.loads(PAGE.read_text()) == document()


def test_edge_serves_it_to_anybody(stack: dict[str, Any]) -> None:
    """Without a key, as JSON."""
    with urllib.request.urlopen(stack["edge"]["url"] + "/openapi.json", timeout=10) as answer:
        served = json.load(answer)
        assert answer.headers["content-type"] == "application/json"

    assert served == document()


@pytest.mark.timeout(300)
@API.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_edge_answers_as_described(stack: dict[str, Any], case: schemathesis.Case) -> None:
    """Whatever the description allows, and what it forbids, is answered in its terms: no fault of
    ours, a status that is listed, a body of its shape.
    """
    headers = {"Authorization": f"Bearer {stack['client']['api_key']}"}

    answer = case.call(base_url=stack["edge"]["url"], headers=headers, timeout=30)

    case.validate_response(answer, checks=CHECKS)
