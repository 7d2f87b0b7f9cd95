"""Check: decide whether a request may pass the edge, and as whom."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from chassis.clock import Clock
from edge_auth.domain import errors, signing
from edge_auth.domain.credentials import Caller
from edge_auth.domain.edge_request import EdgeRequest
from edge_auth.domain.errors import Denial
from edge_auth.domain.limits import UNLIMITED, Limit, Nonce, Passage
from edge_auth.domain.scopes import NEEDED, Scope, move_money_out
from edge_auth.domain.screening import offending, offending_line
from edge_auth.domain.strict_json import BODY_BYTES_MAX, Shape, check_body
from edge_auth.ports import Turnstile

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII)
_JSON = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE | re.ASCII)
_KEY = signing.IDEMPOTENCY_KEY
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

CallerOf = Callable[[str], Awaitable[Caller | None]]
RpcOf = Callable[[str, str], str | None]
QueueWait = Callable[[str, str], float]
ShapeOf = Callable[[str, str], Shape | None]
TextsOf = Callable[[str, bytes], Mapping[str, str] | None]


def in_at_once(client_id: str, key: str) -> float:
    """Let everybody in."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """How much may be asked where nothing else is said; requests a second, 0: no limit."""

    client_per_second: float = 0
    client_burst: int = 1
    address_per_second: float = 0
    address_burst: int = 1
    stranger_per_second: float = 0
    stranger_burst: int = 1


@dataclass(frozen=True, slots=True)
class Door:
    """What a request is held against.

    Attributes:
        caller_of: tells whose a presented API key is.
        rpc_of: names the method of a verb and path, or of a native path with the verb "";
            None: there is none.
        shape_of: tells the shape of the body of a verb and path; None: no such route.
        texts_of: takes the strings out of a native message, by path; None: it cannot be read.
        turnstile: counts requests and remembers nonces.
        is_unsigned_money_out: whether refunds and payouts pass unsigned; never in production.
        queue_wait: tells how long a client has to wait with a new payment under a key, while too
            many wait already; 0: not at all.
    """

    caller_of: CallerOf
    rpc_of: RpcOf
    shape_of: ShapeOf
    texts_of: TextsOf
    turnstile: Turnstile
    rates: Rates
    clock: Clock
    is_unsigned_money_out: bool = False
    queue_wait: QueueWait = in_at_once


@dataclass(frozen=True, slots=True)
class Decision:
    """The client that enters, or the denial; and what to tell of the limits."""

    client_id: str = ""
    denial: Denial | None = None
    passage: Passage = UNLIMITED


async def check_request(request: EdgeRequest, door: Door) -> Decision:
    """Decide, cheap things first: the key, the signature, the scope, the limits, the content.

    A nonce is used up once everything but the content is right.
    """
    bearer = _BEARER.fullmatch(request.headers.get("authorization", ""))
    caller = await door.caller_of(bearer[1]) if bearer else None
    if caller is None:
        wrong = errors.invalid_credentials() if bearer else errors.missing_credentials()
        return await _turn_away(request, wrong, door)
    is_signed = signing.is_signed(request) or _must_sign(caller, door)
    denial = signing.check_signature(request, caller.secrets, door.clock()) if is_signed else None
    scope = _scope_of(request, door)
    client_id = caller.client.client_id
    denial = (
        denial
        or _check_scope(request, scope, caller)
        or (_check_key(request, scope) if is_signed else None)
        or _check_queue(request, client_id, door)
    )
    nonce = request.headers[signing.NONCE] if is_signed and denial is None else ""
    passage = await door.turnstile.enter(_limits(request, caller, door.rates), client_id, nonce)
    if passage.wait_s:
        denial = errors.rate_limited(passage.wait_s)
    denial = (
        denial
        or _check_nonce(scope, passage)
        or _check_line(request)
        or _check_content(request, door)
    )
    return Decision("" if denial else client_id, denial, passage)


async def _turn_away(request: EdgeRequest, denial: Denial, door: Door) -> Decision:
    rates = door.rates
    stranger = Limit("stranger", request.peer, rates.stranger_per_second, rates.stranger_burst)
    passage = await door.turnstile.enter([stranger, _address(request, rates)])
    if passage.wait_s:
        return Decision(denial=errors.rate_limited(passage.wait_s), passage=passage)
    return Decision(denial=denial)


def _must_sign(caller: Caller, door: Door) -> bool:
    client = caller.client
    return client.signing or (move_money_out(client.scopes) and not door.is_unsigned_money_out)


def _limits(request: EdgeRequest, caller: Caller, rates: Rates) -> Sequence[Limit]:
    client = caller.client
    own = client.requests_per_second
    return [
        Limit(
            "client",
            client.client_id,
            rates.client_per_second if own is None else own,
            client.burst or rates.client_burst,
        ),
        _address(request, rates),
    ]


def _address(request: EdgeRequest, rates: Rates) -> Limit:
    return Limit("address", request.peer, rates.address_per_second, rates.address_burst)


def _scope_of(request: EdgeRequest, door: Door) -> Scope | None:
    """Tell what the request's method asks for; None: it is no method, or nobody's."""
    verb = "" if request.is_grpc else request.method
    return NEEDED.get(door.rpc_of(verb, request.route) or "")


def _check_scope(request: EdgeRequest, scope: Scope | None, caller: Caller) -> Denial | None:
    """Hold the method against the client's scopes. What is no route of ours is not left to Envoy,
    which matches more loosely: a slash at the end is nothing to it.
    """
    if scope is None:
        return errors.no_such_method() if request.is_grpc else errors.no_such_path()
    return None if scope in caller.client.scopes else errors.scope_missing(scope.value)


def _check_queue(request: EdgeRequest, client_id: str, door: Door) -> Denial | None:
    """Turn a new payment away while too many wait; its nonce stays good."""
    if not request.begins_payment:
        return None
    wait_s = door.queue_wait(client_id, request.headers.get(_KEY, ""))
    return errors.queue_full(wait_s) if wait_s else None


def _check_key(request: EdgeRequest, scope: Scope | None) -> Denial | None:
    """Refuse a signed write without a key: Redis may forget that its nonce was used, and then the
    key's record in the database alone makes it once.
    """
    is_write = scope is not Scope.READ
    return errors.key_missing() if is_write and not request.headers.get(_KEY) else None


def _check_nonce(scope: Scope | None, passage: Passage) -> Denial | None:
    """Refuse what came before. While nobody can tell, writes pass: they have a key."""
    if passage.nonce is Nonce.USED:
        return errors.nonce_used()
    is_unknown = passage.nonce is Nonce.UNKNOWN
    return errors.nonce_unchecked() if is_unknown and scope is Scope.READ else None


def _check_line(request: EdgeRequest) -> Denial | None:
    """Look for card numbers outside the body, and for what is no text: the transcoder would pass it
    on, in a message that no service can read.
    """
    try:
        unquote_to_bytes(request.path).decode()
    except UnicodeDecodeError:
        return errors.refused_field("MALFORMED_REQUEST", "(the path)", "is not UTF-8")
    offender = offending_line(request.path, request.headers)
    return errors.card_number(offender) if offender is not None else None


def _check_content(request: EdgeRequest, door: Door) -> Denial | None:
    """Look into the body."""
    if request.is_grpc:
        return _check_message(request, door.texts_of)
    if request.method not in _WITH_BODY:
        return None
    shape = door.shape_of(request.method, request.route)
    if shape is None:
        return errors.no_such_path()
    if not _JSON.fullmatch(request.headers.get("content-type", "")):
        return errors.unsupported_content_type()
    return check_body(request.body, shape)


def _check_message(request: EdgeRequest, texts_of: TextsOf) -> Denial | None:
    if len(request.body) >= BODY_BYTES_MAX:  # Envoy hands over no more: the rest may be cut off
        return errors.too_large()
    texts = texts_of(request.route, request.body)
    if texts is None:
        return errors.refused_field("MALFORMED_MESSAGE", "(the message)", "cannot be read")
    offender = offending(texts.items())
    return errors.card_number(offender) if offender is not None else None
