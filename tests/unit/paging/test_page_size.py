"""How many a page has."""

import pytest

from paging.page_size import page_limit


@pytest.mark.parametrize(
    ("asked", "limit"), [(0, 50), (1, 1), (50, 50), (500, 500), (501, 500), (2**31 - 1, 500)]
)
def test_a_page_has_as_many_as_asked_for(asked: int, limit: int) -> None:
    """Without a word fifty, and never more than 500."""
    assert page_limit(asked) == limit
