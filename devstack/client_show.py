"""What `paymesh client` prints for people."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
_ONCE = "shown this once; keep it now"


def made(answer: Json) -> Sequence[str]:
    """Tell a new client with its key and its secret."""
    return [
        line(answer["client"]),
        f"API key  {answer['api_key']}",
        f"secret   {answer['secret']}",
        f"Both are {_ONCE}.",
    ]


def listing(clients: Sequence[Json]) -> Sequence[str]:
    """Tell a line for each client."""
    return [line(client) for client in clients] or ["none"]


def details(answer: Json) -> Sequence[str]:
    """Tell all that is known of a client."""
    credentials = [_credential(credential) for credential in answer["credentials"]]
    changes = [
        f"{change['at']}  {change['action']} {change['detail']} by {change['actor']}: "
        f"{change['reason'] or '–'}"
        for change in answer["changes"]
    ]
    return [line(answer["client"]), "", *credentials, "", *changes]


def rotated(answer: Json) -> Sequence[str]:
    """Tell a new key or secret, and when the old one ends."""
    ends = answer.get("old_expires_at")
    old = f"The old one ends {ends}." if ends else "There was no other."
    kind = _kind(answer["credential"])
    return [f"{kind}  {answer['value']}", f"It is {_ONCE}. {old}"]


def revoked(answer: Json) -> Sequence[str]:
    """Tell what is left of a client, and from when on."""
    return [line(answer["client"]), f"Every instance knows within {answer['effective_within']}."]


def limited(answer: Json) -> Sequence[str]:
    """Tell a client with its limit."""
    return [line(answer["client"])]


def line(client: Json) -> str:
    """Tell a client in a line."""
    rate, burst = client.get("requests_per_second"), client.get("burst")
    limit = "default limit" if rate is None and burst is None else ""
    if not limit:
        limit = f"{'default' if rate is None else rate or 'no limit'} a second, "
        limit += f"burst {'default' if burst is None else burst}"
    signs = "signs" if client["signing"] else "unsigned"
    parts = [client["client_id"], ",".join(client["scopes"]), signs, limit]
    if client.get("revoked_at"):
        parts.append(f"REVOKED {client['revoked_at']}")
    return " · ".join(parts)


def _credential(credential: Json) -> str:
    state = "live"
    if credential.get("revoked_at"):
        state = f"revoked {credential['revoked_at']}"
    elif credential.get("expires_at"):
        state = f"ends {credential['expires_at']}"
    made_at = credential["created_at"]
    return f"{_kind(credential)}  {credential['credential_id']}  of {made_at}  {state}"


def _kind(credential: Json) -> str:
    return "API key" if credential["kind"] == "API_KEY" else "secret "
