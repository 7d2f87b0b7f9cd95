"""What the REST form has beside the protos: keys, preferences, headers, errors. Envoy and edge_auth
put them there, so they are said here.
"""

from typing import Any

Json = dict[str, Any]

_ERRORS: dict[str, tuple[str, str]] = {
    "400": ("Invalid", "It can never be right as it is, or the state of things forbids it."),
    "401": ("Unauthenticated", "The API key or the signature is missing or not valid."),
    "403": ("Forbidden", "The client has not the scope; `metadata.scope` names it."),
    "404": ("NotFound", "It is not there, or it is another client's."),
    "408": ("TooSlow", "The request did not arrive in time."),
    "409": ("Taken", "The key or an id belongs to something else."),
    "413": ("TooLarge", "The request is larger than 64 KiB."),
    "429": ("TooMany", "Too many requests; `Retry-After` says when to try again."),
    "431": ("HeadersTooLarge", "The headers are too large."),
    "500": ("Fault", "A fault of ours; ask again with the same key."),
    "503": ("Unavailable", "Not now; the same request, the same key, after `Retry-After`."),
    "504": ("NoAnswer", "No answer in time; ask again with the same key."),
}
_WITH_KEY_ALONE, _WITH_RETRY, _WITH_LIMIT = {"409"}, {"429", "503"}, {"403", "429"}

_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this write. The same request under the same key happens once.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "unique-order-id-12345",
}
_SIGNED_KEY: Json = {
    "required": False,
    "description": "Names this write; who signs must send one. The same request under the same "
    "key happens once.",
}
_PARAMETERS: dict[str, Json] = {
    "IdempotencyKey": _KEY,
    "SignedIdempotencyKey": {**_KEY, **_SIGNED_KEY},
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=N` answers once the payment is final, or after N seconds, at most "
        "30, with what it is by then (RFC 7240).",
        "schema": {"type": "string", "pattern": "^wait=[0-9]{1,2}$"},
        "example": "wait=5",
    },
    "Timestamp": {
        "name": "X-Paymesh-Timestamp",
        "in": "header",
        "required": False,
        "description": "Unix time in seconds, within 300 of ours; of a signed request.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    },
    "Nonce": {
        "name": "X-Paymesh-Nonce",
        "in": "header",
        "required": False,
        "description": "Good for one request; of a signed request.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~+/=:-]{1,128}$"},
    },
}
_HEADERS: dict[str, Json] = {
    "Replayed": {
        "description": "`true` when the key was used before: the answer is the one given then.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RequestId": {
        "description": "Names the request; tell it when you ask us about it. Absent where the "
        "request could not even be read.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "RetryAfter": {
        "description": "Seconds after which the same request may succeed.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit": {
        "description": "Requests that may follow at once, and seconds until the burst is whole "
        "again, or until the next may come. Absent where there is no limit.",
        "schema": {"type": "string", "examples": ['"client";r=998;t=1']},
    },
    "RateLimitPolicy": {
        "description": "The burst, and the seconds in which it is whole again. Absent where there "
        "is no limit.",
        "schema": {"type": "string", "examples": ['"client";q=1000;w=2']},
    },
}
_SIGNATURE = (
    "Hex of HMAC-SHA256, under the client's secret, over six lines joined by line feeds: method, "
    "path with query, X-Paymesh-Timestamp, X-Paymesh-Nonce, Idempotency-Key (an empty line where "
    "there is none), hex of the body's SHA-256. Asked of clients that are registered as signing."
)
_VIOLATION = {
    "type": "object",
    "required": ["field", "description", "reason"],
    "properties": {
        "field": {"type": "string", "description": "Its path: `payment_orders[0].amount`."},
        "description": {"type": "string"},
        "reason": {"type": "string"},
    },
}
_DETAIL = {
    "type": "object",
    "description": "An ErrorInfo, the first of them; a BadRequest where fields are at fault; a "
    "RetryInfo where the same request may succeed later.",
    "required": ["@type"],
    "properties": {
        "@type": {"type": "string", "examples": ["type.googleapis.com/google.rpc.ErrorInfo"]},
        "reason": {"type": "string", "description": "ErrorInfo: the stable word for programs."},
        "domain": {"type": "string", "description": "ErrorInfo: who says so."},
        "metadata": {
            "type": "object",
            "description": "ErrorInfo: the facts; `field` is the path of the field at fault.",
            "additionalProperties": {"type": "string"},
        },
        "field_violations": {
            "type": "array",
            "description": "BadRequest: what is wrong with which field.",
            "items": _VIOLATION,
        },
        "retry_delay": {"type": "string", "description": "RetryInfo: `1.500s`."},
    },
}
_ERROR = {
    "type": "object",
    "description": "google.rpc.Status: every error has this shape, whoever writes it.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC code."},
        "message": {"type": "string", "description": "One sentence for a person."},
        "details": {"type": "array", "minItems": 1, "items": _DETAIL},
    },
}


def components() -> Json:
    """Give everything that operations refer to, beside the schemas of the protos."""
    return {
        "securitySchemes": {
            "api_key": {"type": "http", "scheme": "bearer", "description": "The client's API key."},
            "signature": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Paymesh-Signature",
                "description": _SIGNATURE,
            },
        },
        "parameters": _PARAMETERS,
        "headers": _HEADERS,
        "responses": {name: _error(status) for status, (name, _) in _ERRORS.items()},
        "schemas": {"Error": _ERROR},
    }


def headers_asked(*, keyed: bool, needs_key: bool, waits: bool) -> list[Json]:
    """Refer to the headers that a request may bring; a key that is not needed is for who signs."""
    key = "IdempotencyKey" if needs_key else "SignedIdempotencyKey"
    names = [*[key] * keyed, *["Prefer"] * waits, "Timestamp", "Nonce"]
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def headers_told(*, keyed: bool) -> Json:
    """Refer to the headers that a good answer brings."""
    return {
        "X-Request-Id": _header("RequestId"),
        **_LIMIT_HEADERS,
        **({"Idempotent-Replayed": _header("Replayed")} if keyed else {}),
    }


def errors(*, keyed: bool) -> Json:
    """Refer to the errors that a call may end in."""
    statuses = [status for status in _ERRORS if keyed or status not in _WITH_KEY_ALONE]
    return {s: {"$ref": f"#/components/responses/{_ERRORS[s][0]}"} for s in statuses}


def _error(status: str) -> Json:
    headers = {"X-Request-Id": _header("RequestId")}
    if status in _WITH_LIMIT:
        headers |= _LIMIT_HEADERS
    if status in _WITH_RETRY:
        headers["Retry-After"] = _header("RetryAfter")
    return {
        "description": _ERRORS[status][1],
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


_LIMIT_HEADERS = {
    "RateLimit": _header("RateLimit"),
    "RateLimit-Policy": _header("RateLimitPolicy"),
}
