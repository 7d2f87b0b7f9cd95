"""`paymesh ledger seals` and `checkpoints` go through all pages, or as many as are asked for."""

import pytest
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import report_pb2 as report

from devstack.ledger import listed

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
