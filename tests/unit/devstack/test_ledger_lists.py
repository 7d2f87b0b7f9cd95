"""`paymesh ledger seals` and `checkpoints` go through all pages, or as many as are asked for."""

import pytest
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import report_pb2 as report

from devstack.ledger import listed, pending_line

COUNT = 1_234


class Lists:
    """A ledger with many seals, of which it tells no more than 500 at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def ask(self, request: service.ListSealsRequest) -> service.ListSealsResponse:
        """Tell a page; the token is the last number of the page before."""
        self.sizes.append(request.page_size)
        top = int(request.page_token or COUNT + 1) - 1
        least = max(top - min(request.page_size, 500), 0)
        numbers = range(top, least, -1)
        return service.ListSealsResponse(
            seals=[report.Seal(number=number) for number in numbers],
            next_page_token=str(least + 1) if least else "",
        )


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [(0, [500, 500, 500]), (1, [1]), (50, [50]), (501, [500, 1]), (9_999, [500, 500, 500])],
)
async def test_as_many_are_told_as_are_asked_for(limit: int, sizes: list[int]) -> None:
    """The newest first, each once, and no more pages are asked for than that takes."""
    lists = Lists()

    found = listed(lists.ask, service.ListSealsRequest(), "seals", limit)

    numbers = [seal.number async for seal in found]
    assert numbers == list(range(COUNT, 0, -1))[: limit or None]
    assert lists.sizes == sizes


def test_what_is_pending_is_told_in_a_line() -> None:
    """What is not there is a hyphen; what never expires says so."""
    lines = [
        noun.NewEntry(account_id="a", side=noun.SIDE_DEBIT, amount="1.00", currency="USD"),
        noun.NewEntry(account_id="b", side=noun.SIDE_CREDIT, amount="1.00", currency="USD"),
    ]
    one = noun.Transaction(reference="held:1", pending_entries=lines)
    one.created_at.FromJsonString("2026-01-02T03:04:05Z")
    reserved = "debit a 1.00 USD, credit b 1.00 USD"

    assert pending_line(one) == f"held:1  2026-01-02T03:04:05Z  never  -  -  {reserved}"
    one.subject_id, one.template = "pay_1", "captured/1"
    one.expires_at.FromJsonString("2026-01-09T00:00:00Z")
    told = f"held:1  2026-01-02T03:04:05Z  2026-01-09T00:00:00Z  pay_1  captured/1  {reserved}"
    assert pending_line(one) == told
