"""ListPayments: a client's payments, the newest first, page by page."""

from collections.abc import Sequence

from chassis.errors import InvalidRequest
from paging.page_size import page_limit
from paging.page_token import read_moment, read_token, write_token
from payment_svc.domain.payment import Payment
from payment_svc.ports import Filters, Page, PaymentStore


async def list_payments(
    filters: Filters, page_size: int, page_token: str, *, store: PaymentStore
) -> tuple[Sequence[Payment], str]:
    """List payments; answer also the token of the next page, empty at the end.

    A page may be short, even empty, while there is a token.

    Raises:
        InvalidRequest: a range that holds nothing, or a token that is not of this list.
    """
    _check(filters)
    bound = [str(value) for value in _values(filters)]
    limit = page_limit(page_size)
    after = _read(bound, page_token) if page_token else None
    payments, following = await store.list(filters, limit, after)
    if following is None:
        return payments, ""
    return payments, write_token(bound, [following.created_at.isoformat(), following.payment_id])


def _check(filters: Filters) -> None:
    since, before = filters.created_from, filters.created_before
    if since and before and since >= before:
        raise InvalidRequest.field("created_before", "must be after created_from")
    least, most = filters.amount_min, filters.amount_max
    if least and most and least.amount > most.amount:
        raise InvalidRequest.field("amount_max", "must not be below amount_min")


def _read(bound: Sequence[str], token: str) -> Page:
    created_at, payment_id = read_token(bound, token, [str, str])
    return Page(read_moment(created_at), str(payment_id))


def _values(filters: Filters) -> Sequence[object]:
    return [getattr(filters, name) for name in Filters.__dataclass_fields__]
