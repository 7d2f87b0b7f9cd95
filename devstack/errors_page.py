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
_NATIVE, _LAST = "–", 999
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}

_HEAD = """# Errors

Made of what [a test run](../../tests/e2e/test_errors.py) saw; do not edit it by hand.

Every error has the same shape, whoever writes it. `reason` is stable and meant for programs,
`message` for people. Where one field is at fault, `metadata.field` has its path, and a `BadRequest`
detail lists all of them. gRPC callers find the same `google.rpc.Status` in
`grpc-status-details-bin`, with the same code, message and details.

A request that was refused has stored nothing and has not used up its Idempotency-Key. Only after
500, 503 and 504 that is not known, and after 499, which a service that ends midway may leave:
ask again with the same key, which makes no second payment.
With 429 and 503 the header `Retry-After` (and the detail `RetryInfo`) tells the seconds to wait.
A native call whose headers are over 16 KiB, or have an underscore in a name, is cut off by a reset
of its stream, without details.

```json
%s
```

A decline is no error: the payment is accepted, and ends FAILED with `failure.reason`.

| HTTP | gRPC | reason | what it means | what to do |
|---|---|---|---|---|
"""
_CASES = """
## Each case that was tried

"gRPC" says that the native call was tried too and was refused alike; with "–" as its HTTP status,
that only a native caller can send it.

| request | HTTP | reason | field | gRPC |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one wrong request was answered.

    Attributes:
        status: of HTTP; None: only a native caller can send it.
        is_native: the gRPC form of it was answered alike.
    """

    title: str
    status: int | None
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
    kinds = {(one.status or _LAST, one.body["code"], one.info["reason"]) for one in seen}
    for status, code, reason in sorted(kinds):
        http, told = status if status != _LAST else _NATIVE, reasons[reason]
        page += f"| {http} | {_CODES[code]} | `{reason}` | {told['means']} | {told['do']} |\n"
    page += _CASES
    for one in seen:
        path = one.info.get("metadata", {}).get("field", "")
        shown = f"`{path}`" if path else ""
        native = "yes" if one.is_native else ""
        http, reason = one.status or _NATIVE, one.info["reason"]
        page += f"| {one.title} | {http} | `{reason}` | {shown} | {native} |\n"
    return page


def _plain(text: str) -> str:
    """Take out what differs from run to run."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", text)
