"""ListResolutions: the newest first, page by page."""

from collections.abc import Sequence
from datetime import datetime

from paging.page_size import page_limit
from paging.page_token import read_token, write_token
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.operations.ports import ResolutionStore


async def list_resolutions(
    status: ResolutionStatus | None,
    saga_id: str,
    page_size: int,
    page_token: str,
    *,
    store: ResolutionStore,
    now: datetime,
    resolution_id: str = "",
) -> tuple[Sequence[Resolution], str]:
    """List resolutions as they stand now; answer also the token of the next page, empty at the end.
    With `resolution_id` it is that one alone, if it is among them.

    Raises:
        InvalidRequest: a token that is not of this list.
    """
    if resolution_id:
        one = await store.find(resolution_id)
        page = [one.seen(now)] if one is not None else []
        return [r for r in page if saga_id in ("", r.saga_id) and status in (None, r.status)], ""
    bound = [status.value if status else "", saga_id]
    limit = page_limit(page_size)
    before = str(read_token(bound, page_token, [str])[0]) if page_token else ""
    found = await store.list(status, saga_id, before, limit + 1)
    page = [resolution.seen(now) for resolution in found[:limit]]
    more = len(found) > limit
    return page, write_token(bound, [page[-1].resolution_id]) if more else ""
