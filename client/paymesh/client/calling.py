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
from paymesh.client.errors import AGAIN, to_error
from paymesh.client.signing import signature

Answer = TypeVar("Answer", bound=Message)
_WAIT_MAX_S = 30  # what the server waits at most
_CHANNEL = (
    ("grpc.enable_retries", 0),  # tries are counted here, where the budget is kept
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 30_000),  # a watch notices that the other side has gone silent
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take.

    Attributes:
        timeout_s: for one try, beside what the server is asked to wait.
        budget_s: for all tries of a call: none is begun after it. Of a watch: from the moment
            that it is cut off until it tells something again.
        backoff_s: the pause before the second try; it doubles, up to `backoff_max_s`.
    """

    timeout_s: float = 10.0
    budget_s: float = 60.0
    backoff_s: float = 0.2
    backoff_max_s: float = 5.0

    def pause_s(self, tries: int, asked_s: float | None) -> float:
        """Tell how long to pause after so many tries: by chance, so that many clients do not come
        back at once, and never less than the server asked for.
        """
        ceiling: float = min(self.backoff_s * 2 ** min(tries - 1, 30), self.backoff_max_s)
        return max(ceiling * (0.5 + random.random() / 2), asked_s or 0.0)  # noqa: S311 - jitter


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
        return grpc.aio.insecure_channel(target, options=_CHANNEL)
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_CHANNEL)


class Caller:
    """Calls methods of one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, credentials: Credentials, patience: Patience
    ) -> None:
        self.channel = channel
        self._credentials = credentials
        self.patience = patience

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
        give_up = time.monotonic() + self.patience.budget_s
        tries = 0
        while True:
            tries += 1
            try:
                return await self._once(path, body, answer, key, wait_s)
            except grpc.aio.AioRpcError as error:
                problem = to_error(error, key)
                pause_s = self.patience.pause_s(tries, problem.retry_after_s)
                if not isinstance(problem, AGAIN) or time.monotonic() + pause_s > give_up:
                    raise problem from error
            await asyncio.sleep(pause_s)

    async def _once(
        self, path: str, body: bytes, answer: type[Answer], key: str | None, wait_s: int | None
    ) -> Answer:
        metadata: dict[str, str] = self._credentials.metadata(path, body, key)
        timeout_s = self.patience.timeout_s
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


def _is_loopback(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
