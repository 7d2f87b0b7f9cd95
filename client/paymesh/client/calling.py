"""One call over the wire: credentials, key, signature, deadline, and trying again what may be."""

import asyncio
import ipaddress
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from paymesh.client.errors import AGAIN, PaymeshError, to_error
from paymesh.client.signing import signature

Answer = TypeVar("Answer", bound=Message)
_WAIT_MAX_S = 30  # what the server waits at most


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take.

    Attributes:
        timeout_s: for one try, beside what the server is asked to wait.
        budget_s: for all tries of a call.
        backoff_s: the pause before the second try; it doubles, up to `backoff_max_s`.
    """

    timeout_s: float = 10.0
    budget_s: float = 60.0
    backoff_s: float = 0.2
    backoff_max_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who calls. With a secret every request is signed; it is never sent."""

    api_key: str
    signing_secret: str | None = None

    def metadata(self, path: str, body: bytes, key: str | None) -> dict[str, str]:
        """Write the metadata of a call that sends `body` to `path`."""
        told = {"authorization": f"Bearer {self.api_key}"}
        if key is not None:
            told["idempotency-key"] = key
        if self.signing_secret is None:
            return told
        timestamp, nonce = int(time.time()), secrets.token_urlsafe(18)
        told["x-paymesh-timestamp"], told["x-paymesh-nonce"] = str(timestamp), nonce
        told["x-paymesh-signature"] = signature(
            self.signing_secret, method="POST", path=path, timestamp=timestamp, nonce=nonce,
            idempotency_key=key or "", body=body,
        )  # fmt: skip
        return told


def open_channel(target: str, *, secure: bool | None) -> grpc.aio.Channel:
    """Open a channel to `host:port`; by TLS unless told otherwise or on loopback."""
    if _is_loopback(target) if secure is None else not secure:
        return grpc.aio.insecure_channel(target)
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials())


class Caller:
    """Calls methods of one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, credentials: Credentials, patience: Patience
    ) -> None:
        self.channel = channel
        self._credentials = credentials
        self._patience = patience

    async def call(
        self,
        path: str,
        request: Message,
        answer: type[Answer],
        *,
        key: str | None = None,
        wait_s: int | None = None,
    ) -> Answer:
        """Call a method until it answers, or until what it says is final, or patience ends.

        A write carries its `key` on every try, so it happens once.

        Raises:
            PaymeshError: of the kind that the status says.
        """
        body = request.SerializeToString()
        give_up = time.monotonic() + self._patience.budget_s
        tries = 0
        while True:
            tries += 1
            try:
                return await self._once(path, body, answer, key, wait_s)
            except grpc.aio.AioRpcError as error:
                problem = to_error(error, key)
            pause_s = self._pause_s(problem, tries)
            if not isinstance(problem, AGAIN) or time.monotonic() + pause_s > give_up:
                raise problem
            await asyncio.sleep(pause_s)

    async def _once(
        self, path: str, body: bytes, answer: type[Answer], key: str | None, wait_s: int | None
    ) -> Answer:
        metadata: dict[str, str] = self._credentials.metadata(path, body, key)
        timeout_s = self._patience.timeout_s
        if wait_s is not None:
            metadata["prefer"] = f"wait={wait_s}"
            timeout_s += min(wait_s, _WAIT_MAX_S)
        method: Any = self.channel.unary_unary(path, None, answer.FromString)
        result: Answer = await method(body, timeout=timeout_s, metadata=tuple(metadata.items()))
        return result

    def stream(self, path: str, request: Message, answer: type[Answer]) -> Any:
        """Open a stream of answers."""
        body = request.SerializeToString()
        metadata: Mapping[str, str] = self._credentials.metadata(path, body, None)
        method: Any = self.channel.unary_stream(path, None, answer.FromString)
        return method(body, metadata=tuple(metadata.items()))

    def _pause_s(self, problem: PaymeshError, tries: int) -> float:
        patience = self._patience
        ceiling: float = min(patience.backoff_s * 2 ** (tries - 1), patience.backoff_max_s)
        pause_s = ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter
        return max(pause_s, problem.retry_after_s or 0.0)


def _is_loopback(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
