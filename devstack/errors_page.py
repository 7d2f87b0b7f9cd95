"""docs/reference/errors.md: every error of the public API, as a test run saw it.

`UPDATE_PAGES=1 pytest tests/e2e/test_errors.py` writes the page; without it the run fails when the
page says anything else than what was seen.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "errors.md"

_REASONS = PAGE.with_name("reasons.toml")
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}

_HEAD = """# Errors

Made of what [a test run](../../tests/e2e/test_errors.py) saw; do not edit it by hand.

Every error has the same shape, whoever writes it. `reason` is stable and meant for programs,
`message` for people. Where one field is at fault, `metadata.field` has its path, and a `BadRequest`
detail lists all of them. gRPC callers find the same `google.rpc.Status` in
`grpc-status-details-bin`. After any of these nothing is stored, and the Idempotency-Key is free.

```json
%s
```

A decline is no error: the payment is accepted, and ends FAILED with `failure.reason`.

| HTTP | gRPC | reason | what it means | what to do |
|---|---|---|---|---|
"""
_CASES = """
## Each case that was tried

"gRPC" says that the native call was tried too and was refused alike.

| request | HTTP | reason | field | gRPC |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one wrong request was answered; `is_native`: the gRPC form of it was answered alike."""

    title: str
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_native: bool = False

    @property
    def info(self) -> Mapping[str, Any]:
        """The ErrorInfo detail."""
        found: Mapping[str, Any] = self.body["details"][0]
        return found


def render(seen: Sequence[Seen]) -> str:
    """Write the page.

    Raises:
        KeyError: a reason was seen that reasons.toml does not explain.
    """
    reasons = tomllib.loads(_REASONS.read_text())
    example = next(one for one in seen if one.info["reason"] == "INVALID_AMOUNT")
    page = _HEAD % _plain(json.dumps(example.body, indent=2))
    kinds = {(one.status, one.body["code"], one.info["reason"]) for one in seen}
    for status, code, reason in sorted(kinds):
        told = reasons[reason]
        page += f"| {status} | {_CODES[code]} | `{reason}` | {told['means']} | {told['do']} |\n"
    page += _CASES
    for one in seen:
        path = one.info.get("metadata", {}).get("field", "")
        shown = f"`{path}`" if path else ""
        native = "yes" if one.is_native else ""
        page += f"| {one.title} | {one.status} | `{one.info['reason']}` | {shown} | {native} |\n"
    return page


def _plain(text: str) -> str:
    """Take out what differs from run to run."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", text)
