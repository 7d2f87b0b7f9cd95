"""ListEvents: a client's events after a cursor, for whoever would rather ask than be told."""

from collections.abc import Sequence
from datetime import UTC, datetime

from paging.page_size import page_limit
from paging.page_token import read_moment, read_token, write_token
from payment_svc.domain.webhook_endpoint import WebhookEvent
from payment_svc.webhooks.ports import EventPlace, WebhookLog

_BEGINNING = EventPlace(datetime(1970, 1, 1, tzinfo=UTC), 0)


async def list_events(
    client_id: str, object_id: str, page_size: int, page_token: str, *, log: WebhookLog
) -> tuple[Sequence[WebhookEvent], str]:
    """List events; answer also the cursor to go on from, which is never empty.

    It stays before events so young that an older one may yet appear: these come again.

    Raises:
        InvalidRequest: a token that is not of this list.
    """
    bound = ["events", client_id, object_id]
    limit = page_limit(page_size)
    after = _read(bound, page_token) if page_token else None
    page = await log.events(client_id, object_id or None, limit, after)
    place = page.settled or _BEGINNING
    return page.events, write_token(bound, [place.created_at.isoformat(), place.number])


def _read(bound: Sequence[str], token: str) -> EventPlace:
    created_at, number = read_token(bound, token, [str, int])
    return EventPlace(read_moment(created_at), int(number))
