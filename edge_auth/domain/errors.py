"""Why edge_auth turns a request away: one denial per reason, with the HTTP status it becomes."""

import math
from dataclasses import dataclass, field

from chassis.errors import AlreadyExists, NotFound


@dataclass(frozen=True, slots=True)
class Denial:
    """A request turned away. `code` is the gRPC code, `http` the status; `fields` are offenders;
    `retry_after_s` tells when it may be sent again as it is.
    """

    http: int
    code: int
    reason: str
    message: str
    fields: tuple[str, ...] = ()
    retry_after_s: int | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())


def missing_credentials() -> Denial:
    """Nobody said who is calling."""
    message = "Credentials are missing: send `Authorization: Bearer <api key>`."
    return _unauthenticated("CREDENTIALS_MISSING", message)


def invalid_credentials() -> Denial:
    """The key is not one of ours, or no longer."""
    return _unauthenticated("CREDENTIALS_INVALID", "The API key is not valid.")


def _unauthenticated(reason: str, message: str) -> Denial:
    return Denial(401, 16, reason, message, headers=(("www-authenticate", "Bearer"),))


def unsupported_content_type() -> Denial:
    """The body is not said to be JSON."""
    message = "Content-Type must be application/json."
    return Denial(400, 3, "UNSUPPORTED_CONTENT_TYPE", message, ("Content-Type",))


def malformed_json(message: str) -> Denial:
    """The body is no JSON object."""
    return Denial(400, 3, "MALFORMED_JSON", message)


def refused_field(reason: str, path: str, message: str) -> Denial:
    """A field may not be there, or not like this."""
    return Denial(400, 3, reason, f"{path}: {message}", (path,))


def card_number(path: str) -> Denial:
    """A card number stands where none may; it is never repeated."""
    message = "holds a card number; send the PSP's token instead"
    return refused_field("CARD_NUMBER_REFUSED", path, message)


def rate_limited(wait_s: float) -> Denial:
    """Too many requests; after `wait_s` seconds the next one passes."""
    seconds = max(1, math.ceil(wait_s))
    message = f"Too many requests; try again in {seconds} s."
    headers = (("retry-after", str(seconds)),)
    return Denial(429, 8, "RATE_LIMITED", message, retry_after_s=seconds, headers=headers)


def queue_full(wait_s: float) -> Denial:
    """Too many payments wait to be worked on; this one was not passed on."""
    seconds = max(1, math.ceil(wait_s))
    message = "Too many payments are waiting; send the same request again later."
    headers = (("retry-after", str(seconds)),)
    return Denial(429, 8, "QUEUE_FULL", message, retry_after_s=seconds, headers=headers)


def no_such_path() -> Denial:
    """The verb and path are no route of ours."""
    message = "There is nothing at this path, or not with this verb."
    return Denial(404, 5, "NO_SUCH_PATH", message)


def no_such_method() -> Denial:
    """The native path is no method of ours."""
    return Denial(404, 12, "NO_SUCH_METHOD", "There is no such method.")


def too_large() -> Denial:
    """The body is larger than any request of ours."""
    return Denial(413, 3, "REQUEST_TOO_LARGE", "The request is larger than 64 KiB.")


class ClientAlreadyExists(AlreadyExists):
    """The client id is taken."""

    reason = "CLIENT_ALREADY_EXISTS"

    def __init__(self, client_id: str) -> None:
        super().__init__(f"There is a client {client_id} already.", clientId=client_id)


class ClientNotFound(NotFound):
    """There is no such client."""

    reason = "CLIENT_NOT_FOUND"

    def __init__(self, client_id: str) -> None:
        super().__init__(f"There is no client {client_id}.", clientId=client_id)
