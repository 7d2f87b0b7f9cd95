"""Nothing private is logged or kept in the plain: checked on the sources, by names and by calls."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from privacy.events import HARMLESS
from tests.tidy.test_tidy import SERVICES, named, sources

PRODUCTION = sources("bookkeeping", "paging", "chassis", *SERVICES)
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "bind"}
_PRIVATE = re.compile(
    r"(^|_)(secrets?|password|payment_token|api_keys?|hmac_keys?|email|iban|holder|ip_address)$"
    r"|^(token|fingerprint_key|subject_key|database_url|redis_url)$"
)
_MASKED = re.compile(r"\b(Secret|Personal)\[|\bSecretKeys\b")
# Fields with a private name that hold nothing private.
_HARMLESS_FIELDS = {
    "Caller.secrets": "of a type that shows no value",  # pragma: allowlist secret
    "Delivery.secrets": "the names of secrets",  # pragma: allowlist secret
}


def log_calls(path: Path) -> Iterator[ast.Call]:
    """List the calls that log."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "tell":  # log.error or log.warning
            yield node
        level = isinstance(called, ast.Attribute) and called.attr in _LEVELS and called.value
        if level and re.search(r"\blog(ger\(\))?$", ast.unparse(level)):
            yield node


def test_log_calls_are_found() -> None:
    """The search below looks at something."""
    assert sum(len(list(log_calls(path))) for path in PRODUCTION) > 20


@pytest.mark.parametrize("path", PRODUCTION, ids=named)
def test_logs_hold_known_fields_of_known_types(path: Path) -> None:
    """A field is one that a log may hold, else it is dropped; its value is given as it is, not
    written into a text first, where its type could not mask it.
    """
    wrong = []
    for call in log_calls(path):
        fields = [keyword for keyword in call.keywords if keyword.arg not in (None, "exc_info")]
        wrong += [f"{call.lineno} {f.arg}" for f in fields if f.arg not in HARMLESS]
        for field in fields:
            texts = [n for n in ast.walk(field.value) if is_text_of_something(n)]
            wrong += [f"{call.lineno} {field.arg}={ast.unparse(text)}" for text in texts]
        wrong += [f"{call.lineno} positional" for arg in call.args[1:] if arg]

    assert wrong == []


def is_text_of_something(node: ast.AST) -> bool:
    """Tell whether an expression writes an object into a text: `repr`, a message's own text."""
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rpartition(".")[2]
    written = {"repr", "MessageToJson", "MessageToDict", "text_format", "asdict", "vars", "format"}
    return name in written or (name == "str" and "error" in ast.unparse(node))


@pytest.mark.parametrize("path", PRODUCTION, ids=named)
def test_private_fields_are_masked_by_their_type(path: Path) -> None:
    """A field of a dataclass with a private name is Secret or Personal, or in no repr."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef) or not node.decorator_list:
            continue
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            name, text = f"{node.name}.{field.target.id}", ast.unparse(field)
            is_private = _PRIVATE.search(field.target.id) and name not in _HARMLESS_FIELDS
            if is_private and not _MASKED.search(text) and "repr=False" not in text:
                wrong.append(text)

    assert wrong == []


@pytest.mark.parametrize("path", PRODUCTION, ids=named)
def test_nothing_is_printed(path: Path) -> None:
    """A service writes logs alone; `print` and the standard logger pass by what masks."""
    if path.name in ("server.py", "data_keys.py"):
        return  # before logs exist, and a command's own answer
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]

    assert not [c for c in calls if c in ("print", "logging.getLogger", "traceback.print_exc")]
