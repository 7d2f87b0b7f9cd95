"""ListSagas: a queue, the longest due first, page by page."""

from collections.abc import Sequence

from paging.page_size import page_limit
from paging.page_token import read_moment, read_token, write_token
from payment_svc.operations.ports import OperatorStore, Place, SagaFilter
from payment_svc.ports import SagaView
from payment_svc.sagas.journey import Queue


async def list_sagas(
    queue: Queue, chosen: SagaFilter, page_size: int, page_token: str, *, store: OperatorStore
) -> tuple[Sequence[SagaView], str]:
    """List a queue; answer also the token of the next page, empty at the end.

    Raises:
        InvalidRequest: a token that is not of this list.
    """
    bound = [queue.value, *(str(getattr(chosen, f)) for f in SagaFilter.__dataclass_fields__)]
    limit = page_limit(page_size)
    after = _place(bound, page_token) if page_token else None
    found = await store.list_queue(queue, chosen, limit + 1, after)
    views = [view for view, _ in found[:limit]]
    if len(found) <= limit:
        return views, ""
    last = found[limit - 1][1]
    return views, write_token(bound, [last.at.isoformat(), last.saga_id])


def _place(bound: Sequence[str], token: str) -> Place:
    at, saga_id = read_token(bound, token, [str, str])
    return Place(read_moment(at), str(saga_id))
