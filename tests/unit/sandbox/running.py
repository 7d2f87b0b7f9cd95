"""A sandbox in a process of its own, as the tests of it use it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import stripe

_DEADLINE_S = 60


class RunningSandbox:
    """A `python -m devstack.sandbox` that ends with its `with` block."""

    def __init__(self, record: Path, *options: str) -> None:
        self.record = record
        command = [sys.executable, "-m", "devstack.sandbox", "--port", "0", "--record", str(record)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline() or "{}")
        assert ready.get("ready") is True, "the sandbox did not start"
        self.url: str = ready["url"]
        self._sessions = stripe.RequestsClient(timeout=_DEADLINE_S)
        self.sdk = stripe.StripeClient(
            "sk_test_sandbox",
            base_addresses={"api": f"{self.url}/stripe"},
            max_network_retries=0,
            http_client=self._sessions,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.terminate()
        self._sessions.close()  # type: ignore[no-untyped-call]

    def terminate(self) -> int:
        """Ask it to stop; give its exit code."""
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(_DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call `/control`; give the JSON answer of a call that must succeed."""
        status, answer = self.http(method, f"/control{path}", body)
        assert status == 200, answer
        return answer

    def fault(self, kind: str, **fields: object) -> None:
        """Put a fault in force."""
        self.control("POST", "/faults", {"kind": kind, **fields})

    def struck(self) -> dict[str, int]:
        """Tell how often each kind of fault took effect."""
        counts: dict[str, int] = self.control("GET", "/faults")["struck"]
        return counts

    def entries(self, query: str = "") -> list[dict[str, Any]]:
        """Read the record through `/control/record`."""
        found: list[dict[str, Any]] = self.control("GET", f"/record{query}")["entries"]
        return found

    def kinds(self, query: str = "") -> list[str]:
        """List the kinds of lines of the record."""
        return [entry["kind"] for entry in self.entries(query)]

    def http(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make a plain HTTP call; a body that is no bytes goes as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, headers=dict(headers or {}), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_DEADLINE_S) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read()
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content.decode()
