"""CreateClient: register an API client with its first key and its first secret."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from edge_auth.domain.credentials import Change, Client, StoredKey, make_key, make_secret
from edge_auth.domain.errors import ClientAlreadyExists
from edge_auth.domain.scopes import DEFAULT, Scope, move_money_out
from edge_auth.ports import ClientStore


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client to be; no scopes: the default ones."""

    client_id: str
    display_name: str = ""
    scopes: Sequence[Scope] = ()
    signing: bool = False
    actor: str = "system"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CreatedClient:
    """The client, its key and its secret, which are shown this once."""

    client: Client
    api_key: str = field(repr=False)
    secret: str = field(repr=False)


async def create_client(
    wanted: NewClient,
    *,
    store: ClientStore,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    is_unsigned_money_out: bool = False,
) -> CreatedClient:
    """Register a client.

    Raises:
        InvalidRequest: it could move money out without signing.
        ClientAlreadyExists: the id is taken.
    """
    scopes = tuple(scope for scope in Scope if scope in (wanted.scopes or DEFAULT))
    if move_money_out(scopes) and not (wanted.signing or is_unsigned_money_out):
        message = "must be true for a client with the scope refund or payout"
        raise InvalidRequest.field("signing", message, "SIGNING_REQUIRED")
    now = clock()
    client = Client(wanted.client_id, wanted.display_name, now, scopes, wanted.signing)
    api_key, key_id, secret_hash = make_key(random_bytes)
    key, secret = StoredKey(key_id, client.client_id, secret_hash), make_secret(random_bytes)
    detail = ",".join(scopes) + (", signing" if client.signing else "")
    change = Change(client.client_id, now, wanted.actor, "CREATED", detail, wanted.reason)
    if not await store.add(client, key, secret, change):
        raise ClientAlreadyExists(client.client_id)
    return CreatedClient(client, api_key, secret.value)
