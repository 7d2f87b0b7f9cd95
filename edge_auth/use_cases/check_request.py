"""Check: decide whether a request may pass the edge, and as whom."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from edge_auth.domain import errors
from edge_auth.domain.card_numbers import holds_card_number
from edge_auth.domain.errors import Denial
from edge_auth.domain.strict_json import BODY_BYTES_MAX, Shape, check_body

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII)
# As Envoy reads it: any other type, `application/grpc-web` too, is transcoded as JSON.
_GRPC = re.compile(r"application/grpc(\+.*)?", re.ASCII)
_JSON = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE | re.ASCII)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NATIVE = "/paymesh.payment.v1.PaymentService/"
# What begins a payment, in both ways of asking.
_BEGINNING = frozenset(
    {
        *("/v1/payments", "/v1/checkout_sessions"),
        *(f"{_NATIVE}CreatePayment", f"{_NATIVE}CreateCheckoutSession"),
    }
)
_SCANNED_HEADERS = ("idempotency-key", "user-agent", "referer", "prefer")


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """A request at the edge; header names are lower case, `path` has the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""  # the address it came from

    @property
    def is_grpc(self) -> bool:
        """Whether it is native gRPC rather than REST."""
        return _GRPC.fullmatch(self.headers.get("content-type", "")) is not None

    @property
    def begins_payment(self) -> bool:
        """Whether it asks for a new payment."""
        return self.method == "POST" and self.route in _BEGINNING

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]


Wait = Callable[[str], float]
QueueWait = Callable[[str, str], float]
ClientOf = Callable[[str], Awaitable[str | None]]
ShapeOf = Callable[[str, str], Shape | None]
TextsOf = Callable[[str, bytes], Mapping[str, str] | None]


def in_at_once(client_id: str, key: str) -> float:
    """Let everybody in."""
    return 0.0


async def check_request(
    request: EdgeRequest,
    *,
    client_of: ClientOf,
    shape_of: ShapeOf,
    texts_of: TextsOf,
    client_wait: Wait,
    stranger_wait: Wait,
    queue_wait: QueueWait = in_at_once,
) -> str | Denial:
    """Answer the client's id, or the denial.

    Args:
        request: what came.
        client_of: tells whose a presented API key is.
        shape_of: tells the shape of the body of a verb and path; None: no such route.
        texts_of: takes the strings out of a native message, by path; None: it cannot be read;
            LookupError: there is no such method.
        client_wait: tells how long a client has to wait for its next request; 0: not at all.
        stranger_wait: the same for an address from which credentials are guessed.
        queue_wait: the same for a client's new payment under a key, while too many wait already.
    """
    bearer = _BEARER.fullmatch(request.headers.get("authorization", ""))
    client_id = await client_of(bearer[1]) if bearer else None
    if client_id is None:
        wait_s = stranger_wait(request.peer)
        if wait_s:
            return errors.rate_limited(wait_s)
        return errors.invalid_credentials() if bearer else errors.missing_credentials()
    wait_s = client_wait(client_id)
    if wait_s:
        return errors.rate_limited(wait_s)
    key = request.headers.get("idempotency-key", "")
    wait_s = queue_wait(client_id, key) if request.begins_payment else 0.0
    if wait_s:
        return errors.queue_full(wait_s)
    denial = _check_line(request) or _check_content(request, shape_of, texts_of)
    return denial or client_id


def _check_line(request: EdgeRequest) -> Denial | None:
    """Look for card numbers outside the body."""
    if holds_card_number(unquote_plus(request.path)):
        return errors.card_number("(the path)")
    for name in _SCANNED_HEADERS:
        if holds_card_number(request.headers.get(name, "")):
            return errors.card_number(name)
    return None


def _check_content(request: EdgeRequest, shape_of: ShapeOf, texts_of: TextsOf) -> Denial | None:
    """Look into the body. What is no route of ours is not left to Envoy, which matches more loosely
    (a slash at the end is nothing to it) and would let the body pass unseen.
    """
    if request.is_grpc:
        return _check_message(request, texts_of)
    if request.method not in _WITH_BODY:
        return None
    shape = shape_of(request.method, request.route)
    if shape is None:
        return errors.no_such_path()
    if not _JSON.fullmatch(request.headers.get("content-type", "")):
        return errors.unsupported_content_type()
    return check_body(request.body, shape)


def _check_message(request: EdgeRequest, texts_of: TextsOf) -> Denial | None:
    if len(request.body) >= BODY_BYTES_MAX:  # Envoy hands over no more: the rest may be cut off
        return errors.too_large()
    try:
        texts = texts_of(request.route, request.body)
    except LookupError:
        return errors.no_such_method()
    if texts is None:
        return errors.refused_field("MALFORMED_MESSAGE", "(the message)", "cannot be read")
    offender = next((path for path, text in texts.items() if holds_card_number(text)), None)
    return errors.card_number(offender) if offender is not None else None
