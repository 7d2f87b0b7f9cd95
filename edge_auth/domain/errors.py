"""Why edge_auth turns a request away: one denial per reason, with the HTTP status it becomes."""

import math
from dataclasses import dataclass, field

from chassis.errors import AlreadyExists, FailedPrecondition, NotFound


@dataclass(frozen=True, slots=True)
class Denial:
    """A request turned away. `code` is the gRPC code, `http` the status; `fields` are offenders;
    `facts` are for programs; `retry_after_s` tells when it may be sent again as it is.
    """

    http: int
    code: int
    reason: str
    message: str
    fields: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    retry_after_s: int | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())


def missing_credentials() -> Denial:
    """Nobody said who is calling."""
    message = "Credentials are missing: send `Authorization: Bearer <api key>`."
    return _unauthenticated("CREDENTIALS_MISSING", message)


def invalid_credentials() -> Denial:
    """The key is not one of ours, or no longer."""
    return _unauthenticated("CREDENTIALS_INVALID", "The API key is not valid.")


def _unauthenticated(reason: str, message: str, facts: tuple[tuple[str, str], ...] = ()) -> Denial:
    challenge = (("www-authenticate", "Bearer"),)
    return Denial(401, 16, reason, message, facts=facts, headers=challenge)


def signature_missing(header: str) -> Denial:
    """The request must be signed, or says that it is, and a header of the signature is missing."""
    message = f"The request must be signed: {header} is missing."
    return _unauthenticated("SIGNATURE_MISSING", message, (("header", header),))


def signature_malformed(header: str) -> Denial:
    """The signature has not the form of one."""
    message = f"{header} must be the 64 hex digits of an HMAC-SHA256."
    return _unauthenticated("SIGNATURE_INVALID", message, (("header", header),))


def signature_invalid(canonical_digest: str, body_digest: str) -> Denial:
    """No live secret of the client gives this signature over the request as it arrived. The digests
    are of what the caller sent: they tell where its own canonical string differs, and no secret.
    """
    message = "The signature does not fit the request: compare the digests of what you signed."
    facts = (("canonicalSha256", canonical_digest), ("bodySha256", body_digest))
    return _unauthenticated("SIGNATURE_INVALID", message, facts)


def timestamp_invalid(header: str) -> Denial:
    """The timestamp is no time."""
    message = f"{header} must be Unix time in whole seconds."
    return _unauthenticated("TIMESTAMP_INVALID", message, (("header", header),))


def timestamp_out_of_window(ahead_s: int, window_s: int) -> Denial:
    """The request is too old, or from the future."""
    side = "ahead of" if ahead_s > 0 else "behind"
    message = f"The timestamp is {abs(ahead_s)} s {side} our clock; {window_s} s are allowed."
    facts = (("aheadSeconds", str(ahead_s)), ("windowSeconds", str(window_s)))
    return _unauthenticated("TIMESTAMP_OUT_OF_WINDOW", message, facts)


def nonce_invalid(header: str) -> Denial:
    """The nonce is too long, or has other characters than a nonce may have."""
    message = f"{header} must be 1 to 128 letters, digits or any of ._~+/=:-"
    return _unauthenticated("NONCE_INVALID", message, (("header", header),))


def nonce_used() -> Denial:
    """The client has sent this nonce before."""
    message = "This nonce was used before: sign every request anew, each try too."
    return _unauthenticated("NONCE_USED", message)


def nonce_unchecked() -> Denial:
    """Nobody can tell whether the nonce of a read was used."""
    message = "Signed reads cannot be checked now; try again."
    headers = (("retry-after", "1"),)
    return Denial(503, 14, "UNAVAILABLE", message, retry_after_s=1, headers=headers)


def key_missing() -> Denial:
    """A signed write has nothing that makes it once where nonces are forgotten."""
    message = "a signed request that changes something needs one"
    return refused_field("IDEMPOTENCY_KEY_MISSING", "Idempotency-Key", message)


def scope_missing(scope: str) -> Denial:
    """The client may not do this."""
    message = f"The client has no scope {scope}."
    return Denial(403, 7, "SCOPE_MISSING", message, facts=(("scope", scope),))


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


class ClientRevoked(FailedPrecondition):
    """The client is revoked for good."""

    reason = "CLIENT_REVOKED"

    def __init__(self, client_id: str) -> None:
        super().__init__(f"The client {client_id} is revoked.", clientId=client_id)


class CredentialNotFound(NotFound):
    """The client has no such key or secret."""

    reason = "CREDENTIAL_NOT_FOUND"

    def __init__(self, client_id: str, credential_id: str) -> None:
        message = f"The client {client_id} has no key or secret {credential_id}."
        super().__init__(message, clientId=client_id, credentialId=credential_id)


class RotationUnderWay(FailedPrecondition):
    """Two live already; the oldest has to end first."""

    reason = "ROTATION_UNDER_WAY"

    def __init__(self, client_id: str, oldest_id: str) -> None:
        message = f"Two of {client_id} live already; revoke {oldest_id}, or wait for its end."
        super().__init__(message, clientId=client_id, credentialId=oldest_id)
